"""The verbs, one file each.

They depend on protocols and the repository, never on an implementation.
"""

from brownie_backup.operations.compare import compare_with_database
from brownie_backup.operations.create import create_backup
from brownie_backup.operations.delete import delete_backup
from brownie_backup.operations.diagnose import diagnose
from brownie_backup.operations.hold import hold_backup, release_backup
from brownie_backup.operations.list import list_backups
from brownie_backup.operations.restore import restore
from brownie_backup.operations.retain import apply_retention
from brownie_backup.operations.sync import sync_backups
from brownie_backup.operations.verify import verify_backup
from brownie_backup.pipeline.workers import WorkerFactory

__all__ = [
    "WorkerFactory",
    "apply_retention",
    "compare_with_database",
    "create_backup",
    "delete_backup",
    "diagnose",
    "hold_backup",
    "list_backups",
    "release_backup",
    "restore",
    "sync_backups",
    "verify_backup",
]
