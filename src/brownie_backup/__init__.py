"""PostgreSQL backups that people can trust.

The verbs are functions of a `Repository` (a store, how blobs are compressed, how they are
encrypted) and a `Dumper` (what reads the database and loads it back)::

    from brownie_backup import Repository, create_backup
    from brownie_backup.compressors import Zstd
    from brownie_backup.dumpers import PostgresDumper
    from brownie_backup.encryptors import GnuPG
    from brownie_backup.stores import LocalStore

`brownie_backup.config` makes all of these from the environment.
"""

from brownie_backup.errors import BackupError
from brownie_backup.model import Backup, DatabaseId, Hold, Manifest, Status, Verification
from brownie_backup.model.reports import (
    BackupReport,
    Comparison,
    CountProgress,
    Finding,
    Level,
    PartProgress,
    Problem,
    Progress,
    RestoredTable,
    RestoreOptions,
    RestoreReport,
    RetentionDecision,
    RetentionReport,
    StoreOutcome,
    StoreSync,
    TableRange,
)
from brownie_backup.operations import (
    WorkerFactory,
    apply_retention,
    compare_with_database,
    create_backup,
    delete_backup,
    diagnose,
    hold_backup,
    list_backups,
    release_backup,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.protocols import Cache, Compressor, Dumper, Encryptor, Store
from brownie_backup.repository import Repository
from brownie_backup.retention import plan_retention
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.secret import Secret

__all__ = [
    "Backup",
    "BackupError",
    "BackupReport",
    "Cache",
    "Comparison",
    "Compressor",
    "CountProgress",
    "DatabaseId",
    "Dumper",
    "Encryptor",
    "Finding",
    "Hold",
    "Level",
    "Manifest",
    "PartProgress",
    "Problem",
    "Progress",
    "Repository",
    "RestoreOptions",
    "RestoreReport",
    "RestoredTable",
    "RetentionDecision",
    "RetentionPolicy",
    "RetentionReport",
    "Secret",
    "Status",
    "Store",
    "StoreOutcome",
    "StoreSync",
    "TableRange",
    "Verification",
    "WorkerFactory",
    "apply_retention",
    "compare_with_database",
    "create_backup",
    "delete_backup",
    "diagnose",
    "hold_backup",
    "list_backups",
    "plan_retention",
    "release_backup",
    "restore",
    "sync_backups",
    "verify_backup",
]
