"""What is kept on this host about a store: copies of its objects, and its repository's id."""

from collections.abc import Collection, Iterable, Mapping
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

    def get_many(self, found: Collection[StoredObject]) -> Mapping[str, bytes]:
        """Return what `get` would return for several objects, by their keys, without the misses."""
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


class RepositoryRecord(Protocol):
    """This host's record of the repository that a store had.

    It shows that a disk is not mounted, or that a store was exchanged. It never raises: without it,
    nothing is known.
    """

    @property
    def place(self) -> str:
        """Where it is, for a person who wants to delete it."""
        ...

    def read(self) -> str | None:
        """Return the id of the repository, or None if none is known."""
        ...

    def write(self, identifier: str) -> None:
        """Keep the id of the repository."""
        ...
