"""The repository: its identity, its catalogue, and what it knows of each backup's health."""

import json

import pytest
from attrs import evolve
from tests.unit.fakes import (
    DAY,
    NOON,
    FakeClock,
    make_manifest,
    make_repository,
    make_writer,
    tune,
)

from brownie_backup import Repository, Status, Verification
from brownie_backup.errors import (
    BackupExists,
    BackupNotFound,
    DamagedError,
    StoreUnavailable,
    UnsupportedFormat,
)
from brownie_backup.format.layout import (
    BLOB_LISTS,
    BLOBS,
    MANIFESTS,
    manifest_key,
    verification_key,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.model import BlobRef, Manifest, Part
from brownie_backup.repository.catalogue import manifests
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore


@pytest.fixture
def repository() -> Repository:
    return make_repository(clock=FakeClock(NOON + DAY))


@pytest.fixture
def short_lists() -> None:
    tune(inline_blobs=3)


def add(repository: Repository, name: str, contents: tuple[bytes, ...] = (b"data",)) -> Manifest:
    """Make a backup of these blobs exist, an hour younger than the one before."""
    writer = make_writer(repository)
    refs = tuple(writer.put(content).ref for content in contents)
    size = sum(ref.size_bytes for ref in refs)
    finished_at = NOON + DAY / 24 * len(repository.backups())
    manifest = evolve(
        make_manifest(name, finished_at, parts=(Part("archive", size, refs),)),
        repository_id=repository.identity().id,
        hash_key=repository.identity().hash_key,
        encryption=writer.encryption,
    )
    repository.add(manifest)
    return manifest


def blobs(count: int) -> tuple[bytes, ...]:
    return tuple(b"blob %d" % number for number in range(count))


def verified(
    manifest: Manifest, damaged: tuple[BlobRef, ...] = (), *, total: int = 1
) -> Verification:
    names = tuple(ref.name for ref in damaged)
    problems = tuple(f"blob {name} is damaged" for name in names)
    return Verification(
        manifest.name, manifest.id, NOON + DAY, not names, total, total, names, problems
    )


def test_backups_are_listed_newest_first_and_latest_is_the_newest_good_one(
    repository: Repository,
) -> None:
    for name in ("b", "a", "c"):
        add(repository, name, (name.encode(),))
    assert [backup.name for backup in repository.backups()] == ["c", "a", "b"]
    assert repository.backup("latest").name == "c"
    assert repository.backup("b").name == "b"
    repository.add_verification(verified(manifest_of(repository, "c"), refs_of(repository, "c")))
    assert repository.backup("latest").name == "a"


def manifest_of(repository: Repository, name: str) -> Manifest:
    manifest = repository.backup(name).manifest
    assert manifest
    return manifest


def refs_of(repository: Repository, name: str) -> tuple[BlobRef, ...]:
    return manifest_of(repository, name).blobs


def test_what_is_not_there_is_not_found(repository: Repository) -> None:
    for name in ("latest", "x"):
        with pytest.raises(BackupNotFound):
            repository.backup(name)
    add(repository, "xy")
    with pytest.raises(BackupNotFound):
        repository.backup("x")
    assert not repository.exists("x")
    assert repository.exists("xy")


def test_a_name_is_taken_once(repository: Repository) -> None:
    first = add(repository, "one")
    with pytest.raises(BackupExists):
        repository.add(evolve(first, id="another"))
    assert manifest_of(repository, "one").id == first.id


def test_adding_the_very_same_manifest_again_is_a_retry(repository: Repository) -> None:
    manifest = add(repository, "one")
    repository.add(manifest)
    assert len(repository.backups()) == 1


def test_a_store_that_gives_other_bytes_back_is_found_out() -> None:
    class Liar(MemoryStore):
        def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
            data = super().get(key, most_bytes)
            return data[:-3] if key.startswith(MANIFESTS) else data

    with pytest.raises(DamagedError, match="does not return the manifest"):
        add(make_repository(Liar()), "one")


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"\xff"])
def test_a_bad_manifest_is_one_damaged_entry_among_the_others(
    repository: Repository, data: bytes
) -> None:
    add(repository, "good")
    repository.store.put(manifest_key("bad"), data)
    backups = {backup.name: backup for backup in repository.backups()}
    assert backups["good"].status is Status.GOOD
    assert (backups["bad"].status, backups["bad"].manifest) == (Status.DAMAGED, None)
    assert "'bad'" in backups["bad"].problem


def test_a_manifest_under_another_name_is_damage(repository: Repository) -> None:
    add(repository, "one")
    repository.store.put(manifest_key("two"), repository.store.get(manifest_key("one")))
    assert repository.backup("one").good
    assert "is another backup's ('one')" in repository.backup("two").problem


