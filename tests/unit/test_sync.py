"""Stores get from each other what they lack, as they would keep it, and lose nothing."""

from datetime import timedelta

import pytest
from tests.unit.fakes import NOON, FakeClock, FakeDumper, make_repository, noise, read_back
from tests.unit.several import AwayStore, Wrapper, content, named, repositories

from brownie_backup import (
    Problem,
    Progress,
    Repository,
    RetentionPolicy,
    StoreSync,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    sync_backups,
    verify_backup,
)
from brownie_backup.errors import Busy, DecryptionError, StoreFull, StoreUnavailable
from brownie_backup.format.layout import (
    BLOB_LISTS,
    BLOBS,
    IDENTITY,
    LEASES,
    MANIFESTS,
    blob_key,
    manifest_key,
)
from brownie_backup.protocols import Store
from brownie_backup.repository.catalogue import manifests
from brownie_backup.testing import FaultyStore

pytestmark = [pytest.mark.usefixtures("_small_blobs"), pytest.mark.once]

CONTENT = {str(number): noise(number, 3000) for number in range(4)}
DAY = timedelta(days=1)


def make(repository: Repository, *names: str) -> None:
    for name in names:
        create_backup(repository, FakeDumper(CONTENT[name]), name=name, jobs=1)


def names(store: Store) -> set[str]:
    """Return the names of the store's backups, after reading each back from it alone."""
    repository = make_repository(store)
    backups = list_backups(repository)
    for backup in backups:
        assert backup.good, backup.problem
        assert read_back(repository, backup) == FakeDumper(CONTENT[backup.name]).content
    return {backup.name for backup in backups}


def problems(*reports: StoreSync) -> list[str]:
    return [str(problem) for report in reports for problem in report.problems]


def blobs_of(repository: Repository, name: str) -> list[str]:
    return [blob_key(ref.name) for ref in repository.manifest(name).blobs]


# --- copying -------------------------------------------------------------------------------------


def test_each_store_gets_what_the_others_have() -> None:
    stores = named("one", "two", "three")
    one, two, three = repositories(*stores)
    make(one, "0", "1")
    make(two, "2")
    seen: list[Progress] = []
    reports = sync_backups((one, two, three), on_progress=seen.append)
    assert [set(report.copied) for report in reports] == [{"2"}, {"0", "1"}, {"0", "1", "2"}]
    assert [report.url for report in reports] == [store.url for store in stores]
    assert problems(*reports) == []
    for store in stores:
        assert names(store) == {"0", "1", "2"}
        assert list(store.list(LEASES)) == []
    assert content(stores[0]) == content(stores[1]) == content(stores[2])
    assert seen[-1].done_bytes == sum(report.copied_bytes for report in reports)
    assert seen[-1].phase == "sync"


def test_a_second_time_there_is_nothing_to_do() -> None:
    stores = named("one", "two")
    make(repositories(*stores)[0], "0", "1")
    sync_backups(repositories(*stores))
    watched = [FaultyStore(store) for store in stores]
    reports = sync_backups(repositories(*watched))
    assert reports == tuple(StoreSync(store.url) for store in stores)
    for store in watched:
        assert all(key.startswith(LEASES) for method, key in store.calls if method == "put")


def test_shared_blobs_are_copied_once() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    for name in ("a", "b", "c"):
        create_backup(one, FakeDumper(CONTENT["0"]), name=name)
    (_, report) = sync_backups((one, two))
    assert len(report.copied) == 3
    assert report.copied_blobs == len(set(blobs_of(one, "a")))
    assert report.copied_bytes == one.manifest("a").stored_bytes


def test_no_key_is_needed() -> None:
    class NoKey:
        method = "fake"

        def identity(self, salt: bytes) -> str:
            raise DecryptionError(str(len(salt)))

        encrypt = decrypt = identity

    stores = named("one", "two")
    make(repositories(*stores)[0], "0")
    sync_backups([make_repository(store, encryptor=NoKey()) for store in stores])  # type: ignore[arg-type]
    assert names(stores[1]) == {"0"}


def test_a_store_that_was_empty_becomes_a_repository_like_the_others() -> None:
    stores = named("one", "two", "three")
    one, two, three = repositories(*stores)
    make(one, "0")
    sync_backups((two, one, three))
    assert len({store.get(IDENTITY) for store in stores}) == 1


