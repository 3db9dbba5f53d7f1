"""The sweep: it removes what no manifest names, late, and only under a lease."""

import itertools
import json
import threading
from collections.abc import Iterator

import pytest
from attrs import evolve
from tests.unit.backups import sealed
from tests.unit.fakes import DAY, FakeClock, make_repository, make_writer
from tests.unit.test_leases import SECOND, leave, record
from tests.unit.test_repository import add, blobs

from brownie_backup import (
    CountProgress,
    Repository,
    RetentionPolicy,
    apply_retention,
    delete_backup,
)
from brownie_backup.concurrency.ordered_map import THREADS
from brownie_backup.errors import (
    BackupError,
    DamagedError,
    LeaseLost,
    ObjectLocked,
    StoreUnavailable,
    UnsupportedFormat,
)
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import BLOB_LISTS, BLOBS, LEASES, blob_key, manifest_key
from brownie_backup.model import FORMAT
from brownie_backup.protocols import Store
from brownie_backup.repository import SWEEP_MARGIN, Swept, Tuning
from brownie_backup.repository.coordination.leases import EXPIRY_MARGIN, LIFETIME
from brownie_backup.testing import FaultyStore


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    return make_repository(clock=clock)


def sweep(repository: Repository) -> Swept:
    with repository.exclusive_lease("sweep") as lease:
        return repository.sweep(lease)


def orphan(repository: Repository, count: int = 1) -> int:
    """Store blobs that no manifest names; return their bytes."""
    writer = make_writer(repository)
    return sum(writer.put(b"orphan %d" % number).ref.stored_bytes for number in range(count))


def keys(repository: Repository, prefix: str) -> set[str]:
    return {found.key for found in repository.store.list(prefix)}


def test_what_is_named_stays_and_what_is_not_goes(repository: Repository, clock: FakeClock) -> None:
    manifest = add(repository, "one", blobs(3))
    size = orphan(repository, 5)
    clock.advance(SWEEP_MARGIN)
    assert sweep(repository) == Swept(5, size)
    assert keys(repository, BLOBS) == {blob_key(ref.name) for ref in manifest.blobs}
    assert sweep(repository) == Swept(0, 0)


def test_what_is_young_stays(repository: Repository, clock: FakeClock) -> None:
    orphan(repository)
    clock.advance(SWEEP_MARGIN - SECOND)
    assert sweep(repository).blobs == 0
    clock.advance(SECOND)
    assert sweep(repository).blobs == 1


def test_a_blob_goes_when_the_last_backup_that_names_it_has_gone(
    repository: Repository, clock: FakeClock
) -> None:
    add(repository, "one", blobs(2))
    add(repository, "two", blobs(3))
    clock.advance(2 * SWEEP_MARGIN)
    repository.remove("one")
    assert sweep(repository).blobs == 0
    repository.remove("two")
    assert sweep(repository).blobs == 3


@pytest.mark.parametrize("bad", ["manifest", "list"])
def test_while_a_manifest_cannot_be_read_nothing_goes(
    repository: Repository, clock: FakeClock, bad: str
) -> None:
    repository = evolve(repository, tuning=Tuning(inline_blobs=2))
    add(repository, "one", blobs(5))
    orphan(repository)
    before = keys(repository, BLOBS)
    broken = manifest_key("one") if bad == "manifest" else min(keys(repository, BLOB_LISTS))
    repository.store.put(broken, b"{")
    clock.advance(2 * SWEEP_MARGIN)
    assert sweep(repository) == Swept(problem="a manifest that cannot be read may need any of them")
    assert keys(repository, BLOBS) == before


def test_lists_of_blobs_live_as_long_as_their_manifest(
    repository: Repository, clock: FakeClock
) -> None:
    repository = evolve(repository, tuning=Tuning(inline_blobs=2))
    add(repository, "one", blobs(5))
    add(repository, "two", blobs(4))
    clock.advance(2 * SWEEP_MARGIN)
    assert sweep(repository).blobs == 0
    repository.remove("one")
    assert sweep(repository).blobs == 2  # its fifth blob, and its third list
    assert repository.backup("two").good
    repository.remove("two")
    sweep(repository)
    assert not keys(repository, BLOBS) | keys(repository, BLOB_LISTS)


def test_without_a_lease_it_only_counts(repository: Repository, clock: FakeClock) -> None:
    add(repository, "one", blobs(2))
    orphan(repository)
    clock.advance(2 * SWEEP_MARGIN)
    before = keys(repository, "")
    assert repository.sweep(None).blobs == 1
    assert repository.sweep(None, without=frozenset({"one"})).blobs == 3
    assert keys(repository, "") == before


