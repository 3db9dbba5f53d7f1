"""Reading the catalogue: by how many requests, what the cache may answer, and what it may not."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import DAY, FakeClock, make_manifest, make_repository, make_writer, tune
from tests.unit.test_repository import add, blobs, manifest_of, verified

from brownie_backup import CountProgress, Repository, RetentionPolicy, Status, apply_retention
from brownie_backup.caches import open_cache
from brownie_backup.errors import BackupNotFound, StoreUnavailable
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import (
    BLOB_LISTS,
    BLOBS,
    HOLDS,
    IDENTITY,
    MANIFESTS,
    VERIFICATIONS,
    blob_key,
    hold_key,
    manifest_key,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.model import Hold, Manifest, Verification
from brownie_backup.repository.catalogue.cached import LONG_AGO, RepositoryCache
from brownie_backup.repository.catalogue.holds import add_hold
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

MINUTE = timedelta(minutes=1)


@pytest.fixture
def counted(clock: FakeClock) -> FaultyStore:
    """Return a store that counts its calls."""
    return FaultyStore(MemoryStore(clock))


@pytest.fixture
def repository(counted: FaultyStore, clock: FakeClock, tmp_path: Path) -> Repository:
    """Return a repository with a cache, and backups of ten minutes."""
    cache = open_cache(tmp_path, counted.url)
    repository = make_repository(counted, clock=clock, cache=cache)
    for number in range(10):
        add(repository, f"b{number}", blobs(2 * number + 1))
        clock.advance(MINUTE)
    return repository


def afresh(repository: Repository, tmp_path: Path) -> Repository:
    """Return what another process has: the same store and cache, and nothing in memory."""
    return evolve(repository, cache=open_cache(tmp_path, repository.store.url))


def requests(counted: FaultyStore, work: Callable[[], object]) -> Counter[tuple[str, str]]:
    """Return how often each method was called, by the beginning of the key."""
    counted.calls.clear()
    work()
    return Counter((method, key[: key.find("/") + 1] or key) for method, key in counted.calls)


def test_a_listing_makes_a_request_for_each_manifest_and_verification_but_once(
    repository: Repository, counted: FaultyStore, clock: FakeClock, tmp_path: Path
) -> None:
    for name in ("b1", "b2"):
        repository.add_verification(verified(manifest_of(repository, name)))
    clock.advance(LONG_AGO)
    listed = (MANIFESTS, VERIFICATIONS, HOLDS, BLOBS)
    lists = {("list", prefix): 1 for prefix in listed}
    identity = {("get", IDENTITY): 1}
    objects = {("get", MANIFESTS): 10, ("get", VERIFICATIONS): 2}
    bare = evolve(repository, cache=None)
    for _ in range(2):
        assert requests(counted, bare.backups) == lists | objects
    tmp_path /= "of another user"
    cold = requests(counted, afresh(repository, tmp_path).backups)
    assert cold == lists | objects | identity
    for _ in range(2):
        warm = requests(counted, afresh(repository, tmp_path).backups)
        assert warm == lists | identity
    assert afresh(repository, tmp_path).backups() == bare.backups()
    add(repository, "new")
    warm = requests(counted, afresh(repository, tmp_path).backups)
    assert warm == lists | identity | {("get", MANIFESTS): 1}


def test_one_backup_is_read_without_the_others(
    repository: Repository, counted: FaultyStore
) -> None:
    objects = {("get", MANIFESTS): 1, ("get", VERIFICATIONS): 1, ("list", HOLDS): 1}
    one = requests(counted, lambda: repository.backup("b3"))
    assert one == objects | {("list", BLOBS): 7}
    add(repository, "large", blobs(50))
    one = requests(counted, lambda: repository.backup("large"))
    assert one == objects | {("list", BLOBS): 1}


def test_a_backup_by_its_name_is_as_in_the_listing(repository: Repository) -> None:
    for number in range(5):
        name = f"b{number}"
        hold = Hold(name, f"id of {name}", repository.clock(), "me")
        add_hold(repository.store, hold if number < 4 else evolve(hold, manifest_id="earlier"))
    repository.store.put(hold_key("b5"), b"{")
    repository.store.put(manifest_key("b1"), b"{")
    repository.store.delete(blob_key(manifest_of(repository, "b2").blobs[0].name))
    repository.add_verification(verified(manifest_of(repository, "b3")))
    repository.add_verification(evolve(verified(manifest_of(repository, "b6")), good=False))
    backups = repository.backups()
    assert backups == tuple(repository.backup(backup.name) for backup in backups)
    assert {backup.name for backup in backups if backup.hold} == {"b0", "b1", "b2", "b3", "b5"}


def gets(counted: FaultyStore, name: str) -> int:
    return counted.calls.count(("get", manifest_key(name)))


def test_what_may_yet_be_replaced_unseen_is_not_cached(
    repository: Repository, counted: FaultyStore, clock: FakeClock
) -> None:
    counted.calls.clear()
    for _ in range(3):
        repository.backups()
    # Nothing in the store shows that its clock has gone on since it took the last.
    assert (gets(counted, "b8"), gets(counted, "b9")) == (1, 3)
    clock.advance(LONG_AGO)
    for _ in range(3):
        repository.backups()
    assert (gets(counted, "b8"), gets(counted, "b9")) == (1, 4)


@pytest.mark.parametrize("ahead", [0, 1], ids="{} hours ahead".format)
@pytest.mark.parametrize("seconds", [0, 1, 9])
def test_an_object_that_was_replaced_within_its_second_is_seen(
    repository: Repository, clock: FakeClock, tmp_path: Path, seconds: int, ahead: int
) -> None:
    """Of two with the same key, size and time the cache can't tell which it has."""
    ours = FakeClock(clock() + ahead * DAY / 24)
    reader = evolve(afresh(repository, tmp_path), clock=ours)
    manifest = manifest_of(repository, "b0")
    first = verified(manifest)
    at = clock()
    repository.add_verification(first)
    clock.advance(timedelta(seconds=seconds))
    add(repository, "later")
    assert verification_of(reader, "b0") == first
    clock.now = at
    second = evolve(first, checked_blobs=2)
    repository.add_verification(second)
    assert verification_of(reader, "b0") == second


