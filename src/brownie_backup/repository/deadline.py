"""A store whose calls end, so that a hanging store does not block the work with the others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen

from brownie_backup.concurrency.background import begin
from brownie_backup.errors import StoreUnavailable
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import StoreHint
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


@frozen
class Deadlines:
    """How long calls of a store may take."""

    answer_seconds: float = 180.0
    """One try of a call. A store that says nothing for longer hangs, as a network folder may for
    days."""
    slowest_bytes_per_second: int = 64 << 10
    """A put or get may take longer by what its bytes take on a line of this speed."""


_MOST_BYTES = 32 << 20  # the largest size of a blob
_BATCH = 1000


class DeadlineStore:
    """Passes calls on to another store, and gives up calls that do not end.

    The thread of a call that was given up stays behind, with the data it was storing. While there
    is such a thread, further calls fail at once, without waiting again.
    """

    def __init__(self, inner: Store, deadlines: Deadlines | None = None) -> None:
        self._inner = inner
        self._deadlines = deadlines or Deadlines()
        self._seconds = inner.repeats_for_seconds if isinstance(inner, SupportsRetry) else 0.0
        self._hanging: list[Future[Any]] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address of the inner store."""
        return self._inner.url

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
        return self._call(lambda: self._inner.get(key, most_bytes), _MOST_BYTES)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        found = self._inner.list(prefix)
        while batch := self._call(lambda: tuple(islice(found, _BATCH))):
            yield from batch

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
        inner = self._inner
        if isinstance(inner, SupportsReserve):
            self._call(inner.release_reserve)

    def keep_reserve(self) -> None:
        """Let the inner store reserve space again."""
        inner = self._inner
        if isinstance(inner, SupportsReserve):
            self._call(inner.keep_reserve)

    def close(self) -> None:
        """Let the inner store release the resources that it holds between calls."""
        if isinstance(self._inner, SupportsClose):
            self._inner.close()

    def _call(self, call: Callable[[], T], size_bytes: int = 0) -> T:
        with self._lock:
            self._hanging = [future for future in self._hanging if not future.done()]
            if self._hanging:
                raise self._no_answer()
        future = begin(call)
        tries = self._deadlines.answer_seconds + self._seconds
        try:
            wait([future], tries + size_bytes / self._deadlines.slowest_bytes_per_second)
        finally:  # whoever is interrupted will not wait for what is only to be tidied up
            if not future.done():
                with self._lock:
                    self._hanging.append(future)
        if not future.done():
            raise self._no_answer()
        return future.result()

    def _no_answer(self) -> StoreUnavailable:
        msg = f"{self.url} does not answer"
        return StoreUnavailable(msg, hint=StoreHint.CHECK_DISK_OR_NETWORK)


def with_deadline(store: Store, deadlines: Deadlines | None = None) -> DeadlineStore:
    """Return the store, watched once."""
    return store if isinstance(store, DeadlineStore) else DeadlineStore(store, deadlines)
