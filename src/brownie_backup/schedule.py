"""When a backup is due: a cron expression, and the time, give the next run. Pure."""

import re
import warnings
from datetime import datetime, timedelta

from croniter import croniter

from brownie_backup.errors import ConfigurationError

_ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_FIELDS = 5
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD = re.compile(rf"(?:\d+|\*|[,/-]|{_NAMES})+", re.IGNORECASE)
# 29 February on one weekday comes round within 28 years, or 40 across a century without a leap day.
_HORIZON_YEARS = 41


def check_schedule(expression: str) -> str:
    """Return the expression, or raise `ConfigurationError`: five fields, or one of the @aliases.

    croniter takes more (six fields, ``R``, ``L``, ``?``, dates that never come); cron does not.
    """
    hint = "Use the five fields of cron, such as '0 2 * * *', or @daily"
    fields = expression.split()
    understood = len(fields) == _FIELDS and all(_FIELD.fullmatch(field) for field in fields)
    if expression not in _ALIASES and not understood:
        msg = f"'{expression}' is not a cron schedule"
        raise ConfigurationError([msg], hint=hint)
    try:
        next_run(expression, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    except (ValueError, KeyError) as error:
        msg = f"'{expression}' is not a cron schedule, or never comes: {error}"
        raise ConfigurationError([msg], hint=hint) from None
    return expression


def next_run(expression: str, now: datetime) -> datetime:
    """Return the first time after `now`, in the zone of `now`, that the expression names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = croniter(expression, now, max_years_between_matches=_HORIZON_YEARS)
    return times.get_next(datetime)


def interval(expression: str, now: datetime) -> timedelta:
    """Return the time between the next two runs."""
    first = next_run(expression, now)
    return next_run(expression, first) - first
