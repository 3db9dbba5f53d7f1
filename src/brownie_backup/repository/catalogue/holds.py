"""Holds and attempts: small objects beside the backups that protect backups from deletion."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import DamagedError, KeyNotFound, ObjectArchived
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import HOLDS, attempt_key, hold_key, is_foreign, name_in
from brownie_backup.model import Attempt, Hold, Kind, Manifest
from brownie_backup.protocols import Store, StoredObject, get_object
from brownie_backup.repository.replacement import put_replaceable

_ANY = ""
"""In place of a manifest's id: the hold applies to any backup of its name."""


def read_holds(store: Store, now: datetime) -> dict[str, Hold]:
    """Return every hold that is in force, by the name of its backup.

    A hold that can't be read never expires and applies to any backup of its name: fail closed. No
    cache answers for the store here.
    """
    with thread_pool() as threads:
        ours = (found for found in store.list(HOLDS) if not is_foreign(found.key, hold_key))
        holds = tuple(threads.each(partial(_read_hold, store), ours))
    return {hold.backup: hold for hold in holds if hold and hold.counts(now)}


def read_hold(store: Store, name: str, manifest: Manifest | None, now: datetime) -> Hold | None:
    """Return the hold of one backup, if it is in force."""
    key = hold_key(name)
    holds = (_read_hold(store, found) for found in store.list(key) if found.key == key)
    return hold_of(
        name, manifest, {hold.backup: hold for hold in holds if hold and hold.counts(now)}
    )


def _read_hold(store: Store, found: StoredObject) -> Hold | None:
    name = name_in(found.key)
    try:
        hold = from_json(get_object(store, found.key), Hold, found.key)
    except KeyNotFound:
        return None
    except (DamagedError, ObjectArchived):
        hold = None
    if hold is None or hold.backup != name:
        return Hold(name, _ANY, found.modified_at, "an unknown user (the hold cannot be read)")
    return hold


def hold_of(name: str, manifest: Manifest | None, holds: Mapping[str, Hold]) -> Hold | None:
    """Return the hold of a backup, unless it belongs to an earlier backup of the same name."""
    hold = holds.get(name)
    if hold and manifest and hold.manifest_id not in {_ANY, manifest.id}:
        return None
    return hold


def add_hold(store: Store, hold: Hold) -> None:
    """Store a hold, replacing an earlier one."""
    store.put(hold_key(hold.backup), to_json(hold))


def remove_hold(store: Store, name: str) -> None:
    """Remove the hold of a backup, if there is one."""
    store.delete(hold_key(name))


def add_attempt(store: Store, attempt: Attempt) -> None:
    """Store an attempt, replacing an earlier one of that database and kind.

    `ObjectLocked` if the store lets nothing be replaced: it could take no further backup.
    """
    put_replaceable(store, attempt_key(attempt.database, attempt.kind), to_json(attempt))


def read_attempt(store: Store, database: str, kind: str = Kind.LOGICAL) -> Attempt | None:
    """Return the last attempt of a kind for databases of that name.

    `DamagedError` if it can't be read.
    """
    key = attempt_key(database, kind)
    try:
        return from_json(get_object(store, key), Attempt, key)
    except KeyNotFound:
        return None


def forget_attempt(store: Store, manifest: Manifest) -> None:
    """Remove the last attempt, if it made that backup: its deletion is intended."""
    with contextlib.suppress(DamagedError):
        whose = manifest.backup_set
        attempt = read_attempt(store, whose.name, whose.kind)
        if attempt and attempt.backup == manifest.name:
            store.delete(attempt_key(attempt.database, attempt.kind))