def verification_of(repository: Repository, name: str) -> Verification | None:
    (found,) = (backup for backup in repository.backups() if backup.name == name)
    return found.verification


def rot(repository: Repository, key: str) -> None:
    """Change a byte of an object, and neither its size nor its time: as a bad disk does."""
    objects = repository.store._inner._objects  # type: ignore[attr-defined]
    data, modified_at = objects[key]
    objects[key] = (data[:50] + bytes([data[50] ^ 1]) + data[51:], modified_at)


def test_what_is_restored_or_verified_never_comes_from_the_cache(repository: Repository) -> None:
    assert all(backup.good for backup in repository.backups())
    rot(repository, manifest_key("b3"))
    assert all(backup.good for backup in repository.backups())  # it can't know
    assert repository.backup("b3").status is Status.DAMAGED
    bad = {backup.name for backup in repository.backups() if not backup.good}
    assert bad == {"b3"}  # and knows from then on


def test_latest_is_the_newest_that_is_good_in_the_store_itself(
    repository: Repository, clock: FakeClock
) -> None:
    clock.advance(LONG_AGO)
    assert repository.backup("latest").name == "b9"
    rot(repository, manifest_key("b9"))
    assert repository.backup("latest").name == "b8"
    for number in range(9):
        rot(repository, manifest_key(f"b{number}"))
    with pytest.raises(BackupNotFound):
        repository.backup("latest")


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_cache_alone_never_says_which_good_backup_is_the_last(
    repository: Repository, clock: FakeClock, *, dry_run: bool
) -> None:
    clock.advance(LONG_AGO)
    repository.backups()
    rot(repository, manifest_key("b9"))
    rot(repository, manifest_key("b8"))
    policy = RetentionPolicy(keep_within=timedelta(0), keep_min=2)
    report = apply_retention(
        repository, policy, database=None, dry_run=dry_run, yes_delete_many=True
    )
    assert {d.backup.name for d in report.decisions if d.keep} == {"b6", "b7", "b8", "b9"}
    assert {backup.name for backup in repository.backups() if backup.good} >= {"b6", "b7"}


def test_latest_is_as_it_is_in_the_store_even_if_the_cache_were_wrong(
    repository: Repository, clock: FakeClock
) -> None:
    clock.advance(LONG_AGO)
    repository.backups()
    objects = repository.store._inner._objects  # type: ignore[attr-defined]
    _, modified_at = objects[manifest_key("b9")]
    changed = evolve(manifest_of(repository, "b9"), id="ID of b9")
    objects[manifest_key("b9")] = (manifest_to_bytes(changed), modified_at)
    assert repository.backup("latest").manifest == changed


