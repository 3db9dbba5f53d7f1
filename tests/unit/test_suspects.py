"""Which blobs the next backup stores again although they are there."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import NOON, FakeClock, make_manifest

from brownie_backup import Backup, Status, Verification
from brownie_backup.format.layout import BLOBS, blob_key, name_in
from brownie_backup.model import BlobRef, Part
from brownie_backup.repository.blobs.index import BlobIndex
from brownie_backup.repository.blobs.suspects import SURELY_LATER
from brownie_backup.stores import MemoryStore

BLOB = "ab" * 32
SECOND = timedelta(seconds=1)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with one blob of three bytes."""
    store = MemoryStore(FakeClock())
    store.put(blob_key(BLOB), b"abc")
    return store


def backup(name: str, stored_bytes: int, verification: Verification | None = None) -> Backup:
    """Return a backup with that blob."""
    part = Part("archive", 9, (BlobRef(BLOB, 9, stored_bytes),))
    manifest = make_manifest(name, parts=(part,))
    return Backup(name, Status.GOOD, manifest, verification=verification)


def suspect_blobs(store: MemoryStore, backups: list[Backup]) -> set[str]:
    """Return which blobs are suspect, after seeing that a look at each finds the same."""
    listed, one_by_one = BlobIndex(store), BlobIndex(store)
    for each in backups:
        listed.expect(each)
        one_by_one.expect(each)
    listed.list_blobs()
    for found in store.list(BLOBS):
        name = name_in(found.key)
        assert one_by_one.find(name) == (0 if name in listed.suspect_blobs else found.size_bytes)
    assert one_by_one.suspect_blobs == listed.suspect_blobs
    return listed.suspect_blobs


GOOD = Verification("x", "id of x", NOON, good=True, checked_blobs=1, total_blobs=1)
RESIZED = evolve(GOOD, resized={BLOB: 3})
DAMAGED = evolve(GOOD, good=False, damaged_blobs=(BLOB, "cd" * 32))


@pytest.mark.parametrize(
    ("backups", "bad"),
    [
        ([], False),
        ([backup("one", 3)], False),
        ([backup("one", 4)], True),
        ([backup("one", 4), backup("two", 5)], True),
        ([backup("one", 4), backup("two", 3)], False),
        ([backup("one", 3), backup("two", 4)], False),
        ([backup("one", 4, RESIZED)], False),
        ([backup("one", 4), backup("two", 5, RESIZED)], False),
        ([backup("one", 3, DAMAGED)], True),
        ([backup("one", 3, DAMAGED), backup("two", 3, GOOD)], True),
        ([Backup("one", Status.DAMAGED, None, "no manifest")], False),
    ],
)
def test_a_blob_is_distrusted_if_nobody_agrees_with_it(
    store: MemoryStore, backups: list[Backup], *, bad: bool
) -> None:
    assert suspect_blobs(store, backups) == ({BLOB} if bad else set())


@pytest.mark.parametrize("order", [1, -1])
def test_a_damaged_blob_is_trusted_again_when_it_was_stored_later(
    store: MemoryStore, order: int
) -> None:
    surely = NOON - SURELY_LATER
    for verified_at, bad in ((surely, False), (surely + SECOND, True), (surely - SECOND, False)):
        backups = [
            backup("one", 3, evolve(DAMAGED, verified_at=verified_at)),
            backup("two", 3, evolve(DAMAGED, verified_at=surely - SECOND)),
        ][::order]
        assert suspect_blobs(store, backups) == ({BLOB} if bad else set())


def test_what_is_not_there_need_not_be_distrusted(store: MemoryStore) -> None:
    store.delete(blob_key(BLOB))
    assert suspect_blobs(store, [backup("one", 4, DAMAGED)]) == set()
