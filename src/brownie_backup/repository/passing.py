"""A store that passes every call on to another one: the base of those that add something."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from brownie_backup.format.blobs import MAX_BLOB_BYTES
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import (
    ObjectUse,
    Store,
    StoredObject,
    SupportsClose,
    SupportsObjectLock,
    SupportsReserve,
    SupportsRetry,
)

T = TypeVar("T")


class PassingStore:
    """Passes calls on; what only some stores can do is passed on if the inner store can do it."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    @property
    def url(self) -> str:
        """The address of the inner store."""
        return self._inner.url

    @property
    def repeats_for_seconds(self) -> float:
        """For how long the inner store repeats a failed call."""
        return self._inner.repeats_for_seconds if isinstance(self._inner, SupportsRetry) else 0.0

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` in the inner store."""
        self._call(lambda: self._inner.put(key, data, if_absent=if_absent, use=use), len(data))

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the object from the inner store."""
        return self._call(lambda: self._inner.get(key, most_bytes), MAX_BLOB_BYTES)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object from the inner store."""
        self._call(lambda: self._inner.delete(key))

    def extend_lock(self, key: str) -> None:
        """Lock the object for longer, if the inner store has locks."""
        inner = self._inner
        if isinstance(inner, SupportsObjectLock):
            self._call(lambda: inner.extend_lock(key))

    def release_reserve(self) -> None:
        """Give the reserved space of the inner store back, if it has any."""
        if isinstance(self._inner, SupportsReserve):
            self._call(self._inner.release_reserve)

    def keep_reserve(self) -> None:
        """Let the inner store reserve space again."""
        if isinstance(self._inner, SupportsReserve):
            self._call(self._inner.keep_reserve)

    def close(self) -> None:
        """Let the inner store release the resources that it holds between calls."""
        if isinstance(self._inner, SupportsClose):
            self._inner.close()

    def _call(self, call: Callable[[], T], size_bytes: int = 0) -> T:
        """Make a call of the inner store, which sends or brings as many bytes."""
        del size_bytes
        return call()
