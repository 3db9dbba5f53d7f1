"""A time in the future, from a wrong clock or a forger, passes for the newest nowhere."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DAY, NOON, FakeClock, FakeDumper, FakeEncryptor, make_repository
from tests.unit.several import named, repositories

from brownie_backup import (
    Repository,
    RestoreOptions,
    RetentionPolicy,
    create_backup,
    list_backups,
    plan_retention,
    restore,
)
from brownie_backup.compressors import Uncompressed
from brownie_backup.config.settings import Settings
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import Busy
from brownie_backup.format.layout import verification_key
from brownie_backup.model import CLOCK_MARGIN, Attempt, Verification
from brownie_backup.operations.find import find_backup
from brownie_backup.operations.guards import made_good
from brownie_backup.operations.history import read_history
from brownie_backup.operations.status import report_status
from brownie_backup.operations.status_report import StatusReport
from brownie_backup.schedule import Schedule
from brownie_backup.stores import MemoryStore

YEARS = 10 * 365 * DAY
SECOND = timedelta(seconds=1)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    """Return a repository with a backup of now, and one of ten years later."""
    repository = make_repository(clock=clock)
    clock.now = NOON + YEARS
    create_backup(repository, FakeDumper(), name="ahead")
    clock.now = NOON
    create_backup(repository, FakeDumper(), name="now")
    return repository


def status(repository: Repository) -> StatusReport:
    settings = Settings()
    schedule = Schedule(settings.schedule, settings.timezone)
    policies = [settings.policy]
    return report_status([repository], schedule, repository.clock(), policies=policies)


def restored(repository: Repository, name: str) -> str:
    report = restore(repository, FakeDumper(), name, options=RestoreOptions(replace=True))
    return report.backup


def test_it_is_not_the_latest_but_can_be_restored_by_name(repository: Repository) -> None:
    assert restored(repository, "latest") == "now"
    assert restored(repository, "ahead") == "ahead"
    clockless = evolve(repository, clock=FakeClock(NOON - YEARS))
    assert restored(clockless, "latest") == "ahead"  # our own clock is wrong


def test_it_is_listed_with_a_warning(repository: Repository) -> None:
    problems = {backup.name: backup.problem for backup in list_backups(repository)}
    assert problems == {
        "ahead": "its time lies in the future, so it does not count as the newest",
        "now": "",
    }


def test_clocks_may_differ_a_little(repository: Repository, clock: FakeClock) -> None:
    clock.now = NOON + YEARS - CLOCK_MARGIN
    assert not any(backup.ahead for backup in list_backups(repository))
    clock.now -= SECOND
    assert any(backup.ahead for backup in list_backups(repository))


def test_backups_are_late_although_there_is_one(repository: Repository, clock: FakeClock) -> None:
    report = status(repository)
    assert report.state == "degraded"
    assert report.last
    assert report.last.name == "now"
    (warning,) = report.findings
    assert "'ahead'" in warning.message
    assert "lies in the future" in warning.message
    clock.advance(7 * DAY)
    late = status(repository)
    assert (late.state, late.last_good_age) == ("late", 7 * DAY)
    (store,) = late.stores
    assert store.last_good
    assert store.last_good.name == "now"


def test_it_is_kept_and_keeps_no_other_from_counting(repository: Repository) -> None:
    backups = list_backups(repository)
    policy = RetentionPolicy(keep_within=None, keep_last=1, keep_min=1)
    plan = plan_retention(backups, policy, NOON, database=None)
    reasons = {decision.backup.name: decision.reason for decision in plan if decision.keep}
    assert reasons == {"ahead": "its time lies in the future", "now": "last (1 of 1)"}


def test_it_does_not_hide_that_backups_fail(repository: Repository) -> None:
    attempt = Attempt("shop", "failed", NOON + SECOND)
    assert not any(made_good(attempt, backup) for backup in list_backups(repository))
    history = read_history([repository], "shop")
    assert history.last_good
    assert history.last_good.name == "now"


def test_a_verification_in_the_future_does_not_put_off_the_next(
    repository: Repository, clock: FakeClock
) -> None:
    manifest = repository.manifest("now")
    repository.add_verification(
        Verification("now", manifest.id, NOON + YEARS, good=True, checked_blobs=1, total_blobs=1)
    )
    assert repository.store.get(verification_key("now"))
    assert read_history([repository], "shop").last_verified_at is None
    clock.now = NOON + YEARS
    assert read_history([repository], "shop").last_verified_at == NOON + YEARS


def test_a_lease_of_the_future_blocks_nothing_and_is_removed(clock: FakeClock) -> None:
    repository = make_repository(clock=clock)
    clock.now = NOON + YEARS
    blocking = repository.exclusive_lease("left by a wrong clock")
    blocking.__enter__()
    with pytest.raises(Busy), repository.shared_lease("backup"):
        pass
    clock.now = NOON
    with repository.shared_lease("backup"):
        pass
    assert [lease.purpose for lease in repository.unlock()] == ["left by a wrong clock"]
    assert repository.leases() == ()


def test_a_planted_backup_of_the_same_name_hides_no_encrypted_one(clock: FakeClock) -> None:
    one, two = named("one", "two", clock=clock)
    first, second = repositories(one, two, clock=clock)
    create_backup(second, FakeDumper(), name="a")
    planted = Repository(one, Uncompressed(), Cleartext(), clock=clock)
    create_backup(planted, FakeDumper(), name="a")
    found = find_backup([first, second], "a")
    assert found.repository.store.url == two.url
    assert found.backup.manifest
    assert found.backup.manifest.encrypted
    messages = [finding.message for finding in found.findings]
    assert "'a' in memory:one is a different backup, and not encrypted" in messages
    alone = find_backup([first], "a")
    assert alone.backup.manifest
    assert not alone.backup.manifest.encrypted


def test_without_encryption_the_first_store_is_enough(clock: FakeClock) -> None:
    one, two = (MemoryStore(clock), MemoryStore(clock))
    clear = [Repository(store, Uncompressed(), Cleartext(), clock=clock) for store in (one, two)]
    create_backup(clear[0], FakeDumper(), name="a")
    secret = Repository(two, Uncompressed(), FakeEncryptor(), clock=clock)
    create_backup(secret, FakeDumper(), name="a")
    assert not find_backup(clear, "a").findings
