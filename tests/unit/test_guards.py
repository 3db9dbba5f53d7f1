"""What stops a cleanup: nothing may be deleted after a failure, by a wrong clock, or en masse."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DATABASE, DAY, NOON, FakeClock, FakeDumper, make_repository, noise

from brownie_backup import (
    Repository,
    RetentionPolicy,
    RetentionReport,
    apply_retention,
    create_backup,
    delete_backup,
    list_backups,
)
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    ClockSkew,
    ConnectionFailed,
    DeletionRefused,
    DumpFailed,
    StoreUnavailable,
)
from brownie_backup.format.layout import ATTEMPTS, BLOBS, attempt_key, blob_key
from brownie_backup.hints import BackupHint
from brownie_backup.model import CLOCK_MARGIN, Attempt, Database
from brownie_backup.operations.history import read_history
from brownie_backup.repository.catalogue.holds import add_attempt, read_attempt
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")
LAST_ONE = RetentionPolicy(None, keep_last=1)
MINUTE = timedelta(minutes=1)
CRM = evolve(DATABASE, name="crm")
ELSEWHERE = evolve(DATABASE, system_identifier="7000000000000000002")


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    """Return a repository with two backups of 'shop', of which one would go."""
    repository = make_repository(clock=clock)
    back_up(repository, clock, "first", "second")
    return repository


def back_up(
    repository: Repository, clock: FakeClock, *names: str, database: Database = DATABASE
) -> None:
    for name in names:
        create_backup(repository, FakeDumper(noise(1, 2000), database=database), name=name)
        clock.advance(MINUTE)


def fail(
    repository: Repository, clock: FakeClock, name: str, database: Database = DATABASE
) -> None:
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(fail_after=500, database=database), name=name)
    clock.advance(MINUTE)


def clean_up(repository: Repository, policy: RetentionPolicy = LAST_ONE) -> RetentionReport:
    return apply_retention(repository, policy, database=None)


def rehearse(repository: Repository, policy: RetentionPolicy = LAST_ONE) -> RetentionReport:
    return apply_retention(repository, policy, database=None, dry_run=True)


def names(repository: Repository) -> list[str]:
    return [backup.name for backup in list_backups(repository)]


# --- the last backup failed ----------------------------------------------------------------------


def test_nothing_is_deleted_after_a_failed_backup(repository: Repository, clock: FakeClock) -> None:
    fail(repository, clock, "third")
    blobs = len(list(repository.store.list(BLOBS)))
    clock.advance(9 * DAY)
    with pytest.raises(DeletionRefused) as caught:
        clean_up(repository)
    assert "'shop', begun at 2026-03-01 12:02:00 UTC as 'third', is missing" in str(caught.value)
    assert caught.value.hint
    assert names(repository) == ["second", "first"]
    assert len(list(repository.store.list(BLOBS))) == blobs
    (refusal,) = rehearse(repository).refusals
    assert refusal in caught.value.message
    assert rehearse(repository).deleted == ("first",)


def test_the_next_good_backup_ends_it(repository: Repository, clock: FakeClock) -> None:
    fail(repository, clock, "third")
    back_up(repository, clock, "fourth")
    assert rehearse(repository).refusals == ()
    assert clean_up(repository).deleted == ("second", "first")


def test_a_backup_that_could_not_connect_has_failed(
    repository: Repository, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        msg = "no connection"
        raise ConnectionFailed(msg)

    with monkeypatch.context() as patch:
        patch.setattr(FakeDumper, "snapshot", refuse)
        with pytest.raises(ConnectionFailed):
            create_backup(repository, FakeDumper())
    with pytest.raises(DeletionRefused):
        clean_up(repository)
    assert len(names(repository)) == 2


def test_whichever_call_of_a_backup_fails_nothing_is_deleted_unless_it_exists() -> None:
    position = 0
    while True:
        position += 1
        clock = FakeClock()
        inner = MemoryStore(clock)
        back_up(make_repository(inner, clock=clock), clock, "first", "second")
        faulty = FaultyStore(inner, fail_at=position)
        failed = False
        try:
            create_backup(make_repository(faulty, clock=clock), FakeDumper(), name="third")
        except StoreUnavailable:
            failed = True
        clock.advance(timedelta(hours=1))  # a lease that was left behind has expired
        begun = ("put", attempt_key("shop")) in faulty.calls[: position - 1]
        repository = make_repository(inner, clock=clock)
        if failed and begun and "third" not in names(repository):
            with pytest.raises(DeletionRefused):
                clean_up(repository)
        else:
            assert "first" in clean_up(repository).deleted
        if not failed:
            break
    assert position > 15


def test_a_failure_counts_for_its_own_database_only(
    repository: Repository, clock: FakeClock
) -> None:
    back_up(repository, clock, "crm-1", "crm-2", database=CRM)
    fail(repository, clock, "crm-3", CRM)
    with pytest.raises(DeletionRefused, match="'crm'"):
        clean_up(repository)
    assert len(names(repository)) == 4
    report = apply_retention(repository, LAST_ONE, database=DATABASE.id)
    assert report.deleted == ("first",)
    with pytest.raises(DeletionRefused, match="'crm'"):
        apply_retention(repository, LAST_ONE, database=CRM.id)


def test_databases_of_one_name_in_two_clusters_do_not_stop_each_other(
    repository: Repository, clock: FakeClock
) -> None:
    back_up(repository, clock, "elsewhere", database=ELSEWHERE)
    assert apply_retention(repository, LAST_ONE, database=DATABASE.id).deleted == ("first",)


def test_where_nothing_would_go_a_failure_stops_nothing(clock: FakeClock) -> None:
    repository = make_repository(clock=clock)
    fail(repository, clock, "never")
    assert clean_up(repository).deleted == ()
    back_up(repository, clock, "first")
    fail(repository, clock, "second")
    assert clean_up(repository).deleted == ()


def test_two_backups_at_once_are_no_failure(repository: Repository, clock: FakeClock) -> None:
    """The one that was begun last ends first, and is then deleted, being the older."""

    def meanwhile() -> None:
        if "short" not in names(repository):
            clock.advance(MINUTE)
            back_up(repository, clock, "short")

    create_backup(repository, FakeDumper(meanwhile=meanwhile), name="long", jobs=1)
    assert names(repository)[:2] == ["long", "short"]
    assert rehearse(repository).deleted == ("short", "second", "first")
    repository.remove("short")
    assert clean_up(repository).deleted == ("second", "first")


def test_a_backup_that_is_deleted_by_name_was_no_failure(repository: Repository) -> None:
    delete_backup(repository, "second")
    assert list(repository.store.list(ATTEMPTS)) == []
    assert clean_up(repository).deleted == ()


def test_deleting_another_one_forgets_no_failure(repository: Repository, clock: FakeClock) -> None:
    back_up(repository, clock, "third")
    fail(repository, clock, "fourth")
    delete_backup(repository, "third")
    with pytest.raises(DeletionRefused, match="'fourth'"):
        clean_up(repository)


def test_damage_in_the_newest_is_as_good_as_a_failure(repository: Repository) -> None:
    create_backup(repository, FakeDumper(noise(7, 3000)), name="third")
    manifest = repository.manifest("third")
    repository.store.delete(blob_key(manifest.blobs[3].name))
    with pytest.raises(DeletionRefused, match="'third', is missing or not good"):
        clean_up(repository)


def test_a_record_that_cannot_be_read_stops_deletion_until_the_next_backup(
    repository: Repository, clock: FakeClock
) -> None:
    (record,) = repository.store.list(ATTEMPTS)
    repository.store.put(record.key, b"{")
    with pytest.raises(DeletionRefused, match="it is not known whether"):
        clean_up(repository)
    back_up(repository, clock, "third")
    assert clean_up(repository).deleted == ("second", "first")


def test_the_record_is_one_for_each_database_whatever_its_name(clock: FakeClock) -> None:
    repository = make_repository(clock=clock)
    odd = ("a/b", "../x", "Größe\n", "\udcff", "")
    for number, name in enumerate(odd):
        database = evolve(DATABASE, name=name)
        back_up(repository, clock, f"{number}-1", f"{number}-2", database=database)
    assert len(list(repository.store.list(ATTEMPTS))) == len(odd)
    for number, name in enumerate(odd):
        started_at = NOON + (2 * number + 1) * MINUTE
        assert read_attempt(repository.store, name) == Attempt(name, f"{number}-2", started_at)


def test_every_store_of_a_run_knows_that_it_was_begun(clock: FakeClock) -> None:
    repositories = [make_repository(clock=clock) for _ in range(2)]
    for name in ("first", "second"):
        create_backup(repositories[0], FakeDumper(), name=name, copies=repositories[1:])
        clock.advance(MINUTE)
    with pytest.raises(DumpFailed):
        create_backup(repositories[0], FakeDumper(fail_after=500), copies=repositories[1:])
    for repository in repositories:
        with pytest.raises(DeletionRefused):
            clean_up(repository)


# --- too many at once ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("going", "staying", "share", "stops"),
    [
        (4, 3, 0.5, True),
        (4, 4, 0.5, False),
        (3, 1, 0.5, False),  # few
        (4, 1, 1.0, False),
        (4, 9, 0.0, True),
        (3, 9, 0.0, False),
        (5, 45, 0.1, False),
        (6, 45, 0.1, True),
    ],
)
def test_more_than_a_share_goes_only_when_somebody_says_so(
    clock: FakeClock, going: int, staying: int, share: float, *, stops: bool
) -> None:
    repository = make_repository(clock=clock)
    back_up(repository, clock, *(f"b{number}" for number in range(going + staying)))
    policy = RetentionPolicy(None, keep_last=staying, most_deleted_share=share)
    would = rehearse(repository, policy)
    assert bool(would.refusals) is stops
    assert len(would.deleted) == going
    if stops:
        with pytest.raises(DeletionRefused) as caught:
            clean_up(repository, policy)
        text = f"{going} of {going + staying} backups of 'shop'"
        assert f"{text} of cluster {DATABASE.system_identifier} would be deleted" in str(
            caught.value
        )
        assert caught.value.hint == BackupHint.MANY_DELETED()
        assert len(names(repository)) == going + staying
    for dry_run in (True, False):
        report = apply_retention(
            repository, policy, database=None, dry_run=dry_run, yes_delete_many=True
        )
        assert (report.refusals, len(report.deleted)) == ((), going)
    assert len(names(repository)) == staying


def test_other_databases_backups_do_not_make_the_share_smaller(clock: FakeClock) -> None:
    repository = make_repository(clock=clock)
    back_up(repository, clock, *(f"shop-{number}" for number in range(6)))
    back_up(repository, clock, *(f"crm-{number}" for number in range(20)), database=CRM)
    with pytest.raises(DeletionRefused, match="5 of 6 backups of 'shop'"):
        apply_retention(repository, LAST_ONE, database=DATABASE.id)
    with pytest.raises(DeletionRefused) as caught:
        clean_up(repository)
    assert "5 of 6 backups of 'shop'" in caught.value.message
    assert "19 of 20 backups of 'crm'" in caught.value.message


def test_yes_does_not_help_after_a_failed_backup(repository: Repository, clock: FakeClock) -> None:
    fail(repository, clock, "third")
    with pytest.raises(DeletionRefused):
        apply_retention(repository, LAST_ONE, database=None, yes_delete_many=True)


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("beyond", [timedelta(0), timedelta(seconds=1)])
def test_clocks_that_are_far_apart_stop_everything(
    repository: Repository, clock: FakeClock, way: int, beyond: timedelta
) -> None:
    offset = way * (CLOCK_MARGIN + beyond)
    skewed = make_repository(repository.store, clock=FakeClock(clock.now - offset))
    if beyond:
        with pytest.raises(ClockSkew, match="5 minutes " + ("ahead of" if way > 0 else "behind")):
            clean_up(skewed)
        assert len(names(repository)) == 2
    else:
        assert clean_up(skewed).deleted == ("first",)


def test_a_clock_a_year_ahead_deletes_nothing(repository: Repository, clock: FakeClock) -> None:
    skewed = make_repository(repository.store, clock=FakeClock(clock.now + 365 * DAY))
    for policy in (RetentionPolicy(), LAST_ONE):
        with pytest.raises(ClockSkew):
            clean_up(skewed, policy)
    assert len(names(repository)) == 2


def test_an_unencrypted_backup_that_was_planted_is_no_success(
    repository: Repository, clock: FakeClock
) -> None:
    """Anyone who can write to the store can make one; it must not let honest ones be deleted."""
    fail(repository, clock, "third")
    planted = evolve(repository, codecs=evolve(repository.codecs, encryptor=Cleartext()))
    create_backup(planted, FakeDumper(), name="planted")
    # the attempt that the forger has no reason to leave behind
    add_attempt(repository.store, Attempt("shop", "third", clock() - MINUTE))
    clock.advance(MINUTE)
    with pytest.raises(DeletionRefused, match="'third', is missing or not good"):
        apply_retention(repository, LAST_ONE, database=None)
    assert read_history([repository], "shop").backup_failed
    back_up(repository, clock, "fourth")
    assert apply_retention(repository, LAST_ONE, database=None).deleted