def test_what_is_damaged_in_the_cache_is_got_from_the_store(
    repository: Repository, tmp_path: Path
) -> None:
    wanted = repository.backups()
    cache = open_cache(tmp_path, repository.store.url)
    entries = RepositoryCache(cache, repository.identity().id)
    for entry in (b"{", b"", b"[{},[]]\n", b"[{},[1]]\n{}\n{}\n", b"\xff" * 300):
        for found in repository.store.list(MANIFESTS):
            entries.put(found, entry)
        assert len(cache.known()) == 10
        assert afresh(repository, tmp_path).backups() == wanted
        settled = next(iter(repository.store.list(MANIFESTS)))
        assert entries.get_many([settled])[settled.key] != entry


def test_repositories_of_the_same_url_are_told_apart(clock: FakeClock, tmp_path: Path) -> None:
    """As s3://bucket is on two endpoints, or /mnt/backups on two disks."""
    cache = open_cache(tmp_path, "memory:")
    one, other = (make_repository(clock=clock, cache=cache) for _ in range(2))
    manifests: dict[Repository, Manifest] = {}
    for repository in (one, other):
        manifests[repository] = evolve(
            add(repository, "same"), id=f"id {len(manifests)}", name="twin"
        )
        repository.add(manifests[repository])
    assert one.store.url == other.store.url
    listings = [list(repository.store.list(MANIFESTS)) for repository in (one, other)]
    assert listings[0] == listings[1]
    clock.advance(LONG_AGO)
    for repository in (one, other) * 3:
        found = {backup.name: backup.manifest for backup in repository.backups()}
        assert found["twin"] == manifests[repository]


def test_a_sweep_by_the_cache_keeps_and_removes_the_same(
    repository: Repository, counted: FaultyStore, clock: FakeClock, tmp_path: Path
) -> None:
    clock.advance(2 * LONG_AGO)
    make_writer(repository).put(b"an orphan")
    repository.backups()
    repository.remove("b9")
    clock.advance(2 * LONG_AGO)
    for reading in (afresh(repository, tmp_path), evolve(repository, cache=None)):
        assert reading.sweep(None).blobs == 3  # of b9 the last two
    counted.calls.clear()
    with afresh(repository, tmp_path).exclusive_lease("cleanup") as lease:
        assert afresh(repository, tmp_path).sweep(lease).blobs == 3
    assert not [key for method, key in counted.calls if method == "get" and MANIFESTS in key]
    assert all(backup.good for backup in evolve(repository, cache=None).backups())


def test_without_an_identity_there_is_no_cache_and_none_is_given(
    repository: Repository, counted: FaultyStore, clock: FakeClock
) -> None:
    clock.advance(LONG_AGO)
    wanted = repository.backups()
    repository.store.delete(IDENTITY)
    for _ in range(2):
        done = requests(counted, repository.backups)
        assert done["get", MANIFESTS] == 10
        assert repository.backups() == wanted
    assert list(repository.store.list(IDENTITY)) == []


def test_what_is_gone_from_the_store_is_forgotten(
    repository: Repository, clock: FakeClock, tmp_path: Path
) -> None:
    clock.advance(LONG_AGO)
    repository.backups()
    cache = open_cache(tmp_path, repository.store.url)
    assert len(cache.known()) == 10
    repository.remove("b3")
    repository.remove("b4")
    repository.backups()
    assert {key.rpartition("/")[2] for key in cache.known()} == {
        f"b{number}.json" for number in (0, 1, 2, 5, 6, 7, 8, 9)
    }


@pytest.fixture
def _short_lists() -> None:
    tune(inline_blobs=3)


@pytest.mark.usefixtures("_short_lists")
def test_lists_of_blobs_are_cached_too_and_missed_when_they_are_lost(
    repository: Repository, counted: FaultyStore, clock: FakeClock, tmp_path: Path
) -> None:
    clock.advance(LONG_AGO)
    cold = requests(counted, repository.backups)
    # Three blobs to a list; the lists of several backups are partly the same.
    assert cold["get", BLOB_LISTS] >= len(list(repository.store.list(BLOB_LISTS)))
    warm = requests(counted, afresh(repository, tmp_path).backups)
    assert (warm["get", BLOB_LISTS], warm["list", BLOB_LISTS]) == (0, 1)
    lost = next(iter(repository.store.list(BLOB_LISTS)))
    repository.store.delete(lost.key)
    damaged = [backup for backup in repository.backups() if not backup.good]
    assert damaged
    assert all("is missing or changed" in backup.problem for backup in damaged)
    assert damaged == [b for b in evolve(repository, cache=None).backups() if not b.good]


