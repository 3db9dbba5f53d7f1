"""When a runner's jobs are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup_cron.timetable import Timetable

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def daily(now: datetime = NOW) -> Timetable:
    return Timetable.make("0 2 * * *", "UTC", now)


def test_nothing_is_due_at_first() -> None:
    assert daily().due == NOW + 14 * HOUR


def test_many_missed_runs_are_one() -> None:
    table = daily()
    assert table.begin(NOW - 10 * DAY, NOW)
    assert table.due == NOW
    assert table.ran(NOW, NOW + HOUR) == 0
    assert table.due == NOW + 14 * HOUR


def test_what_was_done_is_not_missed() -> None:
    table = daily()
    assert not table.begin(NOW - 10 * HOUR, NOW)
    assert table.due == NOW + 14 * HOUR


def test_runs_during_a_run_are_skipped_and_counted() -> None:
    table = Timetable.make("*/10 * * * *", "UTC", NOW)
    began = table.due
    assert table.ran(began, began + timedelta(minutes=35)) == 3
    assert table.due == began + timedelta(minutes=40)


def test_a_clock_that_is_put_back_does_not_repeat_a_run() -> None:
    table = daily()
    due = table.due
    assert table.ran(due, due - timedelta(seconds=5)) == 0
    assert table.due == due + DAY


@given(st.floats(0, 1), st.sampled_from(["* * * * *", "0 * * * *", "0 2 * * *"]))
def test_jitter_is_never_so_much_that_a_run_meets_the_next(share: float, schedule: str) -> None:
    table = Timetable.make(schedule, "UTC", NOW, most_jitter=HOUR, jitter=lambda most: most * share)
    for _ in range(5):
        late = table.due - table.scheduled
        assert timedelta(0) <= late <= HOUR
        before = table.scheduled
        assert table.ran(table.due, table.due) == 0
        assert before < table.due - late or not late
        assert table.scheduled - before in {timedelta(minutes=1), HOUR, DAY}


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Europe/Berlin", datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
        ("Europe/Berlin", datetime(2026, 3, 27), datetime(2026, 4, 1)),  # noqa: DTZ001
    ],
)
def test_a_year_has_as_many_runs_as_days(zone: str, first: datetime, last: datetime) -> None:
    start = first.replace(tzinfo=UTC)
    table = Timetable.make("30 2 * * *", zone, start)
    runs = 0
    while table.due < last.replace(tzinfo=UTC):
        runs += 1
        table.ran(table.due, table.due + timedelta(minutes=20))
    assert runs == (last - first).days
