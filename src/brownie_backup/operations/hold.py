"""Keep a backup regardless of the policy, until a date or until it is released."""

import contextlib
import getpass
import socket
from datetime import datetime

from brownie_backup.errors import (
    BackupNotFound,
    Busy,
    ConfigurationError,
    KeyNotFound,
)
from brownie_backup.hints import BackupHint
from brownie_backup.model import Hold
from brownie_backup.operations.find import manifest_of
from brownie_backup.repository import Lease, Repository
from brownie_backup.repository.catalogue.holds import add_hold, read_holds, remove_hold
from brownie_backup.repository.catalogue.identity import not_found
from brownie_backup.wording import written


def hold_backup(repository: Repository, name: str, *, until: datetime | None = None) -> Hold:
    """Protect a backup from deletion, by the policy or by its name.

    Args:
        repository: where it is.
        name: of the backup, or ``latest``.
        until: when the hold expires, UTC-aware; None for never. It replaces an earlier hold.

    Raises:
        BackupNotFound: no backup has that name.
        ConfigurationError: the hold would already have expired.
        Busy: a cleanup is running, or another process is deleting the backup.
    """
    now = repository.clock()
    if until is not None and until <= now:
        problem = f"a hold until {written(until)} would be over already"
        raise ConfigurationError([problem], hint=BackupHint.HOLD_LONGER)
    backup = repository.backup(name)
    manifest = manifest_of(backup, hint=BackupHint.KEPT_IN_ANY_CASE)
    hold = Hold(backup.name, manifest.id, now, _us(), until)
    with repository.shared_lease(f"hold of '{backup.name}'", backup=backup.name) as lease:
        earlier = read_holds(repository.store, now).get(backup.name)
        add_hold(repository.store, hold)
        try:
            _ensure_undeleted(repository, lease, hold)
        except BaseException:
            if not _is_there(repository, hold):
                pass  # another process's hold is
            elif earlier:
                add_hold(repository.store, earlier)
            else:
                remove_hold(repository.store, backup.name)
            raise
    return hold


def release_backup(repository: Repository, name: str) -> bool:
    """End the hold of a backup; return whether there was one.

    Raises:
        BackupNotFound: there is no backup of that name, and no hold.
        Busy: a cleanup is running, or another process is holding or deleting the backup.
    """
    held = name in read_holds(repository.store, repository.clock())
    if not held and not repository.exists(name):
        raise not_found(repository.store, f"backup named '{name}'")
    with repository.shared_lease(f"release of '{name}'", backup=name) as lease:
        lease.ensure_held()  # or another process may hold it again by now
        remove_hold(repository.store, name)
    return held


def _ensure_undeleted(repository: Repository, lease: Lease, hold: Hold) -> None:
    """Raise if the backup is gone, or another process may be about to delete it.

    A deletion first writes its lease, and then looks for a hold. We look for the lease after we
    have written the hold. So one of the two sees the other.
    """
    name, url = hold.backup, repository.store.url
    lease.ensure_held()
    at_work = [r for r in repository.leases() if r.backup == name and not r.expired(lease.now())]
    # A deletion whose lease counts as the earlier may be done already: we have waited for it.
    if len(at_work) > 1 or not _is_there(repository, hold):
        msg = f"another process is holding, releasing or deleting '{name}' in {url}"
        raise Busy(msg, hint=BackupHint.TRY_AGAIN)
    try:
        there = repository.manifest(name).id == hold.manifest_id
    except KeyNotFound:
        there = False
    if not there:
        msg = f"'{name}' has just been deleted from {url}"
        raise BackupNotFound(msg, hint=BackupHint.LIST_BACKUPS)


def _is_there(repository: Repository, hold: Hold) -> bool:
    return read_holds(repository.store, hold.held_at).get(hold.backup) == hold


def _us() -> str:
    user = "somebody"
    with contextlib.suppress(ImportError, KeyError, OSError):  # a container's user has no name
        user = getpass.getuser()
    return f"{user} on {socket.gethostname()}"
