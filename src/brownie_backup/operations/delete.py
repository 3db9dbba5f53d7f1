"""Delete a backup by name."""

from brownie_backup.errors import (
    BackupNotFound,
    DamagedError,
    DeletionRefused,
    KeyNotFound,
    UnsupportedFormat,
)
from brownie_backup.model import Manifest
from brownie_backup.repository import Repository
from brownie_backup.repository.holds import forget_attempt, hold_of, read_holds


def delete_backup(repository: Repository, name: str) -> None:
    """Make a backup not exist. What it alone held is freed by the next cleanup.

    Only a whole name will do, never ``latest``; a damaged backup can be deleted too.

    Raises:
        BackupNotFound: there is none of that name.
        DeletionRefused: somebody holds it.
        ObjectLocked: the store does not let it go yet.
        Busy: a sweep is running, or somebody holds or releases it just now.
    """
    if not repository.exists(name):
        msg = f"there is no backup named '{name}' in {repository.store.url}"
        raise BackupNotFound(msg, hint="See 'brownie-backup list'")
    with repository.shared_lease(f"deletion of '{name}'", backup=name) as lease:
        manifest = _manifest(repository, name)
        # By the store's clock: ours may be years ahead.
        hold = hold_of(name, manifest, read_holds(repository.store, lease.now()))
        if hold is not None:
            msg = f"'{name}' is {hold}"
            raise DeletionRefused(msg, hint=f"First: brownie-backup release {name}")
        repository.remove(name)
        if manifest is not None:
            forget_attempt(repository.store, manifest)


def _manifest(repository: Repository, name: str) -> Manifest | None:
    try:
        return repository.manifest(name)
    except (DamagedError, KeyNotFound, UnsupportedFormat):
        return None
