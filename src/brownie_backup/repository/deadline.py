"""A store whose calls end, so that a hanging store does not block the work with the others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen

from brownie_backup.concurrency.background import begin
from brownie_backup.errors import StoreUnavailable
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Store, StoredObject
from brownie_backup.repository.passing import PassingStore

T = TypeVar("T")


@frozen
class Deadlines:
    """How long calls of a store may take."""

    answer_seconds: float = 180.0
    """One try of a call. A store that says nothing for longer hangs, as a network folder may for
    days."""
    slowest_bytes_per_second: int = 64 << 10
    """A put or get may take longer by what its bytes take on a line of this speed."""


_BATCH = 1000


class DeadlineStore(PassingStore):
    """Passes calls on to another store, and gives up calls that do not end.

    The thread of a call that was given up stays behind, with the data it was storing. While there
    is such a thread, further calls fail at once, without waiting again.
    """

    def __init__(self, inner: Store, deadlines: Deadlines | None = None) -> None:
        super().__init__(inner)
        self._deadlines = deadlines or Deadlines()
        self._hanging: list[Future[Any]] = []
        self._lock = threading.Lock()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        found = super().list(prefix)
        while batch := self._call(lambda: tuple(islice(found, _BATCH))):
            yield from batch

    def _call(self, call: Callable[[], T], size_bytes: int = 0) -> T:
        with self._lock:
            self._hanging = [future for future in self._hanging if not future.done()]
            if self._hanging:
                raise self._no_answer()
        future = begin(call)
        tries = self._deadlines.answer_seconds + self.repeats_for_seconds
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
