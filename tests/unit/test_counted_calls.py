"""A run asks each of its stores once for what it has to know.

Whatever becomes of a store in a run, it sees

- one catalogue read: one listing of ``manifests/``, one of ``verifications/``, and no manifest is
  got twice (one that the run puts is read back, which is its first time);
- one listing of ``blobs/``, and none in a run that has one store and no need of it;
- one lease, put once but for renewals, and deleted once.
"""
# ruff: noqa: D102 - the methods are those of the protocols

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import pytest
from attrs import evolve
from tests.unit.fakes import (
    NOON,
    FakeDumper,
    FakeSnapshot,
    make_repository,
    noise,
    read_back,
    tune,
)
from tests.unit.several import HangingStore, Wrapper, blob_puts, content, named, repositories

from brownie_backup import (
    Manifest,
    create_backup,
    delete_backup,
    list_backups,
    sync_backups,
    verify_backup,
)
from brownie_backup.errors import StoreFull
from brownie_backup.format.layout import (
    BLOBS,
    HOLDS,
    LEASES,
    MANIFESTS,
    VERIFICATIONS,
    blob_key,
    manifest_key,
)
from brownie_backup.model import Part, PartKind, PartSpec, Segment, WalPosition
from brownie_backup.protocols import Store, Unchanged

pytestmark = [pytest.mark.usefixtures("_small_blobs"), pytest.mark.once]

OLD, NEW = noise(1, 4000), noise(2, 4000)
NAMES = ("primary", "first", "second")
RANGES = 40


