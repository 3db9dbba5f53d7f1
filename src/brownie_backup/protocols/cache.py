"""A local cache of a store's objects."""

from collections.abc import Iterable
from typing import Protocol

from brownie_backup.protocols.store import StoredObject


class Cache(Protocol):
    """Caches small objects of stores on this machine, to save fetching them again.

    It may forget anything at any time, and never raises: the caller can always ask the store. Every
    method may be called from several threads at once.
    """

    def get(self, found: StoredObject) -> bytes | None:
        """Return the data cached for exactly this key, size and time, or None."""
        ...

    def put(self, found: StoredObject, data: bytes) -> None:
        """Cache `data`, replacing what was cached for that key."""
        ...

    def known(self) -> frozenset[str]:
        """Return the keys of all cached objects."""
        ...

    def forget(self, keys: Iterable[str]) -> None:
        """Forget the objects cached under these keys."""
        ...
