"""Data keys in a store: each in an object of its own, wrapped for all recipients of its ring.

An object is written and read back before the first blob that needs it. It is never changed: other
recipients mean another object beside it.
"""

import base64
import binascii
import contextlib
import hashlib
from collections.abc import Iterable, Iterator

from attrs import frozen

from brownie_backup.errors import DamagedError, KeyExists, KeyNotFound, StoreError
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import (
    KEY_RINGS,
    KEYS,
    data_key_object,
    data_key_objects,
    is_foreign,
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
    return KeyObject(ring.id, tuple(stanzas))


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
    for found in store.list(data_key_objects(key_id)):
        if not _is_ours(found.key):
            continue
        try:
            stored = from_json(get_object(store, found.key), KeyObject, found.key)
        except (KeyNotFound, DamagedError):
            continue
        if recipients_digest(stored.stanzas) == name_in(found.key):
            yield from _unpacked(stored.stanzas)


def _unpacked(stanzas: Iterable[Stanza]) -> Iterator[WrappedKey]:
    for stanza in stanzas:
        try:
            wrapped = base64.b64decode(stanza.wrapped, validate=True)
        except (binascii.Error, ValueError):
            continue
        yield WrappedKey(Recipient(stanza.kind, stanza.ref), wrapped)


def copy_keys(target: Store, sources: Iterable[Store]) -> None:
    """Copy the data keys that a store lacks, before blobs that may need them are copied."""
    there = {found.key for found in target.list(KEYS)}
    for source in sources:
        for found in source.list(KEYS):
            if found.key in there or not _is_ours(found.key):
                continue
            with contextlib.suppress(KeyExists, KeyNotFound):
                target.put(
                    found.key, get_object(source, found.key), if_absent=True, use=ObjectUse.BACKUP
                )
            there.add(found.key)


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


def _is_ours(key: str) -> bool:
    _, key_id, _ = (*key.split("/"), "", "")[:3]
    return not is_foreign(key, lambda name: data_key_object(key_id, name))
