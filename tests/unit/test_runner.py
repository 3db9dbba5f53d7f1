"""The loop of the runner, by a simulated clock."""
# ruff: noqa: D102 - the methods are those of the protocol

import re
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from attrs import Factory, define, evolve
from tests.unit.fakes import FakeClock, make_backup

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import StoreUnavailable
from brownie_backup.model import Attempt
from brownie_backup.operations.history import History
from brownie_backup.repository.coordination.leadership import Leadership
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.stores import MemoryStore
from brownie_backup_cron.backup_job import BackupJob
from brownie_backup_cron.job import Job, ScheduledJob
from brownie_backup_cron.leader import Leader
from brownie_backup_cron.main import _purpose
from brownie_backup_cron.metrics import BACKUP, VERIFICATION, RunnerMetrics, exposition
from brownie_backup_cron.notifications import make_notifier
from brownie_backup_cron.reporter import Reporter
from brownie_backup_cron.runner import Runner
from brownie_backup_cron.timetable import Timetable
from brownie_backup_cron.verification_job import VerificationJob

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UNUSED = Reporter(
    Service(Settings(), Actor("scheduler", "tests")),
    make_notifier(Settings(), RunnerMetrics(), lambda: START),
    RunnerMetrics(),
)
"""For jobs that are asked nothing but when they were done last."""


@define
class FakeJob:
    """Takes the time that it is told to take, and writes down when it was started."""

    name: str
    clock: FakeClock
    takes: timedelta
    in_background: bool = False
    started: list[datetime] = Factory(list)

    def last_done(self, history: History, now: datetime) -> datetime:
        if self.name not in {BACKUP, VERIFICATION}:
            return now
        real: Job = BackupJob(UNUSED) if self.name == BACKUP else VerificationJob(UNUSED)
        return real.last_done(history, now)

    def start(self) -> None:
        self.started.append(self.clock.now)
        if not self.in_background:
            self.clock.advance(self.takes)

    def running(self) -> bool:
        return self.in_background and self.clock.now < self.started[-1] + self.takes

    def close(self) -> None:
        raise NotImplementedError


@define
class FakeWork:
    """A backup, a verification, and what the store knows of earlier ones."""

    backup: FakeJob
    verification: FakeJob
    known: History | None

    @property
    def backups(self) -> list[datetime]:
        return self.backup.started

    @property
    def verifications(self) -> list[datetime]:
        return self.verification.started

    def history(self) -> History:
        if self.known is None:
            raise StoreUnavailable("out of reach")
        return self.known


@define
class World:
    """A runner, and what is around it."""

    clock: FakeClock
    work: FakeWork
    runner_metrics: RunnerMetrics
    runner: Runner
    others_lead: bool = False

    def until(self, instant: datetime) -> None:
        while self.clock.now < instant:
            self.runner.step()


def world(
    schedule: str,
    verifications: str | None = None,
    *,
    zone: str = "UTC",
    start: datetime = START,
    known: History | None = None,
    reachable: bool = True,
) -> World:
    clock, runner_metrics = FakeClock(start), RunnerMetrics()
    work = FakeWork(
        FakeJob(BACKUP, clock, timedelta(seconds=30)),
        FakeJob(VERIFICATION, clock, timedelta(minutes=5), in_background=True),
        (known or History()) if reachable else None,
    )
    jobs = [ScheduledJob(work.backup, Timetable.make(schedule, zone, start))]
    if verifications:
        jobs.append(ScheduledJob(work.verification, Timetable.make(verifications, zone, start)))
    made: World

    def wait(seconds: float) -> None:
        assert seconds > 0
        clock.advance(timedelta(seconds=seconds))

    runner = Runner(
        jobs,
        history=work.history,
        may_run=lambda: not made.others_lead,
        clock=clock,
        wait=wait,
        runner_metrics=runner_metrics,
    )
    made = World(clock, work, runner_metrics, runner)
    return made


def backed_up(finished_at: datetime) -> History:
    backup = make_backup("last", finished_at)
    return History(backup)


def test_a_backup_is_made_at_each_time() -> None:
    simulated = world("0 */6 * * *")
    simulated.until(START + DAY)
    hours = [f"{run:%d %H:%M:%S}" for run in simulated.work.backups]
    assert hours == ["01 18:00:00", "02 00:00:00", "02 06:00:00", "02 12:00:00"][: len(hours)]
    assert len(hours) >= 3


