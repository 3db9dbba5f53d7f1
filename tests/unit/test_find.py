"""Finding a backup in several stores, restoring and verifying with one standing in for another."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import (
    DATABASE,
    NOON,
    FakeClock,
    FakeDumper,
    FakeEncryptor,
    make_repository,
    noise,
)
from tests.unit.several import AwayStore, Wrapper, named, repositories

from brownie_backup import (
    Level,
    RestoreOptions,
    RestoreReport,
    create_backup,
    list_backups,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.errors import (
    AccessDenied,
    BackupNotFound,
    DamagedError,
    DecryptionError,
    StoreUnavailable,
)
from brownie_backup.format.layout import BLOBS, LEASES, VERIFICATIONS, blob_key, manifest_key
from brownie_backup.hints import BackupHint
from brownie_backup.operations.find import find_backup
from brownie_backup.protocols import Store
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")

CONTENT = noise(size_bytes=5000)
WANTED = FakeDumper(CONTENT).content
HOUR = timedelta(hours=1)
LATER = NOON + 10 * HOUR


def both(*names: str) -> tuple[MemoryStore, MemoryStore]:
    """Return two stores with these backups, an hour after each other."""
    clock = FakeClock()
    one, two = named("one", "two", clock=clock)
    first, second = repositories(one, two, clock=clock)
    for number, name in enumerate(names):
        clock.now = NOON + number * HOUR
        create_backup(first, FakeDumper(CONTENT), name=name, copies=[second], jobs=1)
    return one, two


def restored(*stores: Store, name: str = "latest", dry_run: bool = False) -> RestoreReport:
    """Restore, and check that the data are as they were."""
    repository, *copies = repositories(*stores, clock=FakeClock(LATER))
    dumper = FakeDumper(CONTENT)
    report = restore(
        repository, dumper, name, copies=copies, target_database="target", dry_run=dry_run
    )
    assert dumper.databases == ({} if dry_run else {"target": WANTED})
    for store in stores:
        if not isinstance(store, AwayStore):
            assert list(store.list(LEASES)) == []
    return report


def said(report: RestoreReport) -> str:
    assert all(finding.level is Level.WARNING for finding in report.warnings)
    return "\n".join(f"{finding.message} ({finding.hint})" for finding in report.warnings)


def blob(store: Store, number: int, name: str = "a") -> str:
    return blob_key(make_repository(store).manifest(name).blobs[number].name)


def spoil(store: Store, key: str) -> None:
    """Change a byte, which only reading shows."""
    data = bytearray(store.get(key))
    data[-1] ^= 1
    store.put(key, bytes(data))


# --- finding -------------------------------------------------------------------------------------


def found_in(*stores: Store, name: str = "latest") -> tuple[str, str, list[str]]:
    found = find_backup(repositories(*stores, clock=FakeClock(LATER)), name)
    messages = [finding.message for finding in found.findings]
    return found.repository.store.url, found.backup.name, messages


def test_the_first_store_that_has_it_is_taken_without_a_word() -> None:
    one, two = both("a", "b")
    assert found_in(one, two) == (one.url, "b", [])
    assert found_in(two, one) == (two.url, "b", [])
    assert found_in(one, two, name="a") == (one.url, "a", [])


def shared(*databases: str) -> MemoryStore:
    """Return a store with a backup of each of these databases, an hour after each other."""
    clock = FakeClock()
    (store,) = named("shared", clock=clock)
    (repository,) = repositories(store, clock=clock)
    for number, name in enumerate(databases):
        clock.now = NOON + number * HOUR
        dumper = FakeDumper(CONTENT, database=evolve(DATABASE, name=name))
        create_backup(repository, dumper, name=f"{name}-{number}", jobs=1)
    return store


def test_the_latest_is_that_of_the_database_where_several_share_a_store() -> None:
    store = shared("shop", "crm", "shop", "crm")
    assert found_in(store) == (store.url, "crm-3", [])
    for name in ("latest", "latest-backup"):
        found = find_backup(repositories(store, clock=FakeClock(LATER)), name, whose=lambda: "shop")
        assert found.backup.name == "shop-2"
    # By its name any is found, and nobody is asked whose it is.
    assert find_backup(repositories(store), "crm-1", whose=pytest.fail).backup.name == "crm-1"


def test_without_one_of_the_database_the_latest_is_anothers_only_if_there_is_no_choice() -> None:
    stores = repositories(shared("crm", "crm"), clock=FakeClock(LATER))
    other = find_backup(stores, "latest", whose=lambda: "shop")
    assert other.backup.name == "crm-1"
    with pytest.raises(BackupNotFound, match="'shop'; they are of 'crm', 'erp'") as caught:
        find_backup(repositories(shared("crm", "erp")), "latest", whose=lambda: "shop")
    assert caught.value.hint == BackupHint.NAME_ONE_BACKUP()


def test_a_store_with_others_alone_gives_way_to_one_that_has_the_databases_own() -> None:
    found = find_backup(
        repositories(shared("crm", "erp"), shared("shop", "crm")), "latest", whose=lambda: "shop"
    )
    assert found.backup.name == "shop-0"


def test_restoring_the_latest_never_takes_another_databases_by_mistake() -> None:
    store = shared("shop", "crm")
    (repository,) = repositories(store)
    dumper = FakeDumper(CONTENT)  # of shop
    assert restore(repository, dumper, "latest").backup == "shop-0"
    assert set(dumper.databases) == {"shop"}
    (repository,) = repositories(shared("crm", "erp"))
    with pytest.raises(BackupNotFound):
        restore(repository, dumper, "latest", options=RestoreOptions(replace=True))
    assert set(dumper.databases) == {"shop"}


def test_no_store_is_asked_in_vain_for_a_name() -> None:
    one, two = both("a")
    away = AwayStore(two)
    assert found_in(one, away, name="a") == (one.url, "a", [])
    assert away.refused == 0


def test_the_latest_is_the_newest_good_one_anywhere() -> None:
    one, two = both("a", "b")
    make_repository(one).remove("b")
    url, name, messages = found_in(one, two)
    assert (url, name) == (two.url, "b")
    assert messages == [
        "the newest good backup in memory:one is 'a'",
        "'b' is taken from memory:two",
    ]


def test_latest_backup_is_the_latest_too_unless_a_backup_has_that_name() -> None:
    one, two = both("a", "b")
    assert found_in(one, two, name="latest-backup") == (one.url, "b", [])
    url, name, messages = found_in(AwayStore(one), two, name="latest-backup")
    assert (url, name) == (two.url, "b")
    assert messages == ["memory:one is out of reach", "'b' is taken from memory:two"]
    one, two = both("latest-backup", "b")
    assert found_in(one, two, name="latest-backup") == (one.url, "latest-backup", [])
    assert found_in(one, two, name="latest") == (one.url, "b", [])
    with pytest.raises(BackupNotFound, match="no good backup"):
        found_in(*named("one", "two"), name="latest-backup")


def test_what_is_damaged_in_one_store_is_taken_from_another() -> None:
    one, two = both("a", "b")
    one.delete(blob(one, 2))
    url, name, messages = found_in(one, two, name="a")
    assert (url, name) == (two.url, "a")
    assert "'a' in memory:one is damaged: 1 blob missing" in messages[0]
    assert messages[1] == "'a' is taken from memory:two"


def test_what_is_damaged_everywhere_is_taken_from_the_first() -> None:
    one, two = both("a")
    one.delete(blob(one, 2))
    two.delete(blob(two, 3))
    found = find_backup(repositories(one, two), "a")
    assert found.repository.store.url == one.url
    assert [other.store.url for other in found.others] == [two.url]
    one.put(manifest_key("a"), b"rubbish")
    assert found_in(one, two, name="a")[0] == two.url  # which has a manifest at least


def test_a_store_out_of_reach_is_passed_by_and_said() -> None:
    one, two = both("a")
    for name in ("a", "latest"):
        url, _, messages = found_in(AwayStore(one), two, name=name)
        assert url == two.url
        assert messages == ["memory:one is out of reach", "'a' is taken from memory:two"]


def test_another_backup_of_that_name_is_not_passed_off_as_the_same() -> None:
    one, two = both()
    first, second = repositories(one, two)
    create_backup(first, FakeDumper(CONTENT), name="a")
    create_backup(second, FakeDumper(CONTENT), name="a")
    one.delete(blob(one, 2))
    _, _, messages = found_in(one, two, name="a")
    assert messages[0].startswith("'a' in memory:one is a different backup, and damaged")


def test_what_is_nowhere_is_not_found_unless_some_store_could_not_be_asked() -> None:
    one, two = both("a")
    with pytest.raises(BackupNotFound, match="'z' in memory:one"):
        found_in(one, two, name="z")
    with pytest.raises(StoreUnavailable, match="memory:two"):
        found_in(one, AwayStore(two), name="z")


def test_a_store_without_the_backup_is_asked_for_blobs_last() -> None:
    one, two = both("a", "b")
    (three,) = named("three")
    make_repository(two).remove("a")
    found = find_backup(repositories(one, two, three), "a")
    assert [each.store.url for each in found.others] == [two.url, three.url]
    found = find_backup(repositories(two, three, one), "a")
    assert found.repository.store.url == one.url
    assert [each.store.url for each in found.others] == [two.url, three.url]


# --- restoring -----------------------------------------------------------------------------------


def test_a_restore_from_the_first_store_warns_of_nothing() -> None:
    one, two = both("a")
    report = restored(one, two)
    assert (report.store_url, report.warnings) == (one.url, ())


@pytest.mark.parametrize("name", ["a", "latest"])
def test_a_restore_goes_on_with_another_store_and_says_so(name: str) -> None:
    one, two = both("a")
    away = AwayStore(one)
    report = restored(away, two, name=name)
    assert report.store_url == two.url
    assert "memory:one is out of reach" in said(report)
    assert "'a' is taken from memory:two" in said(report)


def test_a_restore_of_what_is_good_here_waits_for_no_other_store() -> None:
    one, two = both("a")
    away = AwayStore(two)
    report = restored(one, away, name="a")
    assert (report.warnings, away.refused) == ((), 0)


def test_a_blob_that_is_bad_here_comes_from_another_store() -> None:
    one, two = both("a")
    spoil(one, blob(one, 2))
    report = restored(one, two)
    assert report.store_url == one.url
    assert (
        "1 blob was read from memory:two, being missing, damaged or out of reach in memory:one"
        in said(report)
    )


def test_two_stores_that_are_damaged_in_different_places_restore_together() -> None:
    one, two = both("a")
    for store, numbers in ((one, (0, 2)), (two, (3, 4))):
        for number in numbers:
            spoil(store, blob(store, number))
    for stores in ((one, two), (two, one)):
        report = restored(*stores)
        assert report.store_url == stores[0].url
        assert f"2 blobs were read from {stores[1].url}" in said(report)


def test_three_stores_that_are_damaged_each_restore_together_and_say_that() -> None:
    stores = named("one", "two", "three")
    first, *others = repositories(*stores)
    create_backup(first, FakeDumper(CONTENT), name="a", copies=others)
    keys = [blob(stores[0], number) for number in range(6)]
    for number, store in enumerate(stores):
        store.delete(keys[number])
        store.delete(keys[number + 1])
    report = restored(*stores, name="a")
    assert "'a' in memory:one is damaged" in said(report)
    assert "1 blob was read from memory:two" in said(report)
    assert "1 blob was read from memory:three" in said(report)
    assert "'a' in memory:one is damaged" in said(restored(*stores, name="a", dry_run=True))


def test_a_blob_of_a_store_that_no_longer_has_the_backup_will_do() -> None:
    one, two = both("a", "b")
    make_repository(two).remove("a")
    key = blob(one, 2)
    spoil(one, key)
    assert "1 blob was read from memory:two" in said(restored(one, two, name="a"))


def test_a_store_that_goes_away_while_it_is_read_is_not_waited_for_again() -> None:
    class Dying(Wrapper):
        def __init__(self, inner: Store) -> None:
            super().__init__(inner)
            self.reads = 0

        def before(self, method: str, key: str) -> None:
            if method == "get" and key.startswith(BLOBS):
                self.reads += 1
                if self.reads > 2:
                    raise StoreUnavailable("gone in the middle")

    one, two = both("a")
    dying = Dying(one)
    report = restored(dying, two, name="a")
    assert dying.reads <= 5  # those that were under way when it went
    assert "gone in the middle" in said(report)
    assert "read from memory:two" in said(report)


def test_a_blob_that_is_bad_everywhere_fails_the_restore() -> None:
    one, two = both("a")
    for store in (one, two):
        spoil(store, blob(store, 2))
    with pytest.raises(DamagedError, match="memory:one is damaged"):
        restored(one, two)


def test_a_wrong_key_is_a_wrong_key_in_every_store() -> None:
    one, two = both("a")
    for stores in ((one, two), (AwayStore(one), two)):
        wrong = [make_repository(store, encryptor=FakeEncryptor(b"other")) for store in stores]
        with pytest.raises(DecryptionError):
            restore(wrong[0], FakeDumper(), "a", copies=wrong[1:], target_database="target")


def test_a_wrong_key_is_told_though_a_store_went_away_meanwhile() -> None:
    one, two = both("a")
    manifest = make_repository(one).manifest("a")
    gone = make_repository(AwayStore(one), encryptor=FakeEncryptor(b"other"))
    with pytest.raises(DecryptionError):
        gone.reader(manifest, [two]).get(manifest.blobs[0])


# --- verifying -----------------------------------------------------------------------------------


def verifications(store: Store) -> int:
    return len([*store.list(VERIFICATIONS)])


def test_a_verification_is_of_one_store_though_another_has_what_is_bad_there() -> None:
    one, two = both("a")
    key = blob(one, 2)
    spoil(one, key)
    first, second = repositories(one, two)
    outcome = verify_backup(first, FakeDumper(CONTENT), "a", copies=[second])
    assert not outcome.good
    assert outcome.damaged_blobs == (key.rpartition("/")[2],)
    assert "memory:two has it" in outcome.problems[0]
    assert len(outcome.problems) == 1  # the archive was read to its end
    assert (verifications(one), verifications(two)) == (1, 0)
    assert [list_backups(each)[0].good for each in (first, second)] == [False, True]
    sync_backups((first, second))
    assert verify_backup(first, FakeDumper(CONTENT), "a", copies=[second]).good


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), AccessDenied("no right any more")])
@pytest.mark.parametrize("other", ["whole", "damaged", "away"])
def test_being_out_of_reach_is_never_recorded_as_damage(error: Exception, other: str) -> None:
    class Dying(Wrapper):
        reads = 0

        def before(self, method: str, key: str) -> None:
            if method == "get" and key.startswith(BLOBS):
                self.reads += 1
                if self.reads > 2:
                    raise error

    one, two = both("a")
    if other == "damaged":
        for found in [*two.list(BLOBS)]:
            spoil(two, found.key)
    stores: list[Store] = [Dying(one), AwayStore(two) if other == "away" else two]
    first, second = repositories(*stores)
    with pytest.raises(type(error)) as caught:
        verify_backup(first, FakeDumper(CONTENT), "a", copies=[second])
    assert caught.value is error
    assert verifications(one) == verifications(two) == 0
    assert list(one.list(LEASES)) == []


def test_a_verification_stops_reading_elsewhere_when_its_store_is_gone() -> None:
    class Dying(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "get" and key.startswith(BLOBS):
                raise StoreUnavailable("gone")

    one, two = both("a")
    watched = FaultyStore(two)
    first, second = repositories(Dying(one), watched)
    with pytest.raises(StoreUnavailable):
        verify_backup(first, FakeDumper(CONTENT), "a", copies=[second])
    assert len(watched.calls) <= 4


@pytest.mark.parametrize("spoiled", [0, 1])
def test_a_wrong_key_proves_nothing_and_is_told(spoiled: int) -> None:
    one, two = both("a")
    spoil((one, two)[spoiled], blob(one, 2))
    first, second = (
        make_repository(store, encryptor=FakeEncryptor(b"other")) for store in (one, two)
    )
    with pytest.raises(DecryptionError):
        verify_backup(first, FakeDumper(CONTENT), "a", copies=[second])
    assert verifications(one) == 0


def test_a_good_size_here_counts_though_it_is_another_there() -> None:
    one, two = both("a")
    first, second = repositories(one, two)
    key = blob(one, 2)
    two.put(key, two.get(key) + b"longer")
    assert verify_backup(first, FakeDumper(CONTENT), "a", copies=[second]).resized == {}


def test_that_the_latest_passes_over_a_later_backup_is_said() -> None:
    one, two = both("a", "b")
    repository, copy = repositories(one, two, clock=FakeClock(LATER))
    assert find_backup((repository, copy), "latest").findings == ()
    for store in (one, two):
        store.put(manifest_key("b"), b"cut short")
    found = find_backup((repository, copy), "latest")
    assert found.backup.name == "a"
    (finding,) = found.findings
    assert finding.level is Level.WARNING
    assert "'b', was begun at" in finding.message
    assert find_backup((repository, copy), "latest-backup").findings == found.findings
    assert find_backup((repository, copy), "a").findings == ()
    report = restore(repository, FakeDumper(CONTENT), "latest")
    assert [each.message for each in report.warnings] == [finding.message]
