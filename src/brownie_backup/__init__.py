"""PostgreSQL backups that people can trust.

The verbs are functions of a `Repository` (a store, and how its blobs are compressed and encrypted)
and a `Dumper` (it reads the database and restores it)::

    from brownie_backup import create_backup, list_backups, open_repository
    from brownie_backup.dumpers import PostgresDumper

    database = PostgresDumper("postgresql://postgres@db.example.com/shop")
    with open_repository("s3://my-backups/shop", public_key="public.asc") as repository:
        report = create_backup(repository, database, labels={"by": "the nightly job"})
        print(report.manifest.name, report.new_bytes, "bytes stored")
        for backup in list_backups(repository):
            print(backup.name, backup.status)

`Repository` itself takes any store, compressor and encryptor, including your own.
`brownie_backup.config` makes all of these from the environment.
"""

from brownie_backup.config.opening import open_repository
from brownie_backup.errors import BackupError
from brownie_backup.model import Backup, DatabaseId, Hold, Manifest, Status, Verification
from brownie_backup.model.findings import Finding, Level, Problem
from brownie_backup.model.reports import (
    BackupReport,
    Comparison,
    CountProgress,
    PartProgress,
    Progress,
    RestoreOptions,
    RestoreReport,
    RetentionDecision,
    RetentionReport,
    StoreOutcome,
    StoreSync,
    TableRange,
)
from brownie_backup.model.restored import RestoredDatabase, RestoredTable
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
from brownie_backup.protocols import Cache, Compressor, Decryptor, Dumper, Encryptor, Store
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
    "Decryptor",
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
    "RestoredDatabase",
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
    "open_repository",
    "plan_retention",
    "release_backup",
    "restore",
    "sync_backups",
    "verify_backup",
]
