"""Shelves: the stores that one run writes to, side by side, and how each of them fares.

What one store lacks another has, so that a slow or failing store never costs the others a backup:
it is left behind, and gets what it misses by copying, when the database is no longer needed.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from brownie_backup.errors import BackupError, KeyExists, StoreError, StoreUnavailable
from brownie_backup.protocols import CanLock, Store
from brownie_backup.repository.layout import blob_key

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""How long the quickest store waits for the others at least, with each blob."""
GRACE_FACTOR = 3.0
"""How many times as long as the quickest another store may take, before it is left behind."""

_log = logging.getLogger(__name__)


class Shelf:
    """One store of a run. `distrusted` names blobs in it that are known to be damaged."""

    def __init__(self, store: Store, distrusted: frozenset[str] = frozenset()) -> None:
        self.store = store
        self.distrusted = distrusted
        self.complete = True
        """Whether it has every blob so far."""
        self.problem: BackupError | None = None
        """Why nothing more is written to it in this run."""
        self.late = False
        """Whether it is well and only too slow, so that copying can catch up."""

    def find(self, name: str) -> int | None:
        """Return a blob's size; None if it is not there, 0 if what is there is to be replaced."""
        size = self._size(name)
        return 0 if size is not None and name in self.distrusted else size

    def put(self, name: str, packed: bytes, *, replace: bool) -> tuple[int, bool]:
        """Store a blob; return its size and whether we did, or another client since we looked."""
        try:
            self.store.put(blob_key(name), packed, if_absent=not replace)
        except KeyExists:
            return self._size(name) or len(packed), False
        return len(packed), True

    def keep(self, name: str) -> None:
        """Lock a blob that is used again for as long as a new one would be."""
        if isinstance(self.store, CanLock):
            self.store.extend_lock(blob_key(name))

    def leave(self, problem: BackupError) -> None:
        """Write nothing more to it."""
        self.complete = False
        if self.problem is None:
            self.problem = problem
            _log.warning("going on without %s: %s", self.store.url, problem)

    def _size(self, name: str) -> int | None:
        key = blob_key(name)
        for found in self.store.list(key):
            if found.key == key:
                return found.size_bytes
        return None


class Shelves:
    """The stores of a run. Thread-safe; `workers` is how many threads of the run call it."""

    def __init__(self, shelves: tuple[Shelf, ...], workers: int) -> None:
        self._shelves = shelves
        self._pools = {
            shelf: ThreadPoolExecutor(workers, thread_name_prefix="store") for shelf in shelves
        }

    @classmethod
    @contextmanager
    def open(cls, shelves: tuple[Shelf, ...], workers: int) -> "Iterator[Shelves]":
        """Work with the shelves; afterwards no thread is at work on any of them."""
        opened = cls(shelves, workers)
        try:
            yield opened
        finally:
            for pool in opened._pools.values():
                pool.shutdown(cancel_futures=True)

    def find(self, name: str) -> Mapping[Shelf, int | None]:
        """Return the size that a blob has in each store."""
        return self._each(lambda shelf: shelf.find(name))

    def keep(self, name: str) -> None:
        """Lock a blob in each store for as long as a new one would be."""
        self._each(lambda shelf: shelf.keep(name))

    def put(
        self, name: str, packed: bytes, found: Mapping[Shelf, int | None]
    ) -> Mapping[Shelf, tuple[int, bool]]:
        """Store a blob that was looked for; return what `Shelf.put` says of each store."""
        return self._each(lambda shelf: shelf.put(name, packed, replace=found.get(shelf) == 0))

    def _each(self, call: Callable[[Shelf], T]) -> Mapping[Shelf, T]:
        """Do something in each store that is still in the run; the last one's error is raised."""
        active = [shelf for shelf in self._shelves if shelf.problem is None]
        if len(self._shelves) == 1:
            return {shelf: call(shelf) for shelf in self._shelves}
        futures = {self._pools[shelf].submit(call, shelf): shelf for shelf in active}
        results = self._gather(futures)
        if not results:
            problems = [shelf.problem for shelf in self._shelves if shelf.problem]
            raise problems[0]
        return results

    def _gather(self, futures: Mapping[Future[T], Shelf]) -> dict[Shelf, T]:
        """Wait for all; once one is done, for the others only so long."""
        began = time.monotonic()
        results: dict[Shelf, T] = {}
        pending = {*futures}
        until: float | None = None
        while pending:
            left = None if until is None else max(0.0, until - time.monotonic())
            done, pending = wait(pending, left, FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                try:
                    results[futures[future]] = future.result()
                except StoreError as error:
                    futures[future].leave(error)
            if results and until is None:
                took = time.monotonic() - began
                until = began + took + max(GRACE_SECONDS, GRACE_FACTOR * took)
        for future in pending:
            future.cancel()
            shelf = futures[future]
            shelf.late = shelf.late or shelf.problem is None
            shelf.leave(StoreUnavailable(f"{shelf.store.url} is much slower than another store"))
        return results
