"""Delete a backup by name."""

from brownie_backup.errors import BackupNotFound
from brownie_backup.repository import Repository


def delete_backup(repository: Repository, name: str) -> None:
    """Make a backup not exist. What it alone held is freed by the next cleanup.

    Only a whole name will do, never ``latest``; a damaged backup can be deleted too.

    Raises:
        BackupNotFound: there is none of that name.
        Busy: a sweep is running.
    """
    if not repository.exists(name):
        msg = f"there is no backup named '{name}' in {repository.store.url}"
        raise BackupNotFound(msg, hint="See 'brownie-backup list'")
    with repository.shared_lease(f"deletion of '{name}'"):
        repository.remove(name)
