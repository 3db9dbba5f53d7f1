"""What a machine remembers of a store."""

from collections.abc import Iterable
from typing import Protocol

from brownie_backup.protocols.store import StoredObject


class Cache(Protocol):
    """Remembers small objects of stores on this machine, so that they need not be got again.

    It may forget anything at any time, and never raises: whoever asks it can always ask the store.
    Every method may be called from several threads at once.
    """

    def get(self, found: StoredObject) -> bytes | None:
        """Return what was put for exactly this key, size and time, or None."""
        ...

    def put(self, found: StoredObject, data: bytes) -> None:
        """Remember `data`, in place of what was put for that key."""
        ...

    def known(self) -> frozenset[str]:
        """Return the keys that something is remembered for."""
        ...

    def forget(self, keys: Iterable[str]) -> None:
        """Forget what was put for these keys."""
        ...
