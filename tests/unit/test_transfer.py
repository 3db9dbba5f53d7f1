"""Copying blobs from stores that have them to one that lacks them, without a key."""

import threading
from collections.abc import Sequence

import pytest
from attrs import evolve
from tests.unit.fakes import make_manifest
from tests.unit.several import AwayStore, Wrapper, named

from brownie_backup.errors import AccessDenied, StoreFull, StoreUnavailable
from brownie_backup.format.layout import blob_key
from brownie_backup.model import BlobRef, Part
from brownie_backup.protocols import Store
from brownie_backup.repository import MOST_WORKERS
from brownie_backup.repository.blobs.index import BlobIndex
from brownie_backup.repository.blobs.transfer import Transferred, for_store, transfer_blobs
from brownie_backup.testing import FaultyStore

REFS = tuple(BlobRef(f"{number:064x}", 100, 10 + number) for number in range(9))


def fill(store: Store, refs: Sequence[BlobRef] = REFS) -> BlobIndex:
    """Put blobs, as they are stored, and return an index of them."""
    for ref in refs:
        store.put(blob_key(ref.name), stored(ref))
    return looked(store)


def looked(store: Store, suspect_blobs: Sequence[BlobRef] = ()) -> BlobIndex:
    blobs = BlobIndex(store, {ref.name for ref in suspect_blobs})
    blobs.list_blobs()
    return blobs


def stored(ref: BlobRef) -> bytes:
    return ref.name[-1:].encode() * ref.stored_bytes


def assert_whole(store: Store, refs: Sequence[BlobRef] = REFS) -> None:
    for ref in refs:
        assert store.get(blob_key(ref.name)) == stored(ref)


def test_what_is_missing_is_copied_and_nothing_else_touched() -> None:
    one, two = named("one", "two")
    source, target = fill(one), fill(two, REFS[:4])
    faulty = FaultyStore(two)
    target.store = faulty
    seen: list[int] = []
    done = transfer_blobs(target, [source], (*REFS, *REFS), on_bytes=seen.append)
    assert_whole(two)
    assert done == Transferred(5, sum(ref.stored_bytes for ref in REFS[4:]))
    assert sorted(seen) == [ref.stored_bytes for ref in REFS[4:]]
    assert sorted(faulty.calls) == [("put", blob_key(ref.name)) for ref in REFS[4:]]
    assert target.sizes == source.sizes
    assert transfer_blobs(target, [], REFS) == Transferred()


def test_each_blob_comes_from_the_first_store_that_has_it_whole() -> None:
    missing, cut, suspect_blobs, good, target = named("missing", "cut", "bad", "good", "target")
    fill(missing, REFS[1:])
    fill(cut)
    cut.put(blob_key(REFS[0].name), stored(REFS[0])[:-1])
    fill(suspect_blobs)
    suspect_blobs.put(blob_key(REFS[0].name), b"x" * REFS[0].stored_bytes)
    fill(good, REFS[:1])
    sources = [BlobIndex(missing), BlobIndex(cut), looked(suspect_blobs, REFS[:1]), looked(good)]
    transfer_blobs(looked(target), sources, REFS)
    assert_whole(target)


def test_a_source_may_have_another_size_of_which_it_knows() -> None:
    one, two = named("one", "two")
    one.put(blob_key(REFS[0].name), b"a" * 99)
    refused = transfer_blobs(looked(two), [BlobIndex(one)], REFS[:1])
    assert refused.problem
    assert refused.problem.message.endswith("could not be read in full from memory:one")
    target = looked(two)
    transfer_blobs(target, [looked(one)], REFS[:1])
    assert target.sizes == {REFS[0].name: 99}
    assert two.get(blob_key(REFS[0].name)) == b"a" * 99


def test_a_distrusted_blob_is_replaced() -> None:
    one, two = named("one", "two")
    fill(two)
    two.put(blob_key(REFS[0].name), b"x" * REFS[0].stored_bytes)
    target = looked(two, REFS[:1])
    assert transfer_blobs(target, [fill(one)], REFS).blobs == 1
    assert_whole(two)
    assert target.suspect_blobs == set()
    assert target.sizes == looked(one).sizes


def test_what_is_whole_nowhere_is_damage_and_says_where_it_was_looked_for() -> None:
    one, two, three = named("one", "two", "three")
    sources = [fill(one, REFS[1:]), fill(two, REFS[1:])]
    done = transfer_blobs(looked(three), sources, REFS)
    assert done.problem
    assert REFS[0].name in done.problem.message
    assert done.problem.message.endswith("in full from memory:one, memory:two")
    assert done.blobs == len(REFS) - 1  # all others, so that a repeat has little to do
    assert_whole(three, REFS[1:])


