"""Getting small objects from a store, or from the cache."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from attrs import evolve, frozen

from brownie_backup.errors import DamagedError
from brownie_backup.protocols import Cache, Store, StoredObject, get_object

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
    same place, or in the same place earlier. So the cache's keys contain the repository's id.
    """

    cache: Cache
    repository_id: str

    def get(self, found: StoredObject) -> bytes | None:
        """Return the bytes of exactly that object, or None."""
        return self.cache.get(self._scoped(found))

    def put(self, found: StoredObject, data: bytes) -> None:
        """Cache the bytes of an object."""
        self.cache.put(self._scoped(found), data)

    def forget(self, key: str) -> None:
        """Forget an object."""
        self.cache.forget([self._key(key)])

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget all other objects, including those of other repositories."""
        self.cache.forget(self.cache.known() - {self._key(key) for key in keys})

    def _scoped(self, found: StoredObject) -> StoredObject:
        return evolve(found, key=self._key(found.key))

    def _key(self, key: str) -> str:
        return f"{self.repository_id}/{key}"


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

    def get(self, found: StoredObject, read: Callable[[bytes], T]) -> T:
        """Return the result of `read` on an object's bytes; `KeyNotFound` if it is gone.

        Bytes that `read` finds damaged are not cached. If they came from the cache, they are read
        from the store again.
        """
        if self.memory is None:
            return read(get_object(self.store, found.key))
        data = self.memory.get(found)
        if data is not None:
            try:
                return read(data)
            except DamagedError:
                pass  # the cached copy is damaged, as far as one can tell
        data = get_object(self.store, found.key)
        value = read(data)
        if found.modified_at <= self.settled_before:
            self.memory.put(found, data)
        return value
