"""Getting small objects from a store, or from the cache."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from attrs import frozen

from brownie_backup.protocols import Cache, Store, StoredObject, get_object
from brownie_backup.repository.catalogue.packed import UNREADABLE, form

SETTLING = timedelta(seconds=10)
"""Stores record times by the second, so an object may be replaced by another of the same size and
time. An object is settled when another object was modified this much later: then it can no longer
be replaced by one of the same time. The margin is long, because a store's machines have clocks of
their own."""

LONG_AGO = timedelta(days=1)
"""An object older than this by our own clock is settled too: no clock is that wrong."""

T = TypeVar("T")


def settled_before(listed: Iterable[StoredObject], now: datetime) -> datetime:
    """Return the time before which objects must have been modified to be settled.

    Args:
        listed: objects of the same store, listed before the settled objects are read.
        now: by our own clock, which may differ from the store's.
    """
    newest = max((found.modified_at for found in listed), default=now - LONG_AGO)
    return max(newest - SETTLING, now - LONG_AGO)


@frozen
class RepositoryCache:
    """A cache's entries of one repository.

    Another repository may have the same URL: at another endpoint, on another disk mounted in the
    same place, or in the same place earlier. So the cache's keys contain the repository's id. They
    contain the form of the entries too: another version may read the same object differently.
    """

    cache: Cache
    repository_id: str

    def get_many(self, found: Iterable[StoredObject]) -> dict[str, bytes]:
        """Return the entries of exactly these objects, by their keys, as far as they are there."""
        entries = self.cache.get_many([self._scoped(each) for each in found])
        return {key[len(self._key("")) :]: entry for key, entry in entries.items()}

    def put(self, found: StoredObject, entry: bytes) -> None:
        """Cache the entry of an object."""
        self.cache.put(self._scoped(found), entry)

    def forget(self, key: str) -> None:
        """Forget an object."""
        self.cache.forget([self._key(key)])

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget all other objects, including those of other repositories."""
        self.cache.forget(self.cache.known() - set(map(self._key, keys)))

    def _scoped(self, found: StoredObject) -> StoredObject:
        return StoredObject(self._key(found.key), found.size_bytes, found.modified_at)

    def _key(self, key: str) -> str:
        return f"{self.repository_id}/{form()}/{key}"


@frozen
class CachedReader:
    """Reads objects that a listing found. Thread-safe.

    Args:
        store: where they are.
        memory: the cache, or None.
        settled_before: only objects modified before this are cached.
    """

    store: Store
    memory: RepositoryCache | None
    settled_before: datetime

    def entries(self, found: Iterable[StoredObject]) -> Mapping[str, bytes]:
        """Return the entries of objects in the cache, by their keys."""
        return self.memory.get_many(found) if self.memory else {}

    def recall(self, found: StoredObject, unpack: Callable[[bytes], T]) -> T | None:
        """Return the result of `unpack` on an object's entry; None if it has none."""
        return unpacked(self.entries((found,)).get(found.key), unpack)

    def read(
        self, found: StoredObject, read: Callable[[bytes], T], pack: Callable[[T], bytes]
    ) -> T:
        """Return the result of `read` on an object's bytes; `KeyNotFound` if it is gone.

        Bytes that `read` finds damaged are not cached.
        """
        value = read(get_object(self.store, found.key))
        if self.memory and found.modified_at <= self.settled_before:
            self.memory.put(found, pack(value))
        return value


def unpacked(entry: bytes | None, unpack: Callable[[bytes], T]) -> T | None:
    """Return the result of `unpack`; None if there is no entry, or none that can be read."""
    try:
        return None if entry is None else unpack(entry)
    except UNREADABLE:
        return None  # the object is read from the store again