def test_what_lies_beside_the_manifests_is_no_backup(repository: Repository) -> None:
    wanted = repository.backups()
    data = repository.store.get(manifest_key("b1"))
    for key in ("sub/b1.json", "sub/other.json", "b1.json.bak", "README", "b1"):
        repository.store.put(f"{MANIFESTS}{key}", data)
        repository.store.put(f"{VERIFICATIONS}{key}", data)
    assert repository.backups() == wanted


class SlowStore(FaultyStore):
    """Takes its time for a get, and knows how many it is asked for at once."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.at_once = 0
        self.most_at_once = 0
        self._counting = threading.Lock()

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return what the inner store has, after a while."""
        with self._counting:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            time.sleep(0.01)
            return super().get(key, most_bytes)
        finally:
            with self._counting:
                self.at_once -= 1


def at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("store")]


def slow(repository: Repository, **named: object) -> tuple[Repository, SlowStore]:
    for number in range(10, 60):
        add(repository, f"b{number}")
    store = SlowStore(repository.store._inner, **named)  # type: ignore[attr-defined]
    return evolve(repository, store=store, cache=None), store


def test_several_are_read_at_once_and_few_are_waiting(repository: Repository) -> None:
    reading, store = slow(repository)
    entries = reading.catalogue.read()
    next(entries)
    time.sleep(0.2)
    assert store.most_at_once == 8
    assert len([call for call in store.calls if call[0] == "get"]) <= 17
    assert len(list(entries)) == 59
    assert store.most_at_once == 8
    assert at_work() == []


def test_who_has_seen_enough_ends_the_reading(repository: Repository) -> None:
    reading, store = slow(repository)
    entries = reading.catalogue.read()
    assert len(list(itertools.islice(entries, 3))) == 3
    assert isinstance(entries, Iterator)
    entries.close()  # type: ignore[attr-defined]
    calls = len(store.calls)
    time.sleep(0.1)
    assert len(store.calls) == calls
    assert at_work() == []


def test_a_store_that_fails_ends_the_reading_at_once(repository: Repository) -> None:
    reading, store = slow(repository, fail_at=10)
    with pytest.raises(StoreUnavailable):
        reading.backups()
    assert at_work() == []
    assert len(store.calls) < 10 + 20


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_a_listing_by_the_cache_is_that_without_it(
    seed: int, tmp_path: Path
) -> None:
    """Same names, same sizes, times by the second, clocks an hour apart, two users of a cache."""
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    clock = FakeClock()
    ours = chance.choice([-1, 0, 1]) * DAY / 24
    store = MemoryStore(lambda: clock().replace(microsecond=0))
    bare = make_repository(store, clock=lambda: clock() + ours)
    hash_key = bare.identity().hash_key
    for step in range(150):
        name = chance.choice("ab")
        manifest = evolve(make_manifest(name), id=f"{step:03}", hash_key=hash_key)
        there = bare.exists(name)
        match chance.randrange(5):
            case 0 if there:
                bare.remove(name)
            case 1 if not there:
                bare.add(manifest)
            case 2 if there:
                outcome = verified(manifest_of(bare, name))
                bare.add_verification(evolve(outcome, checked_blobs=step % 10))
            case _:
                seconds = chance.choice([0.3, 0.3, 1, 8, 11, 3600, 90_000])
                clock.advance(timedelta(seconds=seconds))
        for user in ("one", "one", "other"):
            reading = evolve(bare, cache=open_cache(tmp_path / user, store.url))
            if chance.random() < 0.7:
                assert reading.backups() == bare.backups(), step


def test_progress_counts_to_the_number_of_backups(repository: Repository) -> None:
    for _ in range(2):  # from the store, and from the cache
        seen: list[CountProgress] = []
        repository.backups(on_progress=seen.append)
        assert seen == [CountProgress("list", done, 10) for done in range(1, 11)]
