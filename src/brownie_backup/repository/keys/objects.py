"""Data keys in a store: each in an object of its own, wrapped for all recipients of its ring.

An object is written and read back before the first blob that needs it. It is never changed: other
recipients mean another object beside it.
"""

import base64
import binascii
import contextlib
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from brownie_backup.errors import DamagedError, KeyExists, KeyNotFound, ObjectArchived, StoreError
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import (
    KEY_RINGS,
    KEYS,
    data_key_object,
    data_key_objects,
    key_ring_in,
    name_in,
)
from brownie_backup.hints import StoreHint
from brownie_backup.model.keys import KeyContext, KeyObject, KeyRing, Recipient, Stanza
from brownie_backup.protocols import (
    KeyWrapper,
    ObjectUse,
    Store,
    SupportsObjectLock,
    get_object,
)

_log = logging.getLogger(__name__)


def wrap_key(
    ring: KeyRing, data_key: bytes, context: KeyContext, wrappers: Iterable[KeyWrapper]
) -> KeyObject:
    """Return a data key, wrapped for each recipient.

    Raises:
        EncryptionError: it could not be wrapped for one of them. Then there is no backup: each
            recipient that a backup names can open it.
    """
    stanzas = []
    for wrapper in wrappers:
        recipient = wrapper.recipient
        wrapped = base64.b64encode(wrapper.wrap(data_key, context)).decode()
        stanzas.append(Stanza(recipient.kind, recipient.ref, wrapped))
    return with_checksum(KeyObject(ring.id, tuple(stanzas)))


def with_checksum(key: KeyObject) -> KeyObject:
    """Return a key object with its checksum."""
    return evolve(key, checksum=_checksum(key))


def _checksum(key: KeyObject) -> str:
    lines = [key.ring, *(f"{each.kind} {each.ref} {each.wrapped}" for each in key.stanzas)]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def has_key(store: Store, key_id: str) -> bool:
    """Whether a store has a data key as it was stored, by its checksum."""
    return any(_is_sound(key) for key in _stored(store, key_id))


def _is_sound(key: KeyObject) -> bool:
    return key.checksum == _checksum(key)


def put_key(store: Store, key_id: str, key: KeyObject) -> None:
    """Store a data key, and read it back: without it, no blob could be opened.

    Raises:
        StoreError: the store did not take it, or returns other bytes.
    """
    name, data = data_key_object(key_id, recipients_digest(key.stanzas)), to_json(key)
    try:
        store.put(name, data, if_absent=True, use=ObjectUse.BACKUP)
    except (
        KeyExists
    ):  # it was wrapped for the same recipients before, and looks different each time
        same = _recipients(get_object(store, name), name) == _recipients(data, name)
    else:
        same = get_object(store, name) == data
    if not same:
        msg = f"{store.url} returns another data key than the one that was stored"
        raise StoreError(msg, hint=StoreHint.DO_NOT_USE)


def _recipients(data: bytes, name: str) -> tuple[str, frozenset[Recipient]]:
    key = from_json(data, KeyObject, name)
    return key.ring, frozenset(Recipient(each.kind, each.ref) for each in key.stanzas)


def recipients_digest(stanzas: Iterable[Stanza]) -> str:
    """Return a name for the recipients of these stanzas."""
    lines = sorted(f"{stanza.kind} {stanza.ref}\n" for stanza in stanzas)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@frozen
class WrappedKey:
    """A data key as it was wrapped for one recipient."""

    recipient: Recipient
    wrapped: bytes


def wrapped_keys(store: Store, key_id: str) -> Iterator[WrappedKey]:
    """Yield what a store has of a data key, without what cannot be read."""
    for key in _stored(store, key_id):
        yield from _unpacked(key.stanzas)


def _stored(store: Store, key_id: str) -> Iterator[KeyObject]:
    for found in store.list(data_key_objects(key_id)):
        if not _is_ours(found.key):
            continue
        try:
            key = from_json(get_object(store, found.key), KeyObject, found.key)
        except (KeyNotFound, DamagedError, ObjectArchived):
            continue
        if recipients_digest(key.stanzas) == name_in(found.key):
            yield key


def _unpacked(stanzas: Iterable[Stanza]) -> Iterator[WrappedKey]:
    for stanza in stanzas:
        try:
            wrapped = base64.b64decode(stanza.wrapped, validate=True)
        except (binascii.Error, ValueError):
            continue
        yield WrappedKey(Recipient(stanza.kind, stanza.ref), wrapped)


def copy_keys(target: Store, sources: Iterable[Store], *, mend: bool = False) -> None:
    """Copy the data keys that a store lacks, before blobs that may need them are copied.

    One that cannot be read, or was changed, is not copied; the others are.

    Args:
        target: the store to copy to.
        sources: the stores to copy from.
        mend: replace also what is damaged in the target, which means that each one is read.
    """
    there = {found.key for found in target.list(KEYS) if _is_ours(found.key)}
    whole = {key for key in there if not mend or _sound_bytes(target, key)}
    for source in sources:
        for found in source.list(KEYS):
            if found.key in whole or not _is_ours(found.key):
                continue
            data = _sound_bytes(source, found.key)
            if data is None:
                _log.warning("'%s' in %s is damaged, and is not copied", found.key, source.url)
                continue
            with contextlib.suppress(KeyExists):
                if_absent = found.key not in there
                target.put(found.key, data, if_absent=if_absent, use=ObjectUse.BACKUP)
            whole.add(found.key)


def extend_locks(store: Store) -> None:
    """Lock all data keys for as long as new ones would be, if the store has locks.

    A backup that reuses blobs may need any of them, for as long as it is locked itself.
    """
    if not isinstance(store, SupportsObjectLock):
        return
    for found in (*store.list(KEYS), *store.list(KEY_RINGS)):
        if _is_ours(found.key) or key_ring_in(found.key) is not None:
            with contextlib.suppress(KeyNotFound):
                store.extend_lock(found.key)


def _sound_bytes(store: Store, key: str) -> bytes | None:
    """Return an object with a data key, if it is as it was stored."""
    try:
        data = get_object(store, key)
        return data if _is_sound(from_json(data, KeyObject, key)) else None
    except (KeyNotFound, DamagedError, ObjectArchived):
        return None


_OURS = re.compile(rf"{KEYS}([0-9a-f]{{64}})/([0-9a-f]{{64}})\.json")


def _is_ours(key: str) -> bool:
    return _OURS.fullmatch(key) is not None