def test_stores_of_different_identities_take_each_others_backups() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    make(two, "1")
    identities = [store.get(IDENTITY) for store in stores]
    sync_backups((one, two))
    assert [store.get(IDENTITY) for store in stores] == identities
    assert identities[0] != identities[1]
    assert names(stores[0]) == names(stores[1]) == {"0", "1"}


def test_lists_of_blobs_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "INLINE_BLOBS", 2)
    stores = named("one", "two")
    make(repositories(*stores)[0], "0")
    assert len([*stores[0].list(BLOB_LISTS)]) >= 2
    sync_backups(repositories(*stores))
    assert content(stores[0]) == content(stores[1])
    assert names(stores[1]) == {"0"}


def test_the_newest_comes_first() -> None:
    clock = FakeClock()
    stores = named("one", "two", clock=clock)
    one, two = repositories(*stores, clock=clock)
    for name in ("0", "2", "1", "3"):
        make(one, name)
        clock.advance(DAY)
    assert sync_backups((one, two))[1].copied == ("3", "1", "2", "0")


def test_a_store_gets_only_what_its_own_policy_keeps() -> None:
    clock = FakeClock()
    stores = named("one", "two", clock=clock)
    one, two = repositories(*stores, clock=clock)
    for name in ("0", "1", "2", "3"):
        make(one, name)
        clock.advance(DAY)
    policies = (RetentionPolicy(), RetentionPolicy(keep_within=None, keep_last=2))
    _, report = sync_backups((one, two), policies=policies)
    assert report.copied == ("3", "2")
    assert problems(report) == []
    make(two, "0")
    clock.advance(DAY)
    assert sync_backups((one, two), policies=policies)[1].copied == ()


def test_what_has_more_good_ones_than_the_policy_keeps_is_not_filled_up() -> None:
    """Damaged ones of the source count as good when they are to be copied, and not twice."""
    clock = FakeClock()
    stores = named("one", "two", clock=clock)
    one, two = repositories(*stores, clock=clock)
    make(one, "0")
    clock.advance(40 * DAY)
    make(one, "1")
    _, report = sync_backups((one, two), policies=[RetentionPolicy(keep_within=30 * DAY)] * 2)
    assert report.copied == ("1",)


def test_a_hold_goes_with_its_backup() -> None:
    clock = FakeClock()
    stores = named("one", "two", clock=clock)
    one, two = repositories(*stores, clock=clock)
    make(one, "0")
    hold_backup(one, "0", until=NOON + 100 * DAY)
    clock.advance(40 * DAY)
    make(one, "1")
    sync_backups((one, two))
    held = {backup.name: backup.hold for backup in list_backups(two)}
    assert held["0"]
    assert held["0"].until == NOON + 100 * DAY
    assert held["1"] is None


# --- what must not be copied ---------------------------------------------------------------------


def test_another_backup_of_the_same_name_stays_and_is_told_of() -> None:
    stores = named("one", "two", "three")
    one, two, three = repositories(*stores)
    make(one, "0", "1")
    create_backup(two, FakeDumper(CONTENT["1"]), name="0")
    before = [store.get(manifest_key("0")) for store in stores[:2]]
    reports = sync_backups((one, two, three))
    assert [len(report.problems) for report in reports] == [1, 1, 0]
    assert "0 is not the backup of that name in memory:two" in str(reports[0].problems[0])
    assert "0 is not the backup of that name in memory:one" in str(reports[1].problems[0])
    assert [store.get(manifest_key("0")) for store in stores[:2]] == before
    assert {*reports[1].copied} == {"1"}
    assert stores[2].get(manifest_key("0")) == before[0]


def test_a_manifest_that_cannot_be_read_is_neither_copied_nor_replaced() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0", "1")
    make(two, "2")
    stores[0].put(manifest_key("0"), b"rubbish")
    stores[1].put(manifest_key("1"), b"rubbish")
    ours, theirs = sync_backups((one, two))
    assert (ours.copied, theirs.copied) == (("2",), ())
    assert [str(problem).partition(":")[0] for problem in ours.problems] == []
    assert sorted(str(problem).partition(": ")[0] for problem in theirs.problems) == [
        "0 is not copied",
        "1, which memory:one has, cannot be compared",
    ]
    assert stores[0].get(manifest_key("0")) == stores[1].get(manifest_key("1")) == b"rubbish"


