"""List backups."""

from brownie_backup.model import Backup
from brownie_backup.repository import Repository


def list_backups(repository: Repository, *, check_blobs: bool = True) -> tuple[Backup, ...]:
    """Return every backup in the store, newest first, with what is known of its health.

    Args:
        repository: where they are.
        check_blobs: also list the store's blobs, to see that all are there in full length.
    """
    return repository.backups(check_blobs=check_blobs)