@pytest.mark.parametrize("change", ["missing", "cut", "longer", "empty"])
def test_a_blob_that_is_missing_or_of_another_size_is_seen(
    repository: Repository, change: str
) -> None:
    manifest = add(repository, "bad", blobs(2))
    add(repository, "good", blobs(1))
    (bad,) = manifest.blobs[1:]
    key = next(found.key for found in repository.store.list(BLOBS) if bad.name in found.key)
    data = repository.store.get(key)
    changed = {"missing": None, "cut": data[:-1], "longer": data + b"x", "empty": b""}[change]
    if changed is None:
        repository.store.delete(key)
    else:
        repository.store.put(key, changed)
    assert repository.backup("good").good
    assert not repository.backup("bad").good
    word = "1 blob missing" if changed is None else "1 blob of another size"
    assert word in repository.backup("bad").problem
    assert all(backup.good for backup in repository.backups(check_blobs=False))


def test_a_failed_verification_marks_a_backup_and_a_good_one_clears_it(
    repository: Repository,
) -> None:
    manifest = add(repository, "one")
    repository.add_verification(verified(manifest, manifest.blobs))
    assert not repository.backup("one").good
    assert "2026-03-02 12:00:00 UTC failed" in repository.backup("one").problem
    repository.add_verification(verified(manifest))
    assert repository.backup("one").good


def test_a_verification_of_an_earlier_backup_of_that_name_says_nothing(
    repository: Repository,
) -> None:
    manifest = add(repository, "one")
    repository.add_verification(evolve(verified(manifest, manifest.blobs), manifest_id="earlier"))
    assert repository.backup("one").good
    assert repository.backup("one").verification is None


def test_an_unreadable_verification_says_nothing(repository: Repository) -> None:
    add(repository, "one")
    repository.store.put(verification_key("one"), b"{")
    assert repository.backup("one").good


def test_blobs_that_a_verification_found_damaged_are_stored_again(repository: Repository) -> None:
    manifest = add(repository, "one", blobs(2))
    assert not make_writer(repository).put(b"blob 0").new
    repository.add_verification(verified(manifest, manifest.blobs[:1], total=2))
    writer = make_writer(repository)
    assert writer.put(b"blob 0").new
    assert not writer.put(b"blob 1").new


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize("count", [3, 4, 6, 7, 20])
def test_long_lists_of_blobs_move_out_of_the_manifest(repository: Repository, count: int) -> None:
    manifest = add(repository, "one", blobs(count))
    stored = json.loads(repository.store.get(manifest_key("one")))
    lists = list(repository.store.list(BLOB_LISTS))
    assert len(lists) == (0 if count == 3 else -(-count // 3))
    assert len(stored["parts"][0]["blobs"]) == (3 if count == 3 else 0)
    again = manifest_of(repository, "one")
    assert again.blobs == manifest.blobs
    assert [repository.reader(again).get(ref) for ref in again.blobs] == list(blobs(count))


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize("change", ["missing", "cut", "swapped"])
def test_a_list_that_is_not_as_it_was_is_damage(repository: Repository, change: str) -> None:
    add(repository, "one", blobs(9))
    first, second, _ = (found.key for found in repository.store.list(BLOB_LISTS))
    data = repository.store.get(second if change == "swapped" else first)
    repository.store.delete(first)
    if change != "missing":
        repository.store.put(first, data[:-1] if change == "cut" else data)
    (backup,) = repository.backups()
    assert backup.manifest is None
    assert "is missing or changed" in backup.problem


def test_a_manifest_of_many_short_lists_stays_small(repository: Repository) -> None:
    names = iter(f"{number:064x}" for number in range(1000))
    parts = tuple(
        Part("table", 5, tuple(BlobRef(next(names), 1, 1) for _ in range(count)))
        for count in [5] * 30 + [10]
    )
    manifest = evolve(make_manifest("many"), parts=parts)
    manifests.add_manifest(repository.store, manifest, inline=10)
    outline = manifests.outline_from(repository.store.get(manifest_key("many")), "many", "")
    assert len(outline.blobs) == 100
    again = repository.manifest("many")
    assert [part.blobs for part in again.parts] == [part.blobs for part in parts]


@pytest.mark.usefixtures("short_lists")
def test_a_list_that_is_out_of_reach_is_no_damage(repository: Repository) -> None:
    add(repository, "one", blobs(9))
    calls = FaultyStore(repository.store)
    make_repository(calls).backups()
    reading = next(n for n, (_, key) in enumerate(calls.calls, 1) if key.startswith(BLOB_LISTS))
    with pytest.raises(StoreUnavailable):
        make_repository(FaultyStore(repository.store, fail_at=reading)).backups()


def test_a_manifest_that_is_out_of_reach_is_no_damage(repository: Repository) -> None:
    add(repository, "one")
    calls = FaultyStore(repository.store)
    make_repository(calls).backups()
    reading = next(
        n for n, call in enumerate(calls.calls, 1) if call == ("get", manifest_key("one"))
    )
    with pytest.raises(StoreUnavailable):
        make_repository(FaultyStore(repository.store, fail_at=reading)).backups()


def test_an_unknown_compressor_is_named(repository: Repository) -> None:
    manifest = evolve(add(repository, "one"), compression="lz4")
    with pytest.raises(UnsupportedFormat, match="lz4"):
        repository.reader(manifest)
