"""How things stand, as the report says it."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DATABASE, DAY, NOON, FakeClock, FakeDumper, make_repository

from brownie_backup import Repository, create_backup, verify_backup
from brownie_backup.config.settings import Settings
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import DumpFailed, StoreUnavailable
from brownie_backup.hints import LIBRARY
from brownie_backup.operations.history import read_history
from brownie_backup.operations.status import report_status
from brownie_backup.operations.status_report import StatusReport
from brownie_backup.schedule import Schedule
from brownie_backup.service.documents import status_document
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

HOUR = timedelta(hours=1)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    return make_repository(clock=clock)


def report(
    *repositories: Repository, database: str | None = None, settings: Settings | None = None
) -> StatusReport:
    """Report by the clock of the first repository."""
    now = repositories[0].clock()
    settings = settings or Settings()
    return report_status(
        repositories,
        Schedule(settings.schedule, settings.timezone),
        now,
        database=database,
        policies=[settings.policy] * len(repositories),
        retention_days=settings.retention_days,
    )


def test_without_a_backup_it_is_late(repository: Repository) -> None:
    found = report(repository)
    assert (found.state, found.ready, found.last, found.last_good_age) == (
        "late",
        False,
        None,
        None,
    )
    document = status_document(found, LIBRARY)
    assert document["last_success_at"] is None
    assert document["reachable"]


def test_it_is_late_after_twice_the_interval(repository: Repository, clock: FakeClock) -> None:
    create_backup(repository, FakeDumper(), name="one")
    clock.advance(2 * DAY)
    assert report(repository).state == "ok"
    clock.advance(timedelta(seconds=1))
    assert report(repository).state == "late"
    assert report(repository, settings=Settings(schedule="0 2 * * 1-5")).state == "ok"


def test_the_interval_is_the_longest_between_runs(repository: Repository) -> None:
    found = report(repository, settings=Settings(schedule="0 2 * * 1-5"))
    assert found.interval == 3 * DAY
    assert found.next_backup > NOON


def test_the_schedule_is_in_its_zone(repository: Repository) -> None:
    found = report(repository, settings=Settings(timezone="Europe/Berlin"))
    assert status_document(found, LIBRARY)["next_backup"] == "2026-03-02T01:00:00Z"


def test_only_backups_of_the_database_count(repository: Repository) -> None:
    create_backup(repository, FakeDumper(), name="one")
    assert report(repository, database="shop").ready
    other = report(repository, database="another")
    assert (other.ready, other.last) == (False, None)
    document = status_document(other, LIBRARY)
    assert (document["backups"], document["last_good"]) == (1, None)
    assert messages(other) == ["there is no good backup of 'another'"]


def test_a_database_that_is_not_named_is_the_only_one_or_none(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="one")
    found = report(repository)
    assert (found.database, found.state) == ("shop", "ok")
    clock.advance(HOUR)
    create_backup(repository, FakeDumper(database=evolve(DATABASE, name="tills")), name="two")
    found = report(repository)
    assert (found.database, found.last_good, found.state) == (None, None, "late")
    assert messages(found) == [
        "which database this is about is not known; there are backups of 'shop', 'tills'"
    ]
    assert report(repository, database="tills").state == "ok"


def test_an_unencrypted_backup_is_no_comfort_while_encryption_is_on(
    repository: Repository, clock: FakeClock
) -> None:
    clear = make_repository(repository.store, encryptor=Cleartext(), clock=clock)
    create_backup(clear, FakeDumper(), name="planted")
    assert report(repository).state == "late"
    assert report(clear).state == "ok"
    clock.advance(HOUR)
    create_backup(repository, FakeDumper(), name="ours")
    assert report(repository).state == "ok"
    clock.advance(HOUR)
    create_backup(clear, FakeDumper(), name="planted-again")
    found = report(repository)
    assert found.last_good is not None
    assert found.last_good.name == repository.backup("latest").name == "ours"
    assert found.state == "degraded"
    (message,) = messages(found)
    assert "'planted-again' in memory:" in message
    assert "not encrypted" in message
    clock.advance(3 * DAY)
    assert report(repository).state == "late"


def test_a_failed_backup_is_told_although_an_earlier_one_is_good(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="good")
    clock.advance(HOUR)
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(fail_after=10), name="bad")
    found = report(repository, database="shop")
    assert (found.state, found.ready) == ("degraded", True)
    assert messages(found) == [
        "the last backup of 'shop', begun at 2026-03-01 13:00:00 UTC as 'bad', has failed"
    ]
    clock.advance(HOUR)
    create_backup(repository, FakeDumper(), name="again")
    assert report(repository, database="shop").state == "ok"


def test_a_planted_unencrypted_backup_hides_no_failed_one(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="good")
    clock.advance(HOUR)
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(fail_after=10), name="bad")
    clock.advance(HOUR)
    clear = make_repository(MemoryStore(clock), encryptor=Cleartext(), clock=clock)
    create_backup(clear, FakeDumper(), name="planted")
    for found in clear.store.list(""):
        if found.key.startswith(("manifests/", "blobs/")):
            repository.store.put(found.key, clear.store.get(found.key))
    assert report(repository, database="shop").failed_attempt is not None


def test_a_running_backup_has_not_failed(repository: Repository, clock: FakeClock) -> None:
    create_backup(repository, FakeDumper(), name="good")
    clock.advance(HOUR)
    seen = []

    def look() -> None:
        found, history = report(repository, database="shop"), read_history([repository], "shop")
        seen.append((found.state, history.backup_failed, history.backup_running))

    create_backup(repository, FakeDumper(piece=10_000, meanwhile=look), name="running")
    assert set(seen) == {("ok", False, True)}
    assert not read_history([repository], "shop").backup_running


def messages(found: StatusReport) -> list[str]:
    return [finding.message for finding in found.findings]


def test_a_damaged_backup_is_the_last_and_no_success(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="good")
    clock.advance(HOUR)
    made = create_backup(repository, FakeDumper(size(2)), name="bad").manifest
    repository.store.delete(f"blobs/{made.blobs[-1].name[:2]}/{made.blobs[-1].name}")
    found = report(repository)
    assert found.state == "degraded"
    assert found.last is not None
    assert (found.last.name, found.last.good) == ("bad", False)
    assert found.last_good is not None
    assert found.last_good.name == "good"
    assert status_document(found, LIBRARY)["damaged"] == ["bad"]
    assert any("1 damaged backup: 'bad'" in message for message in messages(found))
    assert not any("has failed" in each for each in messages(report(repository, database="shop")))


def size(seed: int) -> dict[str, bytes]:
    """Return the parts of another database than usual."""
    return {"inventory": b"{}", "archive": bytes([seed]) * 3000}


def test_it_knows_what_was_verified_last(repository: Repository, clock: FakeClock) -> None:
    dumper = FakeDumper()
    for name in ("a", "b"):
        create_backup(repository, dumper, name=name)
        clock.advance(HOUR)
    verify_backup(repository, dumper, "b")
    clock.advance(HOUR)
    verify_backup(repository, dumper, "a")
    document = status_document(report(repository), LIBRARY)
    assert document["last_verified"] == "a"
    assert document["last_verified_at"] == "2026-03-01T15:00:00Z"


def test_it_says_what_the_retention_would_delete(repository: Repository, clock: FakeClock) -> None:
    for name in ("old", "new"):
        create_backup(repository, FakeDumper(), name=name)
        clock.advance(40 * DAY)
    assert status_document(report(repository), LIBRARY)["would_delete"] == ["old"]


def test_a_store_out_of_reach_is_told_and_hides_no_other(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="one")
    gone = StoreUnavailable("gone")
    away = evolve(repository, store=FaultyStore(MemoryStore(clock), fail_at=1, error=gone))
    document = status_document(report(away, repository), LIBRARY)
    assert (document["reachable"], document["problem"]) == (False, "gone")
    assert document["copies"][0]["last_good"]["name"] == "one"
    assert (document["state"], document["ready"]) == ("degraded", True)