def test_a_backup_with_a_blob_that_is_whole_nowhere_is_not_begun() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0", "1")
    stores[0].delete(blobs_of(one, "0")[2])
    ours, theirs = sync_backups((one, two))
    assert ours.problems == (Problem("0: 1 of its blobs is missing or damaged in every store"),)
    assert theirs.problems == (
        Problem("0 is not copied: 1 of its blobs is missing or damaged in every store"),
    )
    assert theirs.copied == ("1",)
    assert names(stores[1]) == {"1"}
    assert {found.key for found in stores[1].list(BLOBS)} == {*blobs_of(one, "1")}


def test_what_was_deleted_everywhere_does_not_come_back_but_from_where_it_is() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0", "1")
    sync_backups((one, two))
    delete_backup(one, "0", copies=[two])
    delete_backup(one, "1")
    ours, theirs = sync_backups((one, two))
    assert (ours.copied, theirs.copied) == (("1",), ())


# --- mending -------------------------------------------------------------------------------------


def test_each_store_mends_the_other() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    sync_backups((one, two))
    whole = content(stores[0])
    missing, cut = blobs_of(one, "0")[1:3]
    stores[0].delete(missing)
    stores[1].put(cut, stores[1].get(cut)[:-1])
    reports = sync_backups((one, two))
    assert [report.mended for report in reports] == [("0",), ("0",)]
    assert [report.copied_blobs for report in reports] == [1, 1]
    assert problems(*reports) == []
    assert content(stores[0]) == content(stores[1]) == whole
    assert names(stores[0]) == names(stores[1]) == {"0"}


def test_what_a_verification_found_is_mended_and_counts_as_good_again() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    sync_backups((one, two))
    bad = blobs_of(one, "0")[1]
    stores[0].put(bad, b"x" * len(stores[0].get(bad)))
    assert not verify_backup(one, FakeDumper(), "0").good
    assert not list_backups(one)[0].good
    reports = sync_backups((one, two))
    assert [report.mended for report in reports] == [("0",), ()]
    assert content(stores[0]) == content(stores[1])
    assert names(stores[0]) == {"0"}
    assert sync_backups((one, two))[0] == StoreSync(stores[0].url)


def test_what_is_just_as_bad_elsewhere_mends_nothing() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    bad = blobs_of(one, "0")[1]
    stores[0].put(bad, b"x" * len(stores[0].get(bad)))
    sync_backups((one, two))
    assert not verify_backup(one, FakeDumper(), "0").good
    ours, _ = sync_backups((one, two))
    assert ours.mended == ()
    assert "could not be read in full from memory:two" in str(ours.problems[0])
    assert not list_backups(one)[0].good


def test_blobs_are_mended_from_a_store_without_that_backup() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    create_backup(one, FakeDumper(CONTENT["0"]), name="same")
    policies = (RetentionPolicy(), RetentionPolicy(keep_within=None, keep_last=1))
    sync_backups((one, two), policies=policies)
    assert len(list_backups(two)) == 1
    for key in blobs_of(one, "0"):
        stores[0].delete(key)
    assert {*sync_backups((one, two), policies=policies)[0].mended} == {"0", "same"}
    assert all(backup.good for backup in list_backups(one))


def test_what_can_be_mended_is_though_not_all_can() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    sync_backups((one, two))
    first, second = blobs_of(one, "0")[1:3]
    stores[0].delete(first)
    stores[0].delete(second)
    stores[1].delete(second)
    ours, theirs = sync_backups((one, two))
    assert (ours.mended, theirs.mended) == (("0",), ())
    assert stores[0].get(first) == stores[1].get(first)
    assert len(ours.problems) == len(theirs.problems) == 1
    assert not list_backups(one)[0].good


def test_a_wiped_store_gets_everything_back() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0", "1")
    sync_backups((one, two))
    (fresh,) = named("one")
    sync_backups(repositories(fresh, stores[1]))
    assert content(fresh) == content(stores[1])
    assert fresh.get(IDENTITY) == stores[1].get(IDENTITY)


# --- stores that fail ----------------------------------------------------------------------------


def test_a_store_that_is_away_keeps_no_other_from_anything() -> None:
    stores = named("one", "two", "three")
    make(repositories(*stores)[0], "0")
    away = AwayStore(stores[1])
    reports = sync_backups(repositories(stores[0], away, stores[2]))
    assert [report.copied for report in reports] == [(), (), ("0",)]
    assert [bool(report.problems) for report in reports] == [False, True, False]
    assert "is out of reach" in str(reports[1].problems[0])


