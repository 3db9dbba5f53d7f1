"""Getting small objects of a store, or remembering them."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from attrs import evolve, frozen

from brownie_backup.errors import DamagedError
from brownie_backup.protocols import Cache, Store, StoredObject

SETTLING = timedelta(seconds=10)
"""Stores tell times by the second, so an object may be replaced by another of the same size and
time. Only what was last modified so long before another object was is known not to be replaced
like that any more; so long, because a store's machines have clocks of their own."""

LONG_AGO = timedelta(days=1)
"""What is older than this by our own clock is settled too: that wrong no clock is."""

T = TypeVar("T")


def settled_before(listed: Iterable[StoredObject], now: datetime) -> datetime:
    """Return until when objects must have been modified to be settled.

    Args:
        listed: objects of the same store, listed before what is settled is got.
        now: by our own clock, which may differ from the store's.
    """
    newest = max((found.modified_at for found in listed), default=now - LONG_AGO)
    return max(newest - SETTLING, now - LONG_AGO)


@frozen
class RepositoryCache:
    """What a cache knows of one repository.

    Another one may have the same URL: at another endpoint, on another disk in the same place, or
    there before. So the id of the repository is in the cache's keys.
    """

    cache: Cache
    repository_id: str

    def get(self, found: StoredObject) -> bytes | None:
        """Return the bytes of exactly that object, or None."""
        return self.cache.get(self._scoped(found))

    def put(self, found: StoredObject, data: bytes) -> None:
        """Remember the bytes of an object."""
        self.cache.put(self._scoped(found), data)

    def forget(self, key: str) -> None:
        """Forget an object."""
        self.cache.forget([self._key(key)])

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget all but these, what is of other repositories too."""
        self.cache.forget(self.cache.known() - {self._key(key) for key in keys})

    def _scoped(self, found: StoredObject) -> StoredObject:
        return evolve(found, key=self._key(found.key))

    def _key(self, key: str) -> str:
        return f"{self.repository_id}/{key}"


@frozen
class CachedReader:
    """Gets objects that a listing found. Thread-safe.

    Args:
        store: where they are.
        memory: where they may be too, or None.
        settled_before: only what was modified before is remembered.
    """

    store: Store
    memory: RepositoryCache | None
    settled_before: datetime

    def get(self, found: StoredObject, read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of an object's bytes; `KeyNotFound` if it is gone since.

        What `read` calls damaged is not remembered, and if it was, it is got anew.
        """
        if self.memory is None:
            return read(self.store.get(found.key))
        data = self.memory.get(found)
        if data is not None:
            try:
                return read(data)
            except DamagedError:
                pass  # of the cache, as far as one can tell
        data = self.store.get(found.key)
        value = read(data)
        if found.modified_at <= self.settled_before:
            self.memory.put(found, data)
        return value
