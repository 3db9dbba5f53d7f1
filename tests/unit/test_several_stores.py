"""One read of the database feeds several stores, and none of them can cost another the backup."""
# ruff: noqa: D102 - the methods are those of the protocols

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
from tests.unit.fakes import (
    FakeClock,
    FakeDumper,
    FakeEncryptor,
    make_repository,
    noise,
    read_back,
)
from tests.unit.several import (
    AwayStore,
    HangingStore,
    Wrapper,
    blob_puts,
    content,
    named,
    repositories,
)

from brownie_backup import BackupReport, Repository, create_backup, list_backups, sync_backups
from brownie_backup.errors import (
    BackupError,
    BackupExists,
    Busy,
    DumpFailed,
    LeaseLost,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.format.layout import (
    BLOBS,
    HOLDS,
    IDENTITY,
    LEASES,
    MANIFESTS,
    blob_key,
    manifest_key,
)
from brownie_backup.protocols import Store
from brownie_backup.testing import FaultyStore

pytestmark = [pytest.mark.usefixtures("_small_blobs"), pytest.mark.once]

OLD, NEW = noise(size_bytes=3000), noise(size_bytes=3000)
NEW["archive"] = NEW["archive"][:2000] + noise(2)["archive"][:1500]
WANTED = {"old": FakeDumper(OLD).content, "new": FakeDumper(NEW).content}
NAMES = ("primary", "first", "second")


def backup_to(
    *stores: Store,
    name: str = "new",
    parts: Mapping[str, bytes] = NEW,
    meanwhile: Callable[[], None] = lambda: None,
) -> BackupReport:
    repository, *copies = repositories(*stores)
    dumper = FakeDumper(parts, meanwhile=meanwhile)
    try:
        return create_backup(repository, dumper, name=name, copies=copies, jobs=1)
    finally:
        assert dumper.running == set()


def stored(report: BackupReport) -> list[bool]:
    return [outcome.stored for outcome in report.stores]


def good(store: Store) -> set[str]:
    """Return the names of the store's backups, after reading each back from it alone."""
    repository = make_repository(store)
    backups = list_backups(repository)
    for backup in backups:
        assert backup.good, backup.problem
        assert read_back(repository, backup) == WANTED[backup.name.split("-")[0]]
    return {backup.name for backup in backups}


def leases(store: Store) -> list[str]:
    return [found.key for found in store.list(LEASES)]


def assert_equal(*stores: Store) -> None:
    first, *others = [content(store) for store in stores]
    assert first
    for other in others:
        assert other == first


def puts(store: FaultyStore, prefix: str = BLOBS) -> list[str]:
    return [key for method, key in store.calls if method == "put" and key.startswith(prefix)]


# --- when all is well ----------------------------------------------------------------------------


def test_every_store_gets_the_same() -> None:
    stores = named(*NAMES)
    report = backup_to(*stores)
    assert [outcome.url for outcome in report.stores] == [store.url for store in stores]
    assert stored(report) == [True] * 3
    assert report.missing_stores == ()
    assert all(outcome.copied_blobs == 0 for outcome in report.stores)
    assert [sync.problems for sync in report.synced] == [()] * 3
    assert_equal(*stores)
    for store in stores:
        assert good(store) == {"new"}
        assert leases(store) == []
    assert len({store.get(IDENTITY) for store in stores}) == 1


def test_the_database_is_read_once() -> None:
    pieces: list[None] = []
    backup_to(*named(*NAMES), meanwhile=lambda: pieces.append(None))
    alone: list[None] = []
    backup_to(*named("one"), meanwhile=lambda: alone.append(None))
    assert len(pieces) == len(alone)


def test_a_new_copy_gets_by_copying_what_the_primary_has() -> None:
    primary, copy = named("primary", "copy")
    backup_to(primary, name="old", parts=OLD)
    ours, theirs = FaultyStore(primary), FaultyStore(copy)
    report = backup_to(ours, theirs)
    assert stored(report) == [True, True]
    assert report.stores[1].copied_blobs == report.reused_blobs > 0
    assert report.stores[1].copied_bytes == report.reused_bytes
    assert report.synced[1].copied == ("old",)
    assert_equal(primary, copy)
    assert good(copy) == {"old", "new"}
    assert primary.get(IDENTITY) == copy.get(IDENTITY)
    # Nothing is made again, and nothing copied twice.
    assert len(puts(ours)) == report.new_blobs
    assert len(puts(theirs)) == len({*puts(theirs)})


def test_copies_are_made_when_the_database_is_no_longer_needed() -> None:
    primary, copy = named("primary", "copy")
    backup_to(primary, name="old", parts=OLD)
    dumper = FakeDumper(OLD)

    class Watched(Wrapper):
        def before(self, method: str, key: str) -> None:
            if blob_puts(method, key):
                assert dumper.running == set()
                copied.append(key)

    copied: list[str] = []
    repository, *copies = repositories(primary, Watched(copy))
    create_backup(repository, dumper, name="new", copies=copies)
    assert copied


def test_a_wiped_primary_gets_what_it_needs_from_the_database() -> None:
    """So that it depends on no copy, and its blobs have the names that they have there."""
    primary, copy = named("primary", "copy")
    backup_to(primary, copy, name="old", parts=OLD)
    (wiped,) = named("primary")
    ours, theirs = FaultyStore(wiped), FaultyStore(copy)
    report = backup_to(ours, theirs)
    assert stored(report) == [True, True]
    assert report.synced[0].copied == ("old",)
    assert wiped.get(IDENTITY) == copy.get(IDENTITY)
    assert len(puts(theirs)) < len(puts(ours))
    assert_equal(wiped, copy)


def test_a_copy_that_was_away_catches_up_with_the_next_backup() -> None:
    primary, first, second = named(*NAMES)
    backup_to(primary, first, second, name="old", parts=OLD)
    away = AwayStore(first)
    report = backup_to(primary, away, second, name="new-1")
    assert stored(report) == [True, False, True]
    (missing,) = report.missing_stores
    assert missing.url == first.url
    assert "is out of reach" in str(missing.problem)
    assert good(first) == {"old"}
    away.away = False
    report = backup_to(primary, away, second, name="new-2")
    assert stored(report) == [True] * 3
    assert report.synced[1].copied == ("new-1",)
    assert_equal(primary, first, second)
    assert good(first) == {"old", "new-1", "new-2"}


# --- one fails -----------------------------------------------------------------------------------


def calls_of(number: int) -> int:
    """Return how many calls a run makes of one of three stores that have the old backup."""
    stores: list[Store] = prepared()
    faulty = stores[number] = FaultyStore(stores[number])
    backup_to(*stores)
    return len(faulty.calls)


def prepared() -> list[Store]:
    """Return three stores, of which the last has missed a backup and the others are equal."""
    primary, first, second = named(*NAMES)
    backup_to(primary, first, name="old", parts=OLD)
    return [primary, first, second]


@pytest.mark.once
@pytest.mark.parametrize(("failing", "after"), [(1, False), (2, False), (2, True)])
def test_whichever_call_of_a_copy_fails_the_others_have_the_backup(
    failing: int,
    after: bool,  # noqa: FBT001 - given by name
) -> None:
    outcomes = set()
    for position in range(1, calls_of(failing) + 1):
        stores = prepared()
        inner = stores[failing]
        faulty = stores[failing] = FaultyStore(inner, position, after=after)
        report = backup_to(*stores)
        has_it = stored(report)
        # A listing that would fail at its end may not be read to its end.
        assert faulty.failed or after
        for number, store in enumerate(stores):
            if number != failing:
                assert has_it[number]
                assert good(store) >= {"new"}
        # Whatever is listed is whole, and what is said to be there is.
        assert ("new" in good(inner)) >= has_it[failing]
        outcomes.add(has_it[failing])

        stores[failing] = inner
        sync_backups(repositories(*stores))
        assert_equal(*stores)
        assert good(inner) == {"old", "new"}
    # It failed once, so mostly it has caught up at the end of the same run.
    assert True in outcomes


@pytest.mark.once
@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_of_the_primary_fails_the_copies_have_the_backup(*, after: bool) -> None:
    outcomes = set()
    for position in range(1, calls_of(0) + 1):
        stores = prepared()
        inner = stores[0]
        stores[0] = FaultyStore(inner, position, after=after)
        has_it = stored(backup_to(*stores))
        outcomes.add("whole" if all(has_it) else "copies")
        assert any(has_it[1:])
        for store, has in zip((inner, *stores[1:]), has_it, strict=True):
            assert ("new" in good(store)) >= has
        stores[0] = inner
        backup_to(*stores, name="new-again")
        assert_equal(*stores)
        assert good(inner) >= {"old", "new-again"}
    assert outcomes == {"whole", "copies"}


@pytest.mark.parametrize("failing", range(3))
def test_one_that_is_full_from_some_blob_on_loses_nobody_else_the_backup(failing: int) -> None:
    class Full(Wrapper):
        def before(self, method: str, key: str) -> None:
            if blob_puts(method, key):
                self.puts = getattr(self, "puts", 0) + 1
                if self.puts > 2:
                    raise StoreFull("no room")

    stores: list[Store] = [*named(*NAMES)]
    inner = stores[failing]
    stores[failing] = Full(inner)
    report = backup_to(*stores)
    assert stored(report) == [number != failing for number in range(3)]
    assert str(report.stores[failing].problem).startswith("no room")
    assert good(inner) == set()
    assert leases(inner) == []


def test_one_that_takes_no_manifest_has_no_backup() -> None:
    class NoManifests(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(MANIFESTS):
                raise StoreFull("no room")

    primary, copy = named("primary", "copy")
    report = backup_to(primary, NoManifests(copy))
    assert stored(report) == [True, False]
    assert (good(primary), good(copy)) == ({"new"}, set())
    report = backup_to(NoManifests(copy), primary, name="new-2")
    assert stored(report) == [False, True]


def test_a_copy_that_alone_has_a_blob_and_fails_then_costs_the_primary_nothing() -> None:
    primary, copy = named("primary", "copy")
    backup_to(copy, name="old", parts=OLD)

    class Dying(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "get" and key.startswith(BLOBS):
                raise StoreUnavailable("gone")

    dying = Dying(copy)
    report = backup_to(primary, dying)
    assert report.stores[0].stored
    assert good(primary) == {"new"}


def test_a_primary_that_alone_has_a_blob_and_fails_then_is_what_is_said() -> None:
    primary, copy = named("primary", "copy")
    backup_to(primary, name="old", parts=OLD)

    class Dying(Wrapper):
        def before(self, method: str, key: str) -> None:
            if blob_puts(method, key):
                raise StoreUnavailable("the primary is gone")

    with pytest.raises(StoreUnavailable, match="the primary is gone"):
        backup_to(Dying(primary), copy)
    assert good(copy) == set()
    report = backup_to(AwayStore(primary), copy)
    assert stored(report) == [False, True]


def test_all_that_fail_are_a_clear_error_and_nothing_is_listed() -> None:
    stores = named(*NAMES)
    with pytest.raises(StoreUnavailable, match="memory:primary is out of reach"):
        backup_to(*(AwayStore(store) for store in stores))
    for store in stores:
        assert content(store) == {}

    def gone() -> None:
        for each in away:
            each.away = True

    away = [AwayStore(store, away=False) for store in stores]
    with pytest.raises(StoreUnavailable, match="memory:primary is out of reach"):
        backup_to(*away, meanwhile=gone)
    for store in stores:
        assert good(store) == set()


def test_a_primary_that_is_away_is_done_without() -> None:
    primary, first, second = named(*NAMES)
    backup_to(primary, first, name="old", parts=OLD)
    identity = primary.get(IDENTITY)
    report = backup_to(AwayStore(primary), first, second)
    assert stored(report) == [False, True, True]
    assert good(first) == good(second) == {"old", "new"}
    assert second.get(IDENTITY) == identity
    assert report.reused_blobs > 0
    report = backup_to(primary, first, second, name="new-2")
    assert report.new_blobs == len(report.manifest.blobs) - report.reused_blobs
    assert_equal(primary, first, second)


def test_a_primary_that_was_away_when_new_shares_no_names_but_gets_all() -> None:
    primary, copy = named("primary", "copy")
    backup_to(AwayStore(primary), copy, name="old", parts=OLD)
    report = backup_to(primary, copy)
    assert stored(report) == [True, True]
    assert primary.get(IDENTITY) == copy.get(IDENTITY)
    assert good(primary) == {"old", "new"}
    assert_equal(primary, copy)


def test_stores_that_were_repositories_of_their_own_can_be_copies_of_each_other() -> None:
    primary, copy = named("primary", "copy")
    backup_to(primary, name="old-1", parts=OLD)
    backup_to(copy, name="old-2", parts=OLD)
    assert primary.get(IDENTITY) != copy.get(IDENTITY)
    report = backup_to(primary, copy)
    assert stored(report) == [True, True]
    assert [sync.copied for sync in report.synced] == [("old-2",), ("old-1",)]
    assert good(primary) == good(copy) == {"old-1", "old-2", "new"}
    assert_equal(primary, copy)


def test_a_damaged_identity_leaves_only_its_store() -> None:
    primary, copy = named("primary", "copy")
    primary.put(IDENTITY, b"rubbish")
    report = backup_to(primary, copy)
    assert stored(report) == [False, True]
    assert "repository.json" in str(report.stores[0].problem)


# --- leases and names ----------------------------------------------------------------------------


def test_a_busy_primary_means_that_nothing_is_done() -> None:
    primary, copy = named("primary", "copy")
    theirs = FaultyStore(copy)
    with make_repository(primary).exclusive_lease("cleanup"), pytest.raises(Busy, match="cleanup"):
        backup_to(primary, theirs)
    assert theirs.calls == []
    assert content(primary) == {}


def test_a_busy_copy_is_left_out() -> None:
    primary, copy = named("primary", "copy")
    with make_repository(copy).exclusive_lease("cleanup"):
        report = backup_to(primary, copy)
    assert stored(report) == [True, False]
    assert "cleanup" in str(report.stores[1].problem)
    assert content(copy) == {}
    sync_backups(repositories(primary, copy))
    assert_equal(primary, copy)


@pytest.mark.parametrize("losing", range(3))
def test_a_lease_that_is_lost_in_one_store_makes_nothing_visible_there(losing: int) -> None:
    stores = named(*NAMES)

    def remove_lease() -> None:
        for key in leases(stores[losing]):
            stores[losing].delete(key)

    class Forgetful(Wrapper):
        """Refuses the sync, so that only the backup shows."""

        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(LEASES):
                self.taken = getattr(self, "taken", 0) + 1
                if self.taken > 1:
                    raise StoreFull("no second lease")

    wrapped: list[Store] = [*stores]
    wrapped[losing] = Forgetful(stores[losing])
    report = backup_to(*wrapped, meanwhile=remove_lease)
    assert stored(report) == [number != losing for number in range(3)]
    assert "lease" in str(report.stores[losing].problem)
    assert good(stores[losing]) == set()


def test_leases_that_expire_everywhere_make_nothing_visible() -> None:
    clock = FakeClock()
    stores = named(*NAMES, clock=clock)
    repository, *copies = repositories(*stores, clock=clock)
    dumper = FakeDumper(NEW, meanwhile=lambda: clock.advance(timedelta(minutes=3)))
    with pytest.raises(LeaseLost):
        create_backup(repository, dumper, copies=copies)
    for store in stores:
        assert good(store) == set()


def test_a_name_that_the_primary_has_is_refused_before_anything() -> None:
    primary, copy = named("primary", "copy")
    backup_to(primary, name="old", parts=OLD)
    theirs = FaultyStore(copy)
    with pytest.raises(BackupExists, match="memory:primary"):
        backup_to(primary, theirs, name="old", meanwhile=lambda: pytest.fail("it was read"))
    assert theirs.calls == []


def test_a_name_that_only_a_copy_has_leaves_that_copy_out_and_says_why() -> None:
    primary, copy, other = named(*NAMES)
    backup_to(copy, name="new", parts=NEW)
    kept = content(copy)
    report = backup_to(primary, copy, other)
    assert stored(report) == [True, False, True]
    assert "a backup named 'new' exists in memory:first" in str(report.stores[1].problem)
    assert any(
        "not the backup of that name" in str(problem) for problem in report.synced[1].problems
    )
    assert content(copy) == kept


def test_a_name_that_is_taken_wherever_it_could_go_is_refused_unread() -> None:
    primary, copy = named("primary", "copy")
    backup_to(copy, name="new", parts=NEW)
    with pytest.raises(BackupError, match="out of reach"):
        backup_to(AwayStore(primary), copy, meanwhile=lambda: pytest.fail("it was read"))


def test_a_failed_dump_is_visible_nowhere() -> None:
    stores = named(*NAMES)
    repository, *copies = repositories(*stores)
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(NEW, fail_after=2000), copies=copies)
    for store in stores:
        assert good(store) == set()
        assert leases(store) == []


# --- one hangs, or is slow -----------------------------------------------------------------------


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brownie_backup.pipeline.replicas.GRACE_SECONDS", 0.2)
    monkeypatch.setattr("brownie_backup.repository.deadline.ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("brownie_backup.repository.deadline.SLOWEST_BYTES_PER_SECOND", 1 << 40)


@pytest.fixture
def hang() -> Iterator[Callable[[Store, Callable[[str, str], bool]], HangingStore]]:
    made: list[HangingStore] = []

    def make(store: Store, chosen: Callable[[str, str], bool]) -> HangingStore:
        made.append(HangingStore(store, chosen))
        return made[-1]

    yield make
    for each in made:
        each.released.set()


Hang = Callable[[Store, Callable[[str, str], bool]], HangingStore]
HANGS: dict[str, Callable[[str, str], bool]] = {
    "at a blob": blob_puts,
    "at the manifest": lambda method, key: method == "put" and key.startswith(MANIFESTS),
    "at a lease": lambda method, key: method == "put" and key.startswith(LEASES),
    "at a listing of blobs": lambda method, key: method == "list" and key == BLOBS,
    "at everything": lambda method, key: True,
}


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("hanging", range(3))
@pytest.mark.parametrize("where", HANGS)
def test_one_that_hangs_for_ever_keeps_no_other_from_the_backup(
    hanging: int, where: str, hang: Hang
) -> None:
    stores: list[Store] = [*named(*NAMES)]
    inner = stores[hanging]
    stores[hanging] = hang(inner, HANGS[where])
    began = time.monotonic()
    report = backup_to(*stores)
    assert time.monotonic() - began < 30  # it hangs for sixty
    assert stored(report) == [number != hanging for number in range(3)]
    assert report.stores[hanging].problem
    for number, store in enumerate(stores):
        if number != hanging:
            assert good(store) == {"new"}
            assert leases(store) == []
    assert good(inner) == set()


@pytest.mark.usefixtures("_impatient")
def test_one_that_is_only_slow_catches_up_by_copying(
    hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownie_backup.repository.deadline.ANSWER_SECONDS", 30.0)
    primary, copy = named("primary", "copy")
    slow = hang(copy, blob_puts)
    dumper = FakeDumper(NEW)

    class Watched(Wrapper):
        """Lets the slow one go on when the primary has the backup."""

        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(MANIFESTS):
                assert dumper.running == set()
                slow.released.set()

    repository, *copies = repositories(Watched(primary), slow)
    report = create_backup(repository, dumper, name="new", copies=copies, jobs=1)
    assert stored(report) == [True, True]
    assert report.stores[1].copied_blobs > 0
    assert_equal(primary, copy)
    assert leases(copy) == []  # it is well, so nobody has to wait for its lease to expire


@pytest.mark.usefixtures("_impatient")
def test_a_slow_primary_catches_up_from_a_copy(hang: Hang) -> None:
    primary, copy = named("primary", "copy")
    slow = hang(primary, blob_puts)

    class Watched(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(MANIFESTS):
                slow.released.set()

    report = backup_to(slow, Watched(copy))
    assert stored(report) == [True, True]
    assert_equal(primary, copy)
    assert leases(primary) == []


@pytest.mark.usefixtures("_impatient")
def test_why_a_slow_one_failed_in_the_end_is_what_is_said(
    hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownie_backup.repository.deadline.ANSWER_SECONDS", 30.0)
    primary, copy = named("primary", "copy")
    slow = hang(copy, blob_puts)

    class Full(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(MANIFESTS):
                raise StoreFull("no room")

    threading.Timer(1, slow.released.set).start()
    report = backup_to(primary, Full(slow))
    assert stored(report) == [True, False]
    assert str(report.stores[1].problem).startswith("no room")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interruption_waits_for_none_that_hangs(error: BaseException, hang: Hang) -> None:
    primary, copy = named("primary", "copy")
    slow = hang(copy, blob_puts)
    pieces = iter(range(100))

    def interrupt() -> None:
        if next(pieces) == 3:
            raise error

    began = time.monotonic()
    with pytest.raises(type(error)):
        backup_to(primary, slow, meanwhile=interrupt)
    assert time.monotonic() - began < 20
    assert good(primary) == good(copy) == set()
    assert leases(primary) == []


# --- sizes, damage -------------------------------------------------------------------------------


class Grown(FakeEncryptor):
    """Its output is a byte longer, as that of gpg may be from time to time."""

    def encrypt(self, data: bytes) -> bytes:
        return super().encrypt(data) + b"!"

    def decrypt(self, data: bytes) -> bytes:
        return super().decrypt(data.removesuffix(b"!"))


def grown(*stores: Store) -> list[Repository]:
    return [make_repository(store, encryptor=Grown()) for store in stores]


def test_each_store_s_manifest_says_what_is_in_that_store() -> None:
    """What was made anew in one while the other was away may have another size there."""
    primary, copy = named("primary", "copy")
    backup_to(primary, copy, name="old", parts=OLD)
    away, copy_of = grown(AwayStore(primary), copy)
    create_backup(away, FakeDumper(NEW), name="new-1", copies=[copy_of])  # in the copy alone
    backup_to(primary, AwayStore(copy), name="new-2")  # in the primary alone
    for _ in range(2):
        reports = sync_backups(grown(primary, copy))
        assert [report.problems for report in reports] == [(), ()]
        for repository in grown(primary, copy):
            listed = list_backups(repository)
            assert [(each.name, each.problem) for each in listed if not each.good] == []
            assert {backup.name for backup in listed} == {"old", "new-1", "new-2"}
            for backup in listed:
                assert read_back(repository, backup) == WANTED[backup.name.split("-")[0]]
    repository, other = grown(primary, copy)
    report = create_backup(repository, FakeDumper(NEW), name="new-3", copies=[other])
    assert (stored(report), report.new_blobs) == ([True, True], 0)
    for each in (repository, other):
        assert all(backup.good for backup in list_backups(each))
    assert primary.get(manifest_key("new-3")) != copy.get(manifest_key("new-3"))


def test_a_blob_that_is_damaged_in_the_primary_is_stored_again_from_the_database() -> None:
    primary, copy = named("primary", "copy")
    manifest = backup_to(primary, copy, name="old", parts=OLD).manifest
    key = blob_key(manifest.blobs[3].name)
    primary.put(key, primary.get(key)[:-5])
    theirs = FaultyStore(copy)
    report = backup_to(primary, theirs, name="old-2", parts=OLD)
    assert (stored(report), report.new_blobs) == ([True, True], 1)
    assert puts(theirs) == []
    assert good(primary) == {"old", "old-2"}


def test_a_blob_that_is_damaged_in_a_copy_is_copied_from_the_primary() -> None:
    primary, copy = named("primary", "copy")
    manifest = backup_to(primary, copy, name="old", parts=OLD).manifest
    cut, gone = (blob_key(manifest.blobs[number].name) for number in (2, 3))
    copy.put(cut, copy.get(cut)[:-5])
    copy.delete(gone)
    report = backup_to(primary, copy, name="old-2", parts=OLD)
    assert (stored(report), report.new_blobs) == ([True, True], 0)
    assert report.stores[1].copied_blobs == 2
    assert_equal(primary, copy)


def test_backups_of_different_databases_at_once_do_not_disturb_each_other() -> None:
    stores = named(*NAMES)
    threads = [
        threading.Thread(target=backup_to, args=stores, kwargs={"name": f"new-{number}"})
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        assert good(store) == {"new-0", "new-1", "new-2"}
        assert leases(store) == []
    sync_backups(repositories(*stores))
    assert_equal(*stores)


def test_that_the_sync_fails_does_not_unmake_the_backup() -> None:
    class NoHolds(Wrapper):
        """Fails when the sync begins: that asks which backups are held now."""

        def before(self, method: str, key: str) -> None:
            if (method, key) == ("list", HOLDS):
                raise StoreFull("no room")

    stores = [NoHolds(store) for store in named(*NAMES)]
    report = backup_to(*stores)
    assert stored(report) == [True] * 3
    assert [str(sync.problems[0])[:7] for sync in report.synced] == ["no room"] * 3