def test_a_busy_store_is_left_out_and_says_so() -> None:
    stores = named("one", "two")
    one, two = repositories(*stores)
    make(one, "0")
    with two.exclusive_lease("cleanup"):
        _, report = sync_backups((one, two))
    assert report.copied == ()
    assert "cleanup" in str(report.problems[0])


def test_when_no_store_can_be_worked_in_it_raises() -> None:
    one, two = repositories(*(AwayStore(store) for store in named("one", "two")))
    with pytest.raises(StoreUnavailable, match="memory:one"):
        sync_backups((one, two))
    one, two = repositories(*named("one", "two"))
    with one.exclusive_lease("cleanup"), two.exclusive_lease("cleanup"), pytest.raises(Busy):
        sync_backups((one, two))


def test_a_source_that_goes_away_is_not_the_targets_fault() -> None:
    class Dying(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "get" and key.startswith(BLOBS):
                raise StoreUnavailable("the source is gone")

    stores = named("one", "two", "three")
    one, two, three = repositories(*stores)
    make(one, "0")
    make(three, "1")
    dying = repositories(Dying(stores[0]))[0]
    reports = sync_backups((dying, two, three))
    assert reports[1].copied == ("1",)
    assert str(reports[1].problems[0]).startswith("0: ")
    assert "the source is gone" in str(reports[1].problems[0])
    assert reports[0].copied == ("1",)


def test_a_target_that_is_full_says_so_once() -> None:
    class Full(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(BLOBS):
                raise StoreFull("no room")

    stores = named("one", "two")
    make(repositories(*stores)[0], "0", "1")
    _, report = sync_backups(repositories(stores[0], Full(stores[1])))
    assert report.problems == (Problem("no room"),)
    assert names(stores[1]) == set()
    assert list(stores[1].list(LEASES)) == []


@pytest.mark.parametrize("losing", [0, 1])
def test_a_lost_lease_makes_nothing_visible(losing: int) -> None:
    stores = named("one", "two")
    one, _ = repositories(*stores)
    make(one, "0", "1")

    class Losing(Wrapper):
        """Loses our lease when a blob is put."""

        def before(self, method: str, key: str) -> None:
            if method == "put" and key.startswith(BLOBS):
                for found in stores[losing].list(LEASES):
                    stores[losing].delete(found.key)

    _, report = sync_backups((one, repositories(Losing(stores[1]))[0]))
    # Reading from a store needs no lease: what a cleanup removes meanwhile is missed at once.
    assert bool(report.problems) == (losing == 1)
    assert names(stores[1]) == (set() if losing else {"0", "1"})


@pytest.mark.once
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("failing", [0, 1])
def test_whichever_call_fails_only_whole_backups_are_listed_and_a_repeat_completes(
    failing: int, *, after: bool
) -> None:
    def prepared() -> list[Store]:
        stores = named("one", "two")
        one, two = repositories(*stores)
        make(one, "0", "1")
        make(two, "2")
        return [*stores]

    stores = prepared()
    watched = stores[failing] = FaultyStore(stores[failing])
    sync_backups(repositories(*stores))
    for position in range(1, len(watched.calls) + 1):
        stores = prepared()
        inner = stores[failing]
        stores[failing] = FaultyStore(inner, position, after=after)
        reports = sync_backups(repositories(*stores))
        stores[failing] = inner
        for store, report in zip(stores, reports, strict=True):
            assert names(store) >= {*report.copied}
        sync_backups(repositories(*stores))
        assert content(stores[0]) == content(stores[1])
        assert names(stores[0]) == {"0", "1", "2"}


def test_nothing_is_ever_deleted() -> None:
    class Keeping(Wrapper):
        def delete(self, key: str) -> None:
            assert key.startswith(LEASES)
            super().delete(key)

    clock = FakeClock()
    stores = named("one", "two", clock=clock)
    one, two = repositories(*(Keeping(store) for store in stores), clock=clock)
    make(one, "0")
    make(two, "1")
    clock.advance(400 * DAY)
    make(one, "2")
    before = content(stores[0])
    sync_backups((one, two))
    after = content(stores[0])
    assert before.items() <= after.items()
    assert {key for key in after if key.startswith(MANIFESTS)} >= {manifest_key("0")}
