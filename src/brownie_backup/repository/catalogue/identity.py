"""The identity of a repository, assigned once and recovered if its object is lost."""

import contextlib
import logging
import secrets
import uuid
from collections.abc import Callable
from functools import partial

from attrs import field, frozen

from brownie_backup.errors import (
    BackupError,
    BackupNotFound,
    DamagedError,
    KeyExists,
    KeyNotFound,
    ObjectArchived,
)
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import IDENTITY, MANIFESTS, name_in
from brownie_backup.hints import BackupHint
from brownie_backup.protocols import ObjectUse, RepositoryRecord, Store, get_object
from brownie_backup.repository.catalogue.manifests import read_manifest

_log = logging.getLogger(__name__)


@frozen
class Identity:
    """The identity of a repository: its id, and the key of its blobs' names.

    The key is no secret to anyone with read access to the store. It hides from all others whether a
    guessed content is stored. Every manifest repeats it, so that no backup depends on this object.
    """

    id: str
    hash_key: str = field()

    @hash_key.validator
    def _is_hexadecimal(self, _: object, value: str) -> None:
        bytes.fromhex(value)


Recover = Callable[[], Identity | None]
"""Returns the identity that a manifest repeats."""


def read_identity(store: Store) -> Identity:
    """Return the identity from its object; raise `KeyNotFound` or `DamagedError` if that fails."""
    return from_json(get_object(store, IDENTITY), Identity, IDENTITY)


def known_identity(store: Store, recover: Recover | None = None) -> Identity | None:
    """Return the repository's identity, or None if it was never used.

    Args:
        store: where the repository is.
        recover: returns the identity from its manifests, if the caller has read them already.
    """
    recover = recover or partial(_recovered, store)
    try:
        return read_identity(store)
    except KeyNotFound:
        return recover()
    except (DamagedError, ObjectArchived):
        if recovered := recover():
            return recovered
        raise


def ensure_identity(
    store: Store, proposed: Identity | None = None, recover: Recover | None = None
) -> Identity:
    """Return the repository's identity; assign the proposed one or a new one if it has none."""
    recover = recover or partial(_recovered, store)
    try:
        return read_identity(store)
    except KeyNotFound:
        new = proposed or Identity(str(uuid.uuid4()), secrets.token_bytes(32).hex())
        identity = recover() or new
    except (DamagedError, ObjectArchived):
        recovered = recover()
        if recovered is None:
            raise
        store.put(IDENTITY, to_json(recovered), use=ObjectUse.BACKUP)
        return recovered
    with contextlib.suppress(KeyExists):
        store.put(IDENTITY, to_json(identity), if_absent=True, use=ObjectUse.BACKUP)
        _probe(store, identity)
    return read_identity(store)


def is_unused(store: Store) -> bool:
    """Whether it is certain that no backup was ever made to a store."""
    try:
        return known_identity(store) is None
    except BackupError:
        return False


def not_found(store: Store, lacking: str) -> BackupNotFound:
    """Return the error for what a store lacks, such as "good backup".

    An address with a typo leads to a store that was never used: then that is what to check.
    """
    if is_unused(store):
        msg = f"there is no {lacking} in {store.url}, which has never been used"
        return BackupNotFound(msg, hint=BackupHint.CHECK_DESTINATION)
    return BackupNotFound(f"there is no {lacking} in {store.url}", hint=BackupHint.LIST_BACKUPS)


def strange(store: Store, record: RepositoryRecord | None, found: Identity | None) -> str:
    """Return why this may be the wrong store, as a sentence; empty if nothing suggests that.

    Args:
        store: where this host has made backups before, perhaps.
        record: which repository it had then.
        found: the identity that it has now.
    """
    expected = record.read() if record else None
    if record is None or expected is None or (found and found.id == expected):
        return ""
    now = f"it has the repository {found.id}" if found else "it has none"
    return (
        f"{store.url} had the repository {expected} when this host last backed up to it, and now "
        f"{now}. If its disk is not mounted, mount it and run again. If the store is meant to be "
        f"another one, delete {record.place}"
    )


def _probe(store: Store, identity: Identity) -> None:
    """Warn once, when a repository is created, if its store ignores create-if-absent."""
    store.put(IDENTITY, to_json(identity), if_absent=True, use=ObjectUse.BACKUP)
    _log.warning(
        "%s ignores create-if-absent: of two backups with one name the later would replace the "
        "other. Let only one host back up to it, and don't choose names",
        store.url,
    )


def _recovered(store: Store) -> Identity | None:
    """Return the identity from a manifest, if the object that holds it is lost."""
    for found in store.list(MANIFESTS):
        with contextlib.suppress(BackupError):
            backup = read_manifest(store, name_in(found.key))
            return Identity(backup.repository_id, backup.hash_key)
    return None