def test_a_lost_lease_stops_it(repository: Repository, clock: FakeClock) -> None:
    orphan(repository)
    clock.advance(2 * SWEEP_MARGIN)
    before = keys(repository, BLOBS)
    with repository.exclusive_lease("sweep") as lease:
        repository.store.delete(min(keys(repository, LEASES)))
        with pytest.raises(LeaseLost):
            repository.sweep(lease)
    assert keys(repository, BLOBS) == before


def test_it_looks_at_its_lease_again_while_it_works(
    repository: Repository, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan(repository, 150)
    clock.advance(2 * SWEEP_MARGIN)
    delete = repository.store.delete
    deleted: list[str] = []

    def deleting(key: str) -> None:
        deleted.append(key)
        if len(deleted) == 10:
            delete(min(keys(repository, LEASES)))
        delete(key)

    with repository.exclusive_lease("sweep") as lease, monkeypatch.context() as patch:
        patch.setattr(repository.store, "delete", deleting)
        with pytest.raises(LeaseLost):
            repository.sweep(lease)
    assert len(keys(repository, BLOBS)) == 50


def test_a_lost_lease_stops_it_at_once_and_not_after_what_is_queued(
    repository: Repository, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan(repository, 100)
    clock.advance(2 * SWEEP_MARGIN)
    delete = repository.store.delete

    def asleep(key: str) -> None:
        clock.advance(LIFETIME)  # while the first is on its way the machine is suspended
        delete(key)

    with repository.exclusive_lease("sweep") as lease, monkeypatch.context() as patch:
        patch.setattr(repository.store, "delete", asleep)
        with pytest.raises(LeaseLost):
            repository.sweep(lease)
    assert len(keys(repository, BLOBS)) >= 100 - THREADS
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store")]


def test_a_store_that_fails_stops_it(repository: Repository, clock: FakeClock) -> None:
    orphan(repository, 300)
    clock.advance(2 * SWEEP_MARGIN)
    faulty = FaultyStore(repository.store, fail_at=50)
    failing = make_repository(faulty, clock=clock)
    with failing.exclusive_lease("sweep") as lease, pytest.raises(StoreUnavailable):
        failing.sweep(lease)
    left = len(keys(repository, BLOBS))
    assert 250 - 2 * THREADS <= left < 270  # what waited behind the one that failed may be done
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)  # what got no answer may have come so late
    assert sweep(repository).blobs == left


def test_what_the_store_keeps_locked_is_counted_and_no_error(
    repository: Repository, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = orphan(repository, 250)
    clock.advance(2 * SWEEP_MARGIN)
    locked = set(sorted(keys(repository, BLOBS))[::5])
    locked_size = sum(f.size_bytes for f in repository.store.list(BLOBS) if f.key in locked)
    delete = repository.store.delete

    def deleting(key: str) -> None:
        if key in locked:
            raise ObjectLocked(f"'{key}' is locked")
        delete(key)

    monkeypatch.setattr(repository.store, "delete", deleting)
    assert sweep(repository) == Swept(200, size - locked_size, 50)
    assert keys(repository, BLOBS) == locked


def test_several_are_deleted_at_once_between_two_looks_at_the_lease(
    repository: Repository, clock: FakeClock
) -> None:
    orphan(repository, 1000)
    clock.advance(2 * SWEEP_MARGIN)
    counted = FaultyStore(repository.store)
    seen: list[CountProgress] = []
    sweeping = make_repository(counted, clock=clock)
    with sweeping.exclusive_lease("sweep") as lease:
        counted.calls.clear()
        assert sweeping.sweep(lease, on_progress=seen.append).blobs == 1000
    assert seen == [CountProgress("sweep", done) for done in range(1, 1001)]
    work = [(m, k) for m, k in counted.calls if k.startswith((BLOBS, LEASES)) and m != "get"]
    runs = [
        (method, len(list(group)))
        for method, group in itertools.groupby(work, lambda call: call[0])
    ]
    assert max(length for method, length in runs if method == "delete") == 100


def test_expired_leases_go_too(repository: Repository, clock: FakeClock) -> None:
    leave(repository, record("dead", exclusive=True))
    repository.store.put(f"{LEASES}broken.json", b"{")
    repository.store.put(f"{LEASES}empty.json", b"")
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
    sweep(repository)
    assert keys(repository, LEASES) == set()


def test_leases_that_hold_stay(repository: Repository, clock: FakeClock) -> None:
    clock.advance(DAY)
    with repository.exclusive_lease("sweep") as lease:
        repository.sweep(lease)
        lease.ensure_held()


ELSEWHERE = "snapshots/"
"""Where a kind of object that this version does not know keeps what refers to blobs."""


def in_snapshots(store: Store, /) -> Iterator[str]:
    """Yield the blobs that made-up snapshots refer to."""
    for found in store.list(ELSEWHERE):
        try:
            yield from store.get(found.key).decode("ascii").split()
        except UnicodeDecodeError:
            raise DamagedError(f"{found.key} cannot be read") from None


def keep_for_a_snapshot(repository: Repository, content: bytes) -> str:
    """Store a blob that a snapshot refers to; return its key."""
    name = make_writer(repository).put(content).ref.name
    repository.store.put(f"{ELSEWHERE}one", name.encode())
    return blob_key(name)


def test_what_another_kind_refers_to_stays(repository: Repository, clock: FakeClock) -> None:
    manifest = add(repository, "one", blobs(2))
    kept = keep_for_a_snapshot(repository, b"of a snapshot")
    orphan(repository, 3)
    clock.advance(2 * SWEEP_MARGIN)
    knowing = evolve(repository, roots=(in_snapshots,))
    assert knowing.sweep(None).blobs == 3
    assert repository.sweep(None).blobs == 4  # without that root it would go
    assert sweep(knowing).blobs == 3
    assert keys(repository, BLOBS) == {kept, *(blob_key(ref.name) for ref in manifest.blobs)}
    assert sweep(repository).blobs == 1


@pytest.mark.parametrize(
    "error", [DamagedError("it is cut short"), UnsupportedFormat("it is of a later version")]
)
@pytest.mark.parametrize("first", [False, True])
def test_while_any_root_cannot_be_read_nothing_goes(
    repository: Repository, clock: FakeClock, error: BackupError, *, first: bool
) -> None:
    def fails(_: Store, /) -> Iterator[str]:
        if not first:
            yield "one name"
        raise error

    add(repository, "one", blobs(2))
    orphan(repository, 3)
    clock.advance(2 * SWEEP_MARGIN)
    before = keys(repository, "")
    failing = evolve(repository, roots=(in_snapshots, fails))
    assert sweep(failing) == failing.sweep(None) == Swept(problem=error.message)
    assert keys(repository, "") == before


def test_a_root_that_is_out_of_reach_ends_the_sweep_before_it_begins(
    repository: Repository, clock: FakeClock
) -> None:
    def away(store: Store, /) -> Iterator[str]:
        raise StoreUnavailable(f"{store.url} is away")

    orphan(repository, 3)
    clock.advance(2 * SWEEP_MARGIN)
    before = keys(repository, BLOBS)
    with pytest.raises(StoreUnavailable):
        sweep(evolve(repository, roots=(away,)))
    assert keys(repository, BLOBS) == before


@pytest.mark.parametrize(("kind", "format_"), [("physical", FORMAT), ("logical", FORMAT + 1)])
def test_what_a_manifest_of_a_later_version_names_stays(
    repository: Repository, clock: FakeClock, kind: str, format_: int
) -> None:
    manifest = add(repository, "one", blobs(2))
    add(repository, "two", blobs(1))
    orphan(repository, 2)
    plain = json.loads(manifest_to_bytes(manifest))
    stored = sealed(plain | {"kind": kind, "format": format_})
    repository.store.put(manifest_key("one"), stored)
    clock.advance(2 * SWEEP_MARGIN)
    apply_retention(repository, RetentionPolicy(), database=None)
    assert {blob_key(ref.name) for ref in manifest.blobs} <= keys(repository, BLOBS)
    assert repository.store.get(manifest_key("one")) == stored


UNKNOWN = (
    "wal/000000010000000000000001",
    "keys/0123/4567.json",
    "snapshots/one.json",
    "blobs.v2/aa/aabb",
    "blobs/README",
    "blobs/index/aabb.json",
    f"blobs/ff/{64 * 'a'}",
    f"blobs/aa/{64 * 'a'}.idx",
    f"lists/{64 * 'a'}",
    "lists/notes.json",
    "manifests.v2/one.json",
    "README",
)
"""Keys that this version would not make."""


def test_what_this_version_does_not_know_is_never_deleted(
    repository: Repository, clock: FakeClock
) -> None:
    for key in UNKNOWN:
        repository.store.put(key, b"of a later version")
    for number in range(4):
        add(repository, f"b{number}", blobs(number + 1))
    orphan(repository, 2)
    clock.advance(10 * DAY)
    delete_backup(repository, "b0")
    repository.unlock()
    policy = RetentionPolicy(keep_within=None, keep_last=1, most_deleted_share=1)
    report = apply_retention(repository, policy, database=None)
    assert [d.backup.name for d in report.decisions if not d.keep]
    assert report.swept_blobs
    assert sweep(repository) == Swept()
    assert {key: repository.store.get(key) for key in UNKNOWN} == dict.fromkeys(
        UNKNOWN, b"of a later version"
    )