class CountingStore(Wrapper):
    """Counts the calls by method and key."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.calls: Counter[tuple[str, str]] = Counter()

    def before(self, method: str, key: str) -> None:
        self.calls[method, key] += 1

    def of(self, method: str, prefix: str) -> dict[str, int]:
        """Return how often a method was called for each key of that prefix."""
        return {
            key: count
            for (called, key), count in self.calls.items()
            if called == method and key.startswith(prefix)
        }


def counting(*stores: Store) -> tuple[CountingStore, ...]:
    return tuple(CountingStore(store) for store in stores)


def assert_read_once(*stores: CountingStore, listings: int = 1) -> None:
    """See that each store was asked once for what a run has to know.

    Args:
        stores: those of one run.
        listings: how often each was asked for all its blobs.
    """
    for store in stores:
        assert store.calls["list", MANIFESTS] == 1, store.url
        assert store.calls["list", VERIFICATIONS] == 1, store.url
        assert {*store.of("get", MANIFESTS).values()} <= {1}, store.url
        assert {*store.of("get", VERIFICATIONS).values()} <= {1}, store.url
        assert store.calls["list", BLOBS] == listings, store.url
        assert [*store.of("put", LEASES).values()] == [1], store.url
        assert [*store.of("delete", LEASES).values()] == [1], store.url
        assert store.of("put", LEASES).keys() == store.of("delete", LEASES).keys(), store.url


def make(stores: Sequence[Store], name: str, parts: Mapping[str, bytes]) -> list[bool]:
    """Back up to all stores; return which have the backup."""
    repository, *copies = repositories(*stores)
    report = create_backup(repository, FakeDumper(parts), name=name, copies=copies, jobs=1)
    assert [sync.problems for sync in report.synced] == [()] * len(report.synced)
    return [outcome.stored for outcome in report.stores]


def assert_good(store: Store, *names: str) -> None:
    repository = make_repository(store)
    backups = list_backups(repository)
    assert {backup.name for backup in backups if backup.good} == {*names}
    for backup in backups:
        read_back(repository, backup)


class RangesDumper(FakeDumper):
    """A database with a table of many ranges, none of which ever changes."""

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[FakeSnapshot]:
        with super().snapshot() as plain:
            table = PartSpec(PartKind.TABLE, "public.t", None)
            yield Unchanging(plain.database, (*plain.parts, table))

    def split(self, part: PartSpec) -> Iterator[PartSpec] | None:
        if part.kind != PartKind.TABLE:
            return super().split(part)
        return (evolve(part, segment=str(number)) for number in range(RANGES))

    def join(self, part: PartSpec, segments: Sequence[Segment]) -> Part:
        blobs = tuple(blob for segment in segments for blob in segment.blobs)
        return Part(part.kind, sum(blob.size_bytes for blob in blobs), blobs)

    def segments(self, part: Part) -> Iterator[Segment] | None:
        if part.kind != PartKind.TABLE:
            return super().segments(part)
        return (Segment(str(number), (blob,), 1) for number, blob in enumerate(part.blobs))

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        if not part.segment:
            return (yield from super().read(part))
        yield b"a row of segment %s" % part.segment.encode()
        return 1


class Unchanging(FakeSnapshot):
    """A snapshot that shows the table unchanged since the backup ``old``."""

    def unchanged_since(self, base: Manifest) -> Unchanged:
        assert base.name == "old"
        return Unchanged(frozenset(map(str, range(RANGES))))

    def wal(self) -> WalPosition | None:
        return WalPosition(1, 1, 1, 1, 1, NOON)


# --- a backup ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_a_backup_with_copies_reads_each_store_once(count: int) -> None:
    stores = named(*NAMES[:count])
    make(stores, "old", OLD)
    watched = counting(*stores)
    assert make(watched, "new", OLD | {"archive": OLD["archive"] + b"more"}) == [True] * count
    assert_read_once(*watched)
    for store in watched:
        # Only blobs that the listing does not have are looked for one by one, before they are put.
        looked_for = store.of("list", BLOBS).keys() - {BLOBS}
        assert looked_for == store.of("put", BLOBS).keys()
        assert 0 < len(looked_for) < len([*store.list(BLOBS)])
        assert store.calls["list", HOLDS] == 1


@pytest.mark.parametrize("count", [2, 3])
def test_so_does_the_first_one(count: int) -> None:
    watched = counting(*named(*NAMES[:count]))
    assert make(watched, "new", NEW) == [True] * count
    assert_read_once(*watched)


@pytest.mark.parametrize("parts", [OLD, NEW])
@pytest.mark.parametrize("count", [2, 3])
def test_a_store_that_lacks_all_of_the_others_gets_it_in_the_same_run(
    count: int, parts: Mapping[str, bytes]
) -> None:
    """Blobs that the first store has, and the backups of earlier runs."""
    *stores, empty = named(*NAMES[:count])
    make(stores, "old", OLD)
    make(stores, "older", noise(3, 3000))
    watched = counting(*stores, empty)
    assert make(watched, "new", parts) == [True] * count
    assert_read_once(*watched)
    assert_good(empty, "old", "older", "new")
    assert content(empty) == content(stores[0])
    assert {*watched[-1].of("put", BLOBS).values()} == {1}


def test_a_copy_that_is_the_only_one_with_earlier_backups_is_read_once() -> None:
    primary, copy = named("primary", "copy")
    make([copy], "old", OLD)
    watched = counting(primary, copy)
    assert make(watched, "new", NEW) == [True, True]
    assert_read_once(*watched)
    assert_good(primary, "old", "new")


@pytest.fixture
def hang() -> Iterator[Callable[[Store], HangingStore]]:
    made: list[HangingStore] = []

    def make(store: Store) -> HangingStore:
        made.append(HangingStore(store, blob_puts))
        return made[-1]

    yield make
    for each in made:
        each.released.set()


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_late_store_catches_up_by_what_was_read(
    late: int, hang: Callable[[Store], HangingStore]
) -> None:
    tune(grace_seconds=0.2)
    stores = named(*NAMES)
    make([store for number, store in enumerate(stores) if number != late], "old", OLD)
    slow = hang(stores[late])

    class Releasing(Wrapper):
        """Lets the slow one go on when another has the backup."""

        def before(self, method: str, key: str) -> None:
            if method == "put" and key == manifest_key("new"):
                slow.released.set()

    below: list[Store] = [Releasing(store) for store in stores]
    below[late] = slow
    watched = counting(*below)
    repository, *copies = repositories(*watched)
    # No blob that only the slow one lacks: for that the run would wait.
    dumper = FakeDumper(NEW | {PartKind.INVENTORY: b"{ }"})
    report = create_backup(repository, dumper, name="new", copies=copies, jobs=1)
    assert [outcome.stored for outcome in report.stores] == [True] * 3
    assert report.stores[late].copied_blobs > 0
    assert slow.hanging
    assert report.synced[late].copied == ("old",)
    assert_read_once(*watched)
    assert_good(stores[late], "old", "new")


def test_only_a_store_that_failed_is_opened_again() -> None:
    """It may be back, but it may have been wiped meanwhile too: what was read no longer counts."""

    class Hiccup(Wrapper):
        failed = False

        def before(self, method: str, key: str) -> None:
            if blob_puts(method, key) and not self.failed:
                self.failed = True
                raise StoreFull("for a moment")

    primary, first, second = named(*NAMES)
    watched = counting(primary, Hiccup(first), second)
    repository, *copies = repositories(*watched)
    report = create_backup(repository, FakeDumper(NEW), name="new", copies=copies, jobs=1)
    assert [outcome.stored for outcome in report.stores] == [True] * 3
    assert report.synced[1].copied == ("new",)
    assert_read_once(watched[0], watched[2])
    assert watched[1].calls["list", MANIFESTS] == 2
    assert len(watched[1].of("put", LEASES)) == len(watched[1].of("delete", LEASES)) == 2


# --- one store alone -----------------------------------------------------------------------------


def test_a_small_database_in_one_store_lists_no_blobs_but_its_own() -> None:
    """Whatever else is in the store: each of its blobs is looked for by its name."""
    (store,) = named("one")
    make([store], "another", noise(3, 50_000))
    make([store], "old", OLD)
    (watched,) = counting(store)
    assert make([watched], "new", OLD) == [True]
    assert_read_once(watched, listings=0)
    its_own = [blob_key(ref.name) for ref in manifest(store, "new").blobs]
    assert watched.of("list", BLOBS) == dict.fromkeys(its_own, 1)
    assert watched.calls["list", HOLDS] == 0


def test_what_is_damaged_in_one_store_is_seen_without_a_listing() -> None:
    (store,) = named("one")
    make([store], "old", OLD)
    cut = blob_key(manifest(store, "old").blobs[2].name)
    whole = store.get(cut)
    store.put(cut, whole[:-1])
    (watched,) = counting(store)
    make([watched], "new", OLD)
    assert_read_once(watched, listings=0)
    assert store.get(cut) == whole
    assert_good(store, "old", "new")


@pytest.mark.parametrize("count", [1, 2])
def test_ranges_of_a_large_table_that_did_not_change_are_looked_for_by_one_listing(
    count: int,
) -> None:
    stores = named(*NAMES[:count])
    repository, *copies = repositories(*stores)
    create_backup(repository, RangesDumper(NEW), name="old", copies=copies, jobs=1)
    watched = counting(*stores)
    repository, *copies = repositories(*watched)
    report = create_backup(repository, RangesDumper(NEW), name="new", copies=copies, jobs=1)
    assert (report.ranges, report.skipped_ranges) == (0, RANGES)
    assert_read_once(*watched)
    streams = [ref for part in report.manifest.parts if not part.table for ref in part.blobs]
    one_by_one = watched[0].of("list", BLOBS).keys() - {BLOBS}
    assert one_by_one <= {blob_key(ref.name) for ref in streams}


# --- a sync --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_a_sync_reads_each_store_once(count: int) -> None:
    stores = named(*NAMES[:count])
    make(stores[:1], "old", OLD)
    make(stores[1:], "new", NEW)
    for nothing_to_do in (False, True):
        watched = counting(*stores)
        reports = sync_backups(repositories(*watched))
        assert [report.problems for report in reports] == [()] * count
        assert any(report.copied for report in reports) is not nothing_to_do
        assert_read_once(*watched)
        for each in watched:
            assert each.of("list", BLOBS) == {BLOBS: 1}
            assert each.calls["list", HOLDS] == 1
    for store in stores:
        assert_good(store, "old", "new")


def test_a_sync_that_mends_reads_each_store_once() -> None:
    stores = named("one", "two")
    make(stores, "old", OLD)
    blobs = [blob_key(ref.name) for ref in manifest(stores[0], "old").blobs]
    stores[0].delete(blobs[1])
    stores[1].put(blobs[2], b"cut")
    watched = counting(*stores)
    reports = sync_backups(repositories(*watched))
    assert [report.mended for report in reports] == [("old",), ("old",)]
    assert_read_once(*watched)


# --- what may happen between the reading and the copying ------------------------------------------


def test_a_backup_that_is_deleted_meanwhile_does_not_come_back() -> None:
    primary, copy = named("primary", "copy")
    make([primary], "old", OLD)
    repository, other = repositories(primary, copy)
    deleted = threading.Event()

    def delete() -> None:
        if not deleted.is_set():
            deleted.set()
            delete_backup(make_repository(primary), "old")

    dumper = FakeDumper(NEW, meanwhile=delete)
    report = create_backup(repository, dumper, name="new", copies=[other], jobs=1)
    assert report.synced[1].copied == ()
    assert_good(primary, "new")
    assert_good(copy, "new")


@pytest.mark.parametrize("again", [False, True])
def test_what_a_verification_finds_meanwhile_is_not_forgotten(*, again: bool) -> None:
    """A record of damage goes with the damage, and not the record of another one."""
    primary, copy = named("primary", "copy")
    make([primary, copy], "old", OLD)
    one, two = repositories(primary, copy)
    bad, worse = (blob_key(ref.name) for ref in one.manifest("old").blobs[1:3])
    damage(primary, bad)
    assert not verify_backup(one, FakeDumper(), "old").good

    class Meanwhile(Wrapper):
        """Has another blob go bad, and found, when the copy is judged."""

        def before(self, method: str, key: str) -> None:
            if again and (method, key) == ("list", HOLDS):
                damage(primary, worse)
                assert not verify_backup(one, FakeDumper(), "old").good

    two = evolve(two, store=Meanwhile(copy))
    (ours, _) = sync_backups([one, two])
    assert ours.mended == ("old",)
    assert bool(one.backup("old").verification) is again
    assert one.backup("old").good is not again


def damage(store: Store, key: str) -> None:
    store.put(key, b"x" * len(store.get(key)))


def manifest(store: Store, name: str) -> Manifest:
    return make_repository(store).manifest(name)