def test_a_source_that_is_away_is_no_fault_of_the_target_and_asked_once() -> None:
    one, two, three, four = named("one", "two", "three", "four")
    away = AwayStore(one)
    source = fill(two)
    assert transfer_blobs(looked(three), [BlobIndex(away), source], REFS).blobs == len(REFS)
    assert_whole(three)
    assert 1 <= away.refused <= MOST_WORKERS
    problem = transfer_blobs(looked(four), [BlobIndex(away)], REFS).problem
    assert problem
    assert problem.message.endswith("from memory:one (memory:one is out of reach)")


def test_a_source_that_denies_one_blob_is_asked_for_the_next() -> None:
    one, two = named("one", "two")
    fill(one)
    denying = FaultyStore(one, 1, AccessDenied("not this one"))
    done = transfer_blobs(looked(two), [BlobIndex(denying)], REFS)
    assert done.blobs == len(REFS) - 1
    assert "not this one" in str(done.problem)


def test_bytes_that_are_known_to_be_bad_are_not_taken_from_another_store() -> None:
    one, two = named("one", "two")
    fill(two)
    done = transfer_blobs(looked(two, REFS[:1]), [fill(one)], REFS)
    assert done.problem
    assert done.blobs == 0
    one.put(blob_key(REFS[0].name), b"y" * REFS[0].stored_bytes)
    assert transfer_blobs(looked(two, REFS[:1]), [looked(one)], REFS).blobs == 1


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreUnavailable("gone")])
def test_a_target_that_fails_raises_its_own_error(error: Exception) -> None:
    one, two = named("one", "two")
    faulty = FaultyStore(two, 3, error)
    with pytest.raises(type(error)) as caught:
        transfer_blobs(BlobIndex(faulty), [fill(one)], REFS)
    assert caught.value is error
    assert len(faulty.calls) < len(REFS)  # it does not go on for long


def test_a_blob_that_a_backup_stores_meanwhile_stays_as_it_is() -> None:
    one, two = named("one", "two")

    class Overtaken(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put":
                self.inner.put(key, b"another's")

    target = BlobIndex(Overtaken(two))
    seen: list[int] = []
    done = transfer_blobs(target, [fill(one)], REFS[:1], on_bytes=seen.append)
    assert (done, seen) == (Transferred(), [])
    assert two.get(blob_key(REFS[0].name)) == b"another's"
    assert target.sizes == {REFS[0].name: len(b"another's")}


def test_the_locks_of_what_is_there_are_extended() -> None:
    class Lock(Wrapper):
        def extend_lock(self, key: str) -> None:
            locked.append(key)

    locked: list[str] = []
    one, two = named("one", "two")
    fill(two, REFS[:4])
    transfer_blobs(looked(Lock(two)), [fill(one)], REFS)
    assert sorted(locked) == [blob_key(ref.name) for ref in REFS[:4]]


def test_few_blobs_are_in_memory_at_once() -> None:
    class Counting(Wrapper):
        def before(self, method: str, key: str) -> None:
            del key
            with lock:
                if method == "get":
                    at_once.append(at_once[-1] + 1)
                elif method == "put":
                    at_once.append(at_once[-1] - 1)

    lock = threading.Lock()
    at_once = [0]
    one, two = named("one", "two")
    refs = [BlobRef(f"{number:064x}", 1, 1) for number in range(500)]
    fill(one, refs)
    transfer_blobs(BlobIndex(Counting(two)), [looked(Counting(one))], refs)
    assert at_once[-1] == 0
    assert len(at_once) == 1001
    assert max(at_once) <= MOST_WORKERS


def test_a_manifest_says_the_sizes_that_its_store_has() -> None:
    parts = (Part("archive", 300, REFS[:3], blob_lists=("ab",)), Part("inventory", 100, REFS[3:4]))
    manifest = make_manifest("one", parts=parts)
    same = for_store(manifest, {ref.name: ref.stored_bytes for ref in REFS})
    # Its lists are made anew by whoever adds it.
    assert same == evolve(manifest, parts=(evolve(parts[0], blob_lists=()), parts[1]))
    other = for_store(manifest, {REFS[1].name: 99})
    assert [ref.stored_bytes for ref in other.blobs] == [10, 99, 12, 13]
    assert [ref.name for ref in other.blobs] == [ref.name for ref in manifest.blobs]
    assert for_store(other, {REFS[1].name: 11}) == same
