"""List backups."""

from brownie_backup.model import Backup
from brownie_backup.model.reports import OnCount
from brownie_backup.repository import Repository


def list_backups(
    repository: Repository, *, check_blobs: bool = True, on_progress: OnCount | None = None
) -> tuple[Backup, ...]:
    """Return every backup in the store, newest first, with its known health.

    Args:
        repository: where they are.
        check_blobs: also list the store's blobs, to check that all are there in full length.
        on_progress: called with the number of backups read, and the total.
    """
    return repository.backups(check_blobs=check_blobs, on_progress=on_progress)
