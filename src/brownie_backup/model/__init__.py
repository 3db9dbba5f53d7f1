"""The data model, as frozen classes: backups, their parts and manifests.

Sizes are bytes, instants are UTC-aware datetimes, durations are timedeltas. Stored classes carry
`unknown`: fields that a newer version wrote and this version keeps.
"""

from brownie_backup.model.backup import (
    CLOCK_MARGIN,
    Attempt,
    Backup,
    Checked,
    Hold,
    Status,
    Verification,
    is_ahead,
)
from brownie_backup.model.kinds import BackupSet, DatabaseId, Kind
from brownie_backup.model.manifest import (
    FORMAT,
    UNENCRYPTED,
    Cluster,
    Database,
    Encryption,
    Extension,
    Mac,
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
    Segment,
    Table,
    Unknown,
)

__all__ = [
    "CLOCK_MARGIN",
    "FORMAT",
    "UNENCRYPTED",
    "Attempt",
    "Backup",
    "BackupSet",
    "BlobRef",
    "BlockRange",
    "Checked",
    "Cluster",
    "Database",
    "DatabaseId",
    "Encryption",
    "Extension",
    "Hold",
    "Kind",
    "Mac",
    "Manifest",
    "Part",
    "PartKind",
    "PartSpec",
    "Relation",
    "RowFormat",
    "RowRange",
    "Segment",
    "Status",
    "Table",
    "Unknown",
    "Verification",
    "WalPosition",
    "is_ahead",
]
