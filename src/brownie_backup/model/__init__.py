"""What brownie-backup knows, as frozen data: backups, their parts and manifests.

Sizes are bytes, instants are UTC-aware datetimes, durations are timedeltas. Classes that are
stored carry `unknown`: the fields that a newer version wrote and this one keeps.
"""

from brownie_backup.model.backup import Attempt, Backup, Hold, Status, Verification
from brownie_backup.model.manifest import (
    FORMAT,
    Database,
    DatabaseId,
    Encryption,
    Extension,
    Manifest,
    WalPosition,
)
from brownie_backup.model.parts import (
    BlobRef,
    BlockRange,
    Part,
    PartKind,
    PartSpec,
    Relation,
    RowFormat,
    RowRange,
    Table,
    Unknown,
)

__all__ = [
    "FORMAT",
    "Attempt",
    "Backup",
    "BlobRef",
    "BlockRange",
    "Database",
    "DatabaseId",
    "Encryption",
    "Extension",
    "Hold",
    "Manifest",
    "Part",
    "PartKind",
    "PartSpec",
    "Relation",
    "RowFormat",
    "RowRange",
    "Status",
    "Table",
    "Unknown",
    "Verification",
    "WalPosition",
]
