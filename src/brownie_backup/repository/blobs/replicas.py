"""ReplicaSet: the stores that one run writes to, side by side, and how each of them fares.

What one store lacks another has, so that a slow or failing store never costs the others a backup:
it is left behind, and gets what it misses by copying, when the database is no longer needed.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import TypeVar

from attrs import Factory, frozen

from brownie_backup.concurrency.background import begin
from brownie_backup.errors import BackupError, KeyExists, StoreError, StoreUnavailable
from brownie_backup.format.layout import BLOBS, blob_key, name_in
from brownie_backup.protocols import ObjectUse, Store, SupportsObjectLock

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""How long the quickest store waits for the others at least, with each blob."""
GRACE_FACTOR = 3.0
"""How many times as long as the quickest another store may take, before it is left behind."""

_log = logging.getLogger(__name__)


@frozen
class ReplicaState:
    """What a run knows of one of its stores, or one of its workers has learnt; picklable."""

    suspect_blobs: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = Factory(dict)
    complete: bool = True
    problem: BackupError | None = None
    late: bool = False


class Replica:
    """One store of a run. `suspect_blobs` names blobs in it that are known to be damaged."""

    def __init__(self, store: Store, suspect_blobs: Iterable[str] = ()) -> None:
        self.store = store
        self.suspect_blobs = {*suspect_blobs}
        self.sizes: dict[str, int] = {}
        """The sizes of whole blobs in it, at least of those that differ from a manifest's: what
        encrypts or compresses may give another length the next time."""
        self.complete = True
        """Whether it has every blob so far."""
        self.problem: BackupError | None = None
        """Why nothing more is written to it in this run."""
        self.listed: Mapping[str, int] = {}
        """Blobs that a listing of this run has shown: nobody removes one while the run lasts."""
        self.late = False
        """Whether it is well and only too slow, so that copying can catch up."""

    @property
    def state(self) -> ReplicaState:
        """What is known of it now."""
        return ReplicaState(
            frozenset(self.suspect_blobs), {**self.sizes}, self.complete, self.problem, self.late
        )

    def merge(self, state: ReplicaState) -> None:
        """Take in what somebody else has learnt, who works in the same run."""
        self.suspect_blobs &= state.suspect_blobs  # what is gone from it was stored again
        self.sizes.update(state.sizes)
        self.complete = self.complete and state.complete
        if state.problem:
            self.drop(state.problem, late=state.late)

    def set_sizes(self, sizes: Mapping[str, int]) -> None:
        """Take in what is in the store, by a listing of all its blobs."""
        self.sizes = {name: size for name, size in sizes.items() if name not in self.suspect_blobs}

    def find(self, name: str) -> int | None:
        """Return a blob's size; None if it is not there, 0 if what is there is to be replaced."""
        size = self._size(name)
        return 0 if size is not None and name in self.suspect_blobs else size

    def put(self, name: str, packed: bytes, *, replace: bool) -> tuple[int, bool]:
        """Store a blob; return its size and whether we did, or another client since we looked."""
        try:
            self.store.put(blob_key(name), packed, if_absent=not replace, use=ObjectUse.BACKUP)
        except KeyExists:
            return self._size(name) or len(packed), False
        self.suspect_blobs.discard(name)
        return len(packed), True

    def list_blobs(self) -> None:
        """Take in what is there, by one listing of all blobs."""
        self.listed = {name_in(found.key): found.size_bytes for found in self.store.list(BLOBS)}

    def keep(self, name: str) -> None:
        """Lock a blob that is used again for as long as a new one would be."""
        if isinstance(self.store, SupportsObjectLock):
            self.store.extend_lock(blob_key(name))

    def drop(self, problem: BackupError, *, late: bool = False) -> None:
        """Write nothing more to it, or when it is only `late`, not before the others are done."""
        self.complete = False
        if self.problem is None:
            # Its frames would keep blobs in memory.
            problem.__traceback__ = problem.__context__ = problem.__cause__ = None
            self.problem, self.late = problem, late
            _log.info("going on without %s: %s", self.store.url, problem)

    def _size(self, name: str) -> int | None:
        if name in self.listed:
            return self.listed[name]
        key = blob_key(name)
        for found in self.store.list(key):
            if found.key == key:
                return found.size_bytes
        return None


class ReplicaSet:
    """The stores of a run, in the order in which they count. Thread-safe."""

    def __init__(self, replicas: tuple[Replica, ...]) -> None:
        self._shelves = replicas

    def merge(self, states: Iterable[ReplicaState]) -> None:
        """Take in what somebody else has learnt of the stores, in their order."""
        for replica, state in zip(self._shelves, states, strict=False):
            replica.merge(state)

    def find(self, name: str) -> Mapping[Replica, int | None]:
        """Return the size that a blob has in each store."""
        return self._each(lambda replica: replica.find(name), self._shelves)

    def list_blobs(self) -> None:
        """List all blobs at once, when many are about to be looked for."""
        self._each(Replica.list_blobs, self._shelves)

    def keep(self, name: str, replicas: Iterable[Replica]) -> None:
        """Lock a blob, in the stores that have it, for as long as a new one would be."""
        self._each(lambda replica: replica.keep(name), replicas)

    def put(
        self, name: str, packed: bytes, found: Mapping[Replica, int | None]
    ) -> Mapping[Replica, tuple[int, bool]]:
        """Store a blob where it was not found; return what `Replica.put` says of each store."""
        return self._each(
            lambda replica: replica.put(name, packed, replace=found[replica] == 0),
            [replica for replica in found if not found[replica]],
        )

    def _each(self, call: Callable[[Replica], T], replicas: Iterable[Replica]) -> dict[Replica, T]:
        """Do something in several stores that are still in the run; return what came of it.

        One that fails is not in the run any more; when no store is, the first one's error is
        raised. No thread waits for another store's call for long.
        """
        if len(self._shelves) == 1:
            return {replica: call(replica) for replica in replicas}
        futures = {s: begin(partial(call, s)) for s in replicas if s.problem is None}
        results = self._gather(futures)
        if all(replica.problem for replica in self._shelves):
            raise next(replica.problem for replica in self._shelves if replica.problem)
        return {replica: results[replica] for replica in futures if replica in results}

    def _gather(self, futures: Mapping[Replica, Future[T]]) -> dict[Replica, T]:
        """Wait for all; once one is done, for the others only so long."""
        began = time.monotonic()
        results: dict[Replica, T] = {}
        replicas = {future: replica for replica, future in futures.items()}
        pending = {*replicas}
        until: float | None = None
        while pending:
            left = None if until is None else max(0.0, until - time.monotonic())
            done, pending = wait(pending, left, FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                try:
                    results[replicas[future]] = future.result()
                except StoreError as error:
                    replicas[future].drop(error)
            if results and until is None:
                took = time.monotonic() - began
                until = began + took + max(GRACE_SECONDS, GRACE_FACTOR * took)
        for future in pending:
            url = replicas[future].store.url
            late = StoreUnavailable(f"{url} is much slower than another store")
            replicas[future].drop(late, late=True)
        return results
