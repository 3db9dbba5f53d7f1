"""Delete a backup by name."""

from collections.abc import Sequence
from contextlib import ExitStack

from brownie_backup.errors import (
    BackupNotFound,
    DamagedError,
    DeletionRefused,
    KeyNotFound,
    UnsupportedFormat,
)
from brownie_backup.format.names import LATEST, LATEST_TOO
from brownie_backup.hints import BackupHint
from brownie_backup.model import Manifest
from brownie_backup.protocols import with_reserve
from brownie_backup.repository import Lease, Repository
from brownie_backup.repository.catalogue.holds import forget_attempt, hold_of, read_holds
from brownie_backup.repository.catalogue.identity import not_found


def delete_backup(repository: Repository, name: str, *, copies: Sequence[Repository] = ()) -> None:
    """Delete a backup. The next cleanup frees the blobs that only this backup used.

    The name must be complete, never ``latest``; a damaged backup can be deleted too. With copies,
    the backup is deleted from every store. If a store can't be reached, it is deleted from none,
    since a sync would bring it back.

    Raises:
        BackupNotFound: no backup has that name.
        DeletionRefused: the backup is held.
        ObjectLocked: the store does not allow its deletion yet.
        Busy: a sweep is running, or another process is holding or releasing it right now.
        StoreError: a store is out of reach.
    """
    holders = [each for each in (repository, *copies) if each.exists(name)]
    if not holders and name in {LATEST, LATEST_TOO}:
        msg = f"delete takes the name of a backup, not '{name}', which may be another one by now"
        raise BackupNotFound(msg, hint=BackupHint.NAME_ONE_BACKUP)
    if not holders:
        raise not_found(repository.store, f"backup named '{name}'")
    with ExitStack() as stack:
        stack.enter_context(with_reserve(holder.store for holder in holders))
        found = []
        for holder in holders:
            lease = stack.enter_context(holder.shared_lease(f"deletion of '{name}'", backup=name))
            found.append((holder, lease, _deletable(holder, name, lease)))
        for _, lease, _ in found:
            lease.ensure_held()
        for holder, lease, manifest in found:
            lease.ensure_fresh()  # or another process may hold it by now, or rely on it
            with lease.outlasting():
                holder.remove(name)
            if manifest is not None:
                forget_attempt(holder.store, manifest)


def _deletable(repository: Repository, name: str, lease: Lease) -> Manifest | None:
    """Return the manifest, if it can be read; raise if the backup must stay."""
    manifest = _manifest(repository, name)
    # Use the store's clock: ours may be years ahead.
    hold = hold_of(name, manifest, read_holds(repository.store, lease.now()))
    if hold is not None:
        msg = f"'{name}' is {hold}"
        raise DeletionRefused(msg, hint=BackupHint.RELEASE_FIRST(name=name))
    return manifest


def _manifest(repository: Repository, name: str) -> Manifest | None:
    try:
        return repository.manifest(name)
    except (DamagedError, KeyNotFound, UnsupportedFormat):
        return None
