"""Cron expressions: what is taken, what is refused, and when the next run is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.errors import ConfigurationError
from brownie_backup.schedule import check_schedule, interval, next_run

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday

TAKEN = {
    "0 2 * * *": "2026-01-01T02:00",
    "*/15 * * * *": "2026-01-01T00:15",
    "30 4 1,15 * 5": "2026-01-01T04:30",
    "0 0 29 2 *": "2028-02-29T00:00",
    "0 22 * * 1-5": "2026-01-01T22:00",
    "0 0 * * 7": "2026-01-04T00:00",
    "0 0 * * 0": "2026-01-04T00:00",
    "0 2 * * fri": "2026-01-02T02:00",
    "0 2 1 mar *": "2026-03-01T02:00",
    "0 2 1 jul-sep *": "2026-07-01T02:00",
    "@hourly": "2026-01-01T01:00",
    "@daily": "2026-01-02T00:00",
    "@midnight": "2026-01-02T00:00",
    "@weekly": "2026-01-04T00:00",
    "@monthly": "2026-02-01T00:00",
    "@yearly": "2027-01-01T00:00",
    "@annually": "2027-01-01T00:00",
}
REFUSED = [
    *("", " ", "*", "0 2 * *", "0 2 * * * *", "0 0 2 * * * *", "daily", "@reboot", "@often"),
    *("R 2 * * *", "0 R * * *", "? 2 * * *", "0 0 ? * *", "H 2 * * *", "r 2 * * *"),
    *("r(1-5) 2 * * *", "0 2 * * r", "0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "60 * * * *"),
    *("* 24 * * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "-1 * * * *", "*/0 * * * *"),
    *("x * * * *", "0 2 * * fry", "1.5 * * * *", "0,,1 * * * *", "0 2 * * *; rm -rf /"),
]


@pytest.mark.parametrize("expression", TAKEN)
def test_a_cron_expression_names_its_next_run(expression: str) -> None:
    assert check_schedule(expression) == expression
    expected = datetime.fromisoformat(TAKEN[expression]).replace(tzinfo=UTC)
    assert next_run(expression, START) == expected


@pytest.mark.parametrize("expression", ["0 2 * * FRI", "0 2 * * MON-FRI", "0 2 1 MAR *"])
def test_names_may_be_in_capitals(expression: str) -> None:
    assert check_schedule(expression) == expression
    assert next_run(expression, START) == next_run(expression.lower(), START)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_cron_does_not_know_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_schedule(expression)
    assert "'0 2 * * *'" in caught.value.hint


@given(st.text(max_size=20) | st.from_regex(r"([0-9*,/-]{1,4} ){4}[0-9a-zA-Z*#?,/-]{1,4}"))
def test_any_text_is_taken_or_refused(expression: str) -> None:
    try:
        check_schedule(expression)
    except ConfigurationError:
        return
    assert next_run(expression, START) > START


@given(
    st.sampled_from(sorted(TAKEN)),
    st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given
)
def test_the_next_run_is_after_now_in_its_zone(expression: str, now: datetime) -> None:
    following = next_run(expression, now)
    assert following > now
    assert following.utcoffset() == timedelta(0)
    assert next_run(expression, following - timedelta(seconds=1)) == following


def test_a_time_is_of_the_zone_that_was_asked_in() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    following = next_run("0 2 * * *", datetime(2026, 7, 1, 12, tzinfo=berlin))
    assert (following.hour, following.tzinfo) == (2, berlin)
    assert following.astimezone(UTC).hour == 0


@pytest.mark.parametrize("day", ["2026-03-28T12:00", "2026-10-24T12:00"])
def test_a_daily_backup_is_made_once_on_days_when_clocks_change(day: str) -> None:
    now = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    first = next_run("0 4 * * *", now)
    second = next_run("0 4 * * *", first)
    assert [run.day for run in (first, second)] == [now.day + 1, now.day + 2]
    assert [run.hour for run in (first, second)] == [4, 4]


def test_the_interval_is_the_time_between_two_runs() -> None:
    assert interval("0 2 * * *", START) == timedelta(days=1)
    assert interval("@hourly", START) == timedelta(hours=1)