@pytest.mark.parametrize("schedule", ["0 2 * * *", "30 2 * * *", "30 1 * * *", "45 1 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_one_run_a_local_date_through_both_changes_of_a_year(schedule: str, zone: str) -> None:
    simulated = world(schedule, zone=zone)
    simulated.work.backup.takes = timedelta(minutes=20)
    dates: list[date] = []
    local = ZoneInfo(zone)
    # The weeks around the changes, one after the other.
    for first in ("2026-03-01", "2026-03-26", "2026-04-01", "2026-09-30", "2026-10-22"):
        begin = datetime.fromisoformat(first).replace(hour=12, tzinfo=UTC)
        simulated = world(schedule, zone=zone, start=begin)
        simulated.until(begin + 12 * DAY)
        dates = [run.astimezone(local).date() for run in simulated.work.backups]
        assert dates == [dates[0] + n * DAY for n in range(len(dates))]
        assert len(dates) in {11, 12, 13}


def test_an_hourly_backup_is_made_in_both_hours_of_one_name() -> None:
    start = datetime(2026, 10, 24, 20, 30, tzinfo=UTC)
    simulated = world("0 * * * *", zone="Europe/Berlin", start=start)
    simulated.until(start + 8 * HOUR)
    assert len(simulated.work.backups) == 8


def test_missed_runs_are_made_up_for_by_one() -> None:
    simulated = world("0 2 * * *", known=backed_up(START - 5 * DAY))
    simulated.until(START + DAY)
    assert simulated.work.backups == [START, START + 14 * HOUR]
    assert simulated.runner_metrics.counted("catch_ups", BACKUP) == 1


def test_nothing_is_made_up_for_if_nothing_was_missed() -> None:
    simulated = world("0 2 * * *", known=backed_up(START - HOUR))
    simulated.until(START + 13 * HOUR)
    assert simulated.work.backups == []


def test_of_an_empty_store_nothing_was_missed() -> None:
    simulated = world("0 2 * * *")
    simulated.until(START + 13 * HOUR)
    assert simulated.work.backups == []


def test_a_first_backup_that_was_tried_and_failed_is_made_up_for() -> None:
    tried = History(attempt=Attempt("shop", "first", START - DAY), backup_failed=True)
    simulated = world("0 2 * * *", known=tried)
    simulated.until(START + HOUR)
    assert simulated.work.backups == [START]


def test_a_store_out_of_reach_does_not_stop_the_runner() -> None:
    simulated = world("0 2 * * *", reachable=False)
    simulated.until(START + DAY)
    assert simulated.work.backups == [START + 14 * HOUR]


def test_what_was_missed_is_made_up_for_as_soon_as_the_store_is_back() -> None:
    simulated = world("0 2 * * 0", reachable=False)  # weekly; START is a Thursday
    simulated.until(START + HOUR)
    assert simulated.work.backups == []
    simulated.work.known = backed_up(START - 6 * DAY)
    simulated.until(START + HOUR + 2 * MINUTE)
    (made,) = simulated.work.backups
    assert made < START + HOUR + 2 * MINUTE
    simulated.work.known = backed_up(made)
    simulated.until(START + 2 * DAY)
    assert simulated.work.backups == [made]


def test_a_backup_from_the_future_does_not_stop_the_runner() -> None:
    simulated = world("0 2 * * *", known=backed_up(START + 400 * DAY))
    simulated.until(START + DAY)
    assert simulated.work.backups == [START + 14 * HOUR]


def test_overlap_is_skipped_and_counted() -> None:
    simulated = world("* * * * *")
    simulated.work.backup.takes = timedelta(minutes=5, seconds=30)
    simulated.until(START + timedelta(minutes=13))
    assert simulated.work.backups == [START + n * MINUTE for n in (1, 7)]
    assert simulated.runner_metrics.counted("skipped", BACKUP) == 10
    assert 'backup_runner_skipped_total{job="backup"} 10\n' in exposition(simulated.runner_metrics)


def test_after_a_long_sleep_it_runs_once() -> None:
    simulated = world("0 * * * *")
    simulated.runner.step()
    simulated.clock.advance(10 * DAY)
    simulated.until(START + 10 * DAY + MINUTE)
    assert len(simulated.work.backups) == 1


def test_a_clock_that_was_far_ahead_does_not_stop_it() -> None:
    simulated = world("0 2 * * *")
    simulated.until(START + HOUR)
    simulated.clock.now += 3650 * DAY
    simulated.until(START + 3651 * DAY)
    simulated.work.backups.clear()
    simulated.clock.now = START + 2 * HOUR
    simulated.until(START + DAY)
    assert simulated.work.backups == [START + 14 * HOUR]


def test_it_stands_by_while_another_one_leads_and_takes_over_what_that_missed() -> None:
    simulated = world("0 * * * *")
    simulated.others_lead = True
    simulated.until(START + 5 * HOUR)
    assert simulated.work.backups == []
    simulated.work.known = backed_up(START + 2 * HOUR + MINUTE)
    simulated.others_lead = False
    simulated.until(START + 6 * HOUR)
    assert len(simulated.work.backups) in {1, 2}
    assert simulated.work.backups[0] < START + 5 * HOUR + MINUTE
    assert simulated.runner_metrics.counted("catch_ups", BACKUP) == 1


def test_backups_go_on_during_a_long_verification() -> None:
    simulated = world("0 * * * *", "30 12 * * *")
    simulated.work.verification.takes = 10 * HOUR
    simulated.until(START + 5 * HOUR + MINUTE)
    assert simulated.work.verifications == [START + timedelta(minutes=30)]
    assert len(simulated.work.backups) == 5
    assert simulated.runner_metrics.running() == (VERIFICATION,)
    simulated.until(START + 11 * HOUR)
    assert simulated.runner_metrics.running() == ()


def test_a_verification_that_is_due_during_one_is_skipped_and_counted() -> None:
    simulated = world("0 0 1 1 *", "0 * * * *")
    simulated.work.verification.takes = 3 * HOUR + MINUTE
    simulated.until(START + 6 * HOUR)
    assert simulated.work.verifications == [START + HOUR, START + 5 * HOUR]
    assert simulated.runner_metrics.counted("skipped", VERIFICATION) == 3


def test_a_missed_verification_is_made_up_for() -> None:
    known = evolve(backed_up(START - HOUR), last_verified_at=START - 20 * DAY)
    simulated = world("0 2 * * *", "0 4 * * 0", known=known)
    simulated.until(START + HOUR)
    assert simulated.work.verifications == [START]
    assert simulated.runner_metrics.counted("catch_ups", VERIFICATION) == 1


def test_databases_that_share_a_store_have_a_leader_each() -> None:
    def purpose(database: str) -> str:
        url = Secret(f"postgresql:///{database}")
        return _purpose(Settings(database_url=url))

    assert purpose("shop") == purpose("shop")
    assert purpose("shop") != purpose("crm")
    assert re.fullmatch(r"runner-[0-9a-f]{16}", purpose("shop"))


class Broken(Leadership):
    """Fails once in a way that nobody thought of, then leads."""

    looks = 0

    def look(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise ZeroDivisionError
        return True


def test_a_leader_goes_on_looking_whatever_happens() -> None:
    leadership = Broken(
        MemoryStore(), "runner", elapsed=lambda: 0.0, lifetime=timedelta(milliseconds=40)
    )
    leader = Leader(leadership, RunnerMetrics(), lambda: None)
    leader.start()
    end = time.monotonic() + 10
    while leadership.looks < 3 and time.monotonic() < end:
        time.sleep(0.01)
    leader.end()
    assert leadership.looks >= 3
    assert leader.may_run()


def test_it_runs_any_job() -> None:
    clock, metrics = FakeClock(START), RunnerMetrics()
    drill = FakeJob("drill", clock, timedelta(minutes=20), in_background=True)
    runner = Runner(
        [ScheduledJob(drill, Timetable.make("*/15 * * * *", "UTC", START))],
        history=History,
        may_run=lambda: True,
        clock=clock,
        wait=lambda seconds: clock.advance(timedelta(seconds=seconds)),
        runner_metrics=metrics,
    )
    while clock.now < START + timedelta(minutes=25):
        runner.step()
    assert 'backup_runner_running{job="drill"} 1' in exposition(metrics)
    while clock.now < START + HOUR:
        runner.step()
    assert [f"{at:%M}" for at in drill.started] == ["15", "45"]
    text = exposition(metrics)
    assert 'backup_runner_skipped_total{job="drill"} 1' in text
    assert 'backup_runner_running{job="backup"} 0' in text
