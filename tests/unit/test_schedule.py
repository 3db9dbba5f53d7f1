"""Cron expressions: what is taken, what is refused, and when the next run is."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.config import load_settings
from brownie_backup.errors import ConfigurationError
from brownie_backup.schedule import (
    check_schedule,
    expand,
    longest_interval,
    next_run,
    next_run_in,
    runs_between,
)

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
    assert "'0 2 * * *'" in str(caught.value.hint)


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


@pytest.mark.parametrize(
    ("expression", "longest"),
    [
        ("0 2 * * *", timedelta(days=1)),
        ("@hourly", timedelta(hours=1)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 2 * * 0", timedelta(days=7)),
        ("0 2 * * 1,3,5", timedelta(days=3)),
        ("0 2 * * 1-5", timedelta(days=3)),
        ("0 2 1 * *", timedelta(days=31)),
        ("0 2 29 2 *", timedelta(days=4 * 365 + 1)),
    ],
)
@pytest.mark.parametrize("day", ["2026-11-16", "2026-11-20", "2026-11-22"])
def test_the_longest_interval_of_a_schedule(expression: str, longest: timedelta, day: str) -> None:
    now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert longest_interval(expression, "UTC", now) == longest


# --- clocks that change --------------------------------------------------------------------------

CHANGES = {
    # zone: the days on which its clocks go forward and back
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),  # by half an hour
    "Antarctica/Troll": (date(2026, 3, 29), date(2026, 10, 25)),  # by two hours
}
AROUND = [(zone, day) for zone, days in CHANGES.items() for day in days]


def runs_around(expression: str, zone: str, day: date) -> list[datetime]:
    """Return what is due from two days before to two days after, in UTC."""
    middle = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return list(
        runs_between(expression, zone, middle - timedelta(days=2), middle + timedelta(days=3))
    )


@pytest.mark.parametrize(("zone", "day"), AROUND)
def test_a_daily_backup_is_made_once_a_local_date(zone: str, day: date) -> None:
    for hour, minute in itertools.product(range(24), (0, 15, 30, 59)):
        runs = runs_around(f"{minute} {hour} * * *", zone, day)
        dates = [run.astimezone(ZoneInfo(zone)).date() for run in runs]
        assert dates == [dates[0] + timedelta(days=n) for n in range(len(dates))], (hour, minute)
        assert len(dates) >= 4


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # It does not come: the next moment that does.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00Z", "2026-03-29T03:00+02:00"),
        ("America/New_York", "30 2 * * *", "2026-03-07T18:00Z", "2026-03-08T03:00-04:00"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", "2026-10-04T02:30+11:00"),
        ("Antarctica/Troll", "30 1 * * *", "2026-03-28T12:00Z", "2026-03-29T03:00+02:00"),
        # It comes twice: the first.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z", "2026-10-25T02:30+02:00"),
        ("America/New_York", "30 1 * * *", "2026-10-31T18:00Z", "2026-11-01T01:30-04:00"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", "2026-04-05T01:45+11:00"),
        # And not again an hour later, whether one asks between the two or in the second.
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30Z", "2026-10-26T02:30+01:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:10Z", "2026-10-26T02:30+01:00"),
        ("Europe/Berlin", "0 2,3 * * *", "2026-03-29T00:30Z", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "0 2,3 * * *", "2026-03-29T01:00Z", "2026-03-30T02:00+02:00"),
    ],
)
def test_a_time_that_comes_twice_or_never(
    zone: str, expression: str, after: str, expected: str
) -> None:
    following = next_run_in(expression, zone, datetime.fromisoformat(after))
    assert following.isoformat(timespec="minutes") == expected


@pytest.mark.parametrize(("zone", "day"), AROUND)
@pytest.mark.parametrize("minutes", ["0", "30", "59", "*/15", "20,25,35"])
def test_what_is_due_in_every_hour_goes_by_the_hours_that_pass(
    zone: str, day: date, minutes: str
) -> None:
    runs = runs_around(f"{minutes} * * * *", zone, day)
    assert runs == sorted(set(runs))
    taken = expand(f"{minutes} * * * *")[0] or ()
    widest = max(b - a for a, b in itertools.pairwise((*taken, taken[0] + 60)))
    # Where the clock is changed by half an hour, so is the time between two runs.
    odd = 30 if zone == "Australia/Lord_Howe" else 0
    assert max(b - a for a, b in itertools.pairwise(runs)) <= timedelta(minutes=widest + odd)
    if not odd:
        by_hour = Counter(run.replace(minute=0) for run in runs)
        assert set(list(by_hour.values())[1:-1]) == {len(taken)}


@given(
    st.sampled_from(["0 2 * * *", "30 2 * * *", "*/20 1-3 * * *", "0 * * * *", "*/7 * * * *"]),
    st.sampled_from(AROUND),
    st.integers(0, 3 * 24 * 60 * 60),
)
def test_next_runs_are_in_order_wherever_one_asks(
    expression: str, around: tuple[str, date], seconds: int
) -> None:
    zone, day = around
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds - 86400)
    following = next_run_in(expression, zone, now).astimezone(UTC)
    assert following > now
    assert following.second == following.microsecond == 0
    just_before = following - timedelta(microseconds=1)
    assert next_run_in(expression, zone, just_before).astimezone(UTC) == following
    between = now + (following - now) / 2
    assert next_run_in(expression, zone, between).astimezone(UTC) == following


def test_a_day_that_a_zone_left_out() -> None:
    # Samoa went over the date line: there was no 30 December 2011.
    runs = runs_between(
        "0 2 * * *",
        "Pacific/Apia",
        datetime(2011, 12, 29, 13, tzinfo=UTC),
        datetime(2012, 1, 1, tzinfo=UTC),
    )
    assert [f"{run:%d %H}" for run in runs] == ["30 10", "30 12", "31 12"]


def test_fields_are_expanded() -> None:
    assert expand("*/20 2 * jan,3 1-5/2") == ((0, 20, 40), (2,), None, (1, 3), (1, 3, 5))
    assert expand("@weekly") == ((0,), (0,), None, None, (0,))
    assert expand("0 0 * * 7")[4] == (0,)


def test_utc_needs_no_data_about_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> NoReturn:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr("brownie_backup.schedule.ZoneInfo", find_nothing)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for name in ("UTC", "Etc/UTC"):
        assert next_run_in("0 2 * * *", name, now) == datetime(2026, 1, 1, 2, tzinfo=UTC)
        assert load_settings({"BACKUP_TIMEZONE": name}).timezone == name
    with pytest.raises(ConfigurationError, match="BACKUP_TIMEZONE"):
        load_settings({"BACKUP_TIMEZONE": "Europe/Berlin"})
