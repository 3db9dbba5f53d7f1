"""When a backup is due: a cron expression, and the time, give the next run. Pure.

Schedules follow local time, and local time changes. A time that occurs twice (in autumn) counts
once, the first time. A time that is skipped (in spring) is replaced by the first moment after it.
Only a schedule that is due in every hour follows elapsed hours, so it runs in both hours that have
the same name.
"""

import itertools
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from attrs import frozen
from croniter import croniter

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint

_ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_FIELDS = 5
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD = re.compile(rf"(?:\d+|\*|[,/-]|{_NAMES})+", re.IGNORECASE)
# 29 February falls on a given weekday within 28 years, or 40 across a century without a leap day.
_HORIZON_YEARS = 41
_LONGEST_SHIFT = timedelta(hours=3)
"""Clocks change by less, except once, when a country moved across the date line."""
_TICK = timedelta(milliseconds=100)
_RUNS = 9
"""How many future runs are enough to find the longest gap: a week of daily runs is."""


@frozen
class Schedule:
    """When backups are due: a cron expression, and the name of its time zone."""

    expression: str = "0 2 * * *"
    timezone: str = "UTC"


def time_zone(name: str) -> tzinfo:
    """Return a time zone; UTC needs no data, which a slim container may lack.

    Raises:
        ZoneInfoNotFoundError, ValueError, OSError: there is none of that name.
    """
    return UTC if name.upper() in {"UTC", "ETC/UTC"} else ZoneInfo(name)


def check_schedule(expression: str) -> str:
    """Return the expression, or raise `ConfigurationError`: five fields, or one of the @aliases.

    croniter accepts more (six fields, ``R``, ``L``, ``?``, dates that never occur); cron does not.
    """
    fields = expression.split()
    understood = len(fields) == _FIELDS and all(_FIELD.fullmatch(field) for field in fields)
    if expression not in _ALIASES and not understood:
        msg = f"'{expression}' is not a cron schedule"
        raise ConfigurationError([msg], hint=SetupHint.CRON_SYNTAX)
    try:
        next_run(expression, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    except (ValueError, KeyError) as error:
        msg = f"'{expression}' is not a cron schedule, or never comes: {error}"
        raise ConfigurationError([msg], hint=SetupHint.CRON_SYNTAX) from None
    return expression


def next_run(expression: str, now: datetime) -> datetime:
    """Return the first time after `now`, in the zone of `now`, that the expression names.

    Convert it to UTC before you compare or subtract: within one zone, Python uses local time.
    """
    zone = now.tzinfo or UTC
    if _every_hour(expression):
        return _next_by_the_hour(expression, now.astimezone(UTC), zone).astimezone(zone)
    # Local time keeps the order of all first occurrences, so the due times are in order too.
    for wall in _walls(expression, now.replace(tzinfo=None, fold=0)):
        due = _first_at(wall, zone)
        if due > now.astimezone(UTC):
            return due.astimezone(zone)
    raise AssertionError  # croniter raises an error of its own before it ends


def next_run_in(expression: str, timezone_name: str, now: datetime) -> datetime:
    """Return the first time after `now` that the expression names in a zone, in that zone.

    Args:
        expression: from `check_schedule`.
        timezone_name: such as ``Europe/Berlin``.
        now: aware, in any zone.
    """
    return next_run(expression, now.astimezone(time_zone(timezone_name)))


def runs_between(
    expression: str, timezone_name: str, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield in UTC each time that the expression names after one instant, up to another."""
    coming = _coming(expression, timezone_name, after)
    return itertools.takewhile(lambda due: due <= until, coming)


def longest_interval(expression: str, timezone_name: str, now: datetime) -> timedelta:
    """Return the longest time between two of the next runs: how long may pass without a backup."""
    coming = itertools.islice(_coming(expression, timezone_name, now), _RUNS)
    return max(later - earlier for earlier, later in itertools.pairwise(coming))


def expand(expression: str) -> tuple[tuple[int, ...] | None, ...]:
    """Return the values of each field (minute, hour, day of month, month, weekday); None for all.

    Sunday is 0. If both kinds of days are given, a day need only match one of them.
    """
    fields, _ = croniter.expand(expression)
    return tuple(
        None if values == ["*"] else tuple(int(value) for value in values) for values in fields
    )


def _coming(expression: str, timezone_name: str, now: datetime) -> Iterator[datetime]:
    due = now
    while True:
        due = next_run_in(expression, timezone_name, due).astimezone(UTC)
        yield due


def _every_hour(expression: str) -> bool:
    hours = expand(expression)[1]
    return hours is None or set(hours) == set(range(24))


def _walls(expression: str, after: datetime) -> Iterator[datetime]:
    """Yield the due times of a clock that never changes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = croniter(expression, after, max_years_between_matches=_HORIZON_YEARS)
    while True:
        yield times.get_next(datetime)


def _first_at(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which the clock shows that time, or has skipped it."""
    due = wall.replace(tzinfo=zone).astimezone(UTC)
    if _shows(due, zone) == wall:
        return due
    # The clock went forward over it, so it is later by as much as the clock went forward.
    skipped_to = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before, after = min(due, skipped_to), max(due, skipped_to)
    while after - before > _TICK:
        middle = before + (after - before) // 2
        if _shows(middle, zone) > wall:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def _next_by_the_hour(expression: str, now: datetime, zone: tzinfo) -> datetime:
    wall = next(_walls(expression, _shows(now, zone)))
    due = wall.replace(tzinfo=zone).astimezone(UTC)
    if _calm(now, zone) and _calm(due, zone):
        return due
    # Near a clock change the same time may occur twice, and a skipped time is due an hour after the
    # run before it. So the order of local times says little there. Two shifts away it counts again.
    early = _walls(expression, _shows(now, zone) - _LONGEST_SHIFT)
    found = max(due, now)
    walls = itertools.takewhile(lambda each: each <= _shows(found, zone) + _LONGEST_SHIFT, early)
    return min(each for wall in walls for each in _instants(wall, zone) if each > now)


def _instants(wall: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield when the clock shows that time; if it is skipped, when it would have been."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    yield first
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second > first:
        yield second


def _shows(instant: datetime, zone: tzinfo) -> datetime:
    """Return the local time in that zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _calm(instant: datetime, zone: tzinfo) -> bool:
    """Whether the clock does not change at about that time."""
    around = (instant - _LONGEST_SHIFT, instant + _LONGEST_SHIFT)
    early, late = (each.astimezone(zone).utcoffset() for each in around)
    return early == late
