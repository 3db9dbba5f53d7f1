"""The replicas of a run, side by side.

A slow or failing store never costs the others a backup. It is left behind, and later gets its
missing blobs by copying from another store, when the database is no longer needed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from typing import TypeVar

from brownie_backup.concurrency.background import begin, release_all
from brownie_backup.errors import BackupError, BackupExists, Busy, StoreError, StoreUnavailable
from brownie_backup.model import Attempt, Manifest
from brownie_backup.pipeline.replica import Look, Replica, ReplicaState
from brownie_backup.repository import Identity, Repository, Tuning
from brownie_backup.repository.keys.envelope import Envelope, RunKey, ensure_usable, make_run_key
from brownie_backup.repository.keys.objects import put_key
from brownie_backup.repository.keys.ring import adopt_ring, ensure_ring, fits, read_ring
from brownie_backup.tracing import step

T = TypeVar("T")


class ReplicaSet:
    """The stores of a run, in order of priority. Thread-safe."""

    def __init__(self, replicas: Iterable[Replica]) -> None:
        self._replicas = tuple(replicas)

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas)

    def ensure_any(self) -> None:
        """Raise the first store's error if all have failed."""
        if all(replica.problem for replica in self._replicas):
            raise next(replica.problem for replica in self._replicas if replica.problem)

    def merge(self, states: Iterable[ReplicaState]) -> None:
        """Take in what a worker has learnt about the stores, in their order."""
        for replica, state in zip(self._replicas, states, strict=False):
            replica.merge(state)

    def find(self, name: str) -> Mapping[Replica, int | None]:
        """Return the size that a blob has in each store; see `BlobIndex.find`."""
        return self._each(lambda replica: replica.blobs.find(name), self._replicas)

    def list_blobs(self) -> None:
        """List all blobs, where that was not done, before many are looked up."""
        self._each(lambda replica: replica.blobs.list_blobs(), self._replicas)

    def keep(self, name: str, replicas: Iterable[Replica]) -> None:
        """Lock a blob, in the stores that have it, for as long as a new one would be."""
        self._each(lambda replica: replica.blobs.keep(name), replicas)

    def put(
        self, name: str, packed: bytes, found: Mapping[Replica, int | None]
    ) -> Mapping[Replica, tuple[int, bool]]:
        """Store a blob where it was not found; return `BlobIndex.put`'s result per store."""
        return self._each(
            lambda replica: replica.blobs.put(name, packed, replace=found[replica] == 0),
            [replica for replica in found if not found[replica]],
        )

    def agree_on_identity(self) -> Identity:
        """Return the identity that names blobs in all stores: that of the first store with one.

        A store without an identity gets it too. So it is a repository of its own, and a later run
        without the other stores can reuse its blobs.
        """
        found = tuple(self._in_turn(Replica.known_identity))
        known = next((each for each in found if each), None)
        agreed = known or next(self._in_turn(Replica.identity))
        for _ in self._in_turn(lambda replica: replica.identity(agreed)):
            pass
        return agreed

    def new_run_key(self, envelope: Envelope, identity: Identity) -> RunKey:
        """Return a new data key for the run, which is in all stores before any of its blobs.

        The key ring is that of the first store with one for the configured recipients; the others
        get it too. A copy that has a ring with other recipients is left behind.
        """
        sources = envelope.sources
        found = tuple(self._in_turn(lambda replica: read_ring(replica.repository.store)))
        fitting = (each for each in found if each and fits(each, sources))
        known = found[0] or next(fitting, None)
        if known is None:
            ensure_usable(sources, identity.id)
        ring, wrappers = next(
            self._in_turn(lambda r: ensure_ring(r.repository.store, sources, known))
        )
        run_key = make_run_key(ring, wrappers, identity.id)

        def keep(replica: Replica) -> None:
            adopt_ring(replica.repository.store, ring)
            put_key(replica.repository.store, run_key.id, run_key.wrapped)

        for _ in self._in_turn(keep):
            pass
        return run_key

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is strange about the stores, although they took the backup."""
        return tuple(each.strange for each in self._replicas if each.strange and each.stored)

    def publish(self, manifest: Manifest) -> None:
        """Make the backup exist in every possible store, first where nothing has to be copied.

        Raises:
            BackupError: it failed in every store.
        """
        lacking = {r: r.problem is not None or not r.has(manifest.blobs) for r in self._replicas}
        for replica in sorted(self._replicas, key=lacking.__getitem__):
            others = [
                other
                for other in sorted(self._replicas, key=lambda each: not each.stored)
                if other is not replica and other.readable
            ]
            replica.publish(manifest, others)
        if not any(replica.stored for replica in self._replicas):
            self.ensure_any()

    def rejoin(self) -> None:
        """Open failed stores again: a store may be back by now."""
        for replica in self._replicas:
            if replica.problem:
                replica.rejoin()

    def _in_turn(self, call: Callable[[Replica], T]) -> Iterator[T]:
        """Yield the result of a call for each store; a store whose call raises is left behind."""
        for replica in self._replicas:
            if replica.problem:
                continue
            try:
                result = call(replica)
            except BackupError as error:
                if len(self._replicas) == 1:
                    raise
                replica.drop(error)
            else:
                yield result
        self.ensure_any()

    def _each(self, call: Callable[[Replica], T], replicas: Iterable[Replica]) -> dict[Replica, T]:
        """Do something in several stores that are still in the run; return the results.

        A store that fails leaves the run; when none is left, the first store's error is raised. No
        thread waits for another store's call for long.
        """
        if len(self._replicas) == 1:
            return {replica: call(replica) for replica in replicas}
        futures = {r: begin(partial(call, r)) for r in replicas if r.problem is None}
        results = _gather(futures, self._replicas[0].repository.tuning)
        self.ensure_any()
        return {replica: results[replica] for replica in futures if replica in results}


def _gather(futures: Mapping[Replica, Future[T]], tuning: Tuning) -> dict[Replica, T]:
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
            until = began + took + max(tuning.grace_seconds, tuning.grace_factor * took)
    for future in pending:
        late = StoreUnavailable(f"{replicas[future].url} is much slower than another store")
        replicas[future].drop(late, late=True)
    return results


@contextmanager
def open_replicas(
    repositories: Sequence[Repository],
    attempt: Attempt | None = None,
    looks: Sequence[Look] = (),
) -> Iterator[ReplicaSet]:
    """Open the repositories, the primary one first; those that can't be opened are left out.

    Args:
        repositories: the stores of the run.
        attempt: the backup that it makes, if it makes one.
        looks: for each repository, the function that is called with its backups.

    Raises:
        Busy: the primary one is busy and should get a backup: then nothing is done.
        BackupExists: the primary one has a backup of that name.
        BackupError: no store could be opened.
    """
    replicas = ReplicaSet(map(Replica, repositories))
    alone = len(repositories) == 1
    try:
        with step("open stores"):
            for number, (replica, look) in enumerate(zip_longest(replicas, looks)):
                try:
                    replica.open(attempt, look=look or _ignore, alone=alone)
                except BackupError as error:
                    refused = attempt and isinstance(error, (Busy, BackupExists))
                    if alone or (refused and number == 0):
                        raise
                    replica.drop(error)
            replicas.ensure_any()
        yield replicas
    finally:
        release_all([replica.release for replica in replicas])


def _ignore(_: object) -> None:
    """Look at no backup."""
