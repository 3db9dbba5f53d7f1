"""How memory and requests grow with the number of backups and blobs: by ratios, never by time.

`tests/benchmarks` has the same at full scale.
"""

import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import DAY, NOON, FakeClock, make_manifest, make_repository

from brownie_backup import Repository
from brownie_backup.caches import open_cache
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import BLOBS, blob_key, manifest_key
from brownie_backup.model import BlobRef, Part
from brownie_backup.pipeline.replica import Replica
from brownie_backup.protocols import StoredObject
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.once

FEW, MANY = 100, 500
EACH, NEW_EACH = 40, 10
ROOM = 1.2


class LazyStore(MemoryStore):
    """Lists without a copy of all that it has; blobs are there without being stored."""

    blobs: int = 0

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield what begins with `prefix`."""
        for key, (data, modified_at) in self._objects.items():
            if key.startswith(prefix):
                yield StoredObject(key, len(data), modified_at)
        for number in range(self.blobs if prefix == BLOBS else 0):
            yield StoredObject(blob_key(blob(number)), 1, NOON)


def blob(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def repository_of(backups: int) -> Repository:
    """Return one whose backups have most of their blobs in common with the one before."""
    clock = FakeClock(NOON + DAY * 30)
    store = LazyStore(clock)
    repository = make_repository(store, clock=clock)
    repository.identity()
    store.blobs = backups * NEW_EACH + EACH
    for number in range(backups):
        at = NOON + timedelta(minutes=number)
        first = number * NEW_EACH
        refs = tuple(BlobRef(blob(n), 16 << 20, 1) for n in range(first, first + EACH))
        manifest = make_manifest(f"b{number}", at, parts=(Part("archive", 1, refs),))
        store._objects[manifest_key(manifest.name)] = (manifest_to_bytes(manifest), at)
    return repository


@pytest.fixture(scope="module")
def few() -> Repository:
    return repository_of(FEW)


@pytest.fixture(scope="module")
def many() -> Repository:
    return repository_of(MANY)


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most memory that was in use while it worked, over what was before."""
    work()  # once for what is made at the first use
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def each(few: Repository, many: Repository, work: Callable[[Repository], object]) -> float:
    """Return how many bytes each further backup takes."""
    small, large = peak_bytes(lambda: work(few)), peak_bytes(lambda: work(many))
    assert large < small * MANY / FEW * ROOM
    return (large - small) / (MANY - FEW)


def test_a_listing_keeps_blobs_that_backups_have_in_common_once(
    few: Repository, many: Repository, tmp_path: Path
) -> None:
    for cached in (False, True):

        def listing(repository: Repository, *, cached: bool = cached) -> None:
            cache = open_cache(tmp_path, f"{id(repository)}") if cached else None
            assert all(backup.good for backup in evolve(repository, cache=cache).backups())

        assert each(few, many, listing) < 6_500


def test_a_backup_begins_without_all_manifests_in_memory(few: Repository, many: Repository) -> None:
    def begin(repository: Repository) -> None:
        replica = Replica(repository)
        replica.open(alone=True)
        replica.release()

    assert each(few, many, begin) < 3_000


def test_a_backup_with_copies_keeps_blobs_that_backups_have_in_common_once(
    few: Repository, many: Repository
) -> None:
    def begin(repository: Repository) -> None:
        replica = Replica(repository)
        replica.open()
        replica.release()

    assert each(few, many, begin) < 6_500


def test_a_sweep_does_not_have_all_manifests_in_memory(few: Repository, many: Repository) -> None:
    def sweep(repository: Repository) -> None:
        with repository.exclusive_lease("sweep") as lease:
            assert repository.sweep(lease).blobs == NEW_EACH  # the last, which no backup names

    assert each(few, many, sweep) < 2_500


def test_requests_grow_with_what_is_not_yet_in_the_cache(
    few: Repository, many: Repository, tmp_path: Path
) -> None:
    for repository, count in ((few, FEW), (many, MANY)):
        store = FaultyStore(repository.store)
        calls = []
        for _ in range(3):
            del store.calls[:]
            cache = open_cache(tmp_path, str(count))
            evolve(repository, store=store, cache=cache).backups()
            calls.append(len(store.calls))
        assert calls == [count + 5, 5, 5]
