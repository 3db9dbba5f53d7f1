"""What a look at all stores tells, and what is configured here."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from brownie_backup.dumpers.postgres.conninfo import parse_conninfo
from brownie_backup.schedule import runs_between
from brownie_backup.settings import Settings
from brownie_backup.telemetry.sources import StoreContent
from brownie_backup.telemetry.survey import Survey, survey

_RUNS = 9
"""How many runs to come tell the longest time between two: those of Monday to Friday do."""
_YEARS = timedelta(days=3 * 366)


def look_at(settings: Settings, contents: Sequence[StoreContent]) -> Survey:
    """Return the numbers that the contents of the stores tell."""
    now = datetime.now(UTC)
    return survey(contents, database_name(settings), longest_interval(settings, now), now)


def longest_interval(settings: Settings, now: datetime) -> timedelta:
    """Return the longest time between two of the next runs."""
    coming = runs_between(settings.schedule, settings.timezone, now, now + _YEARS)
    return max(
        (after - before for before, after in pairwise(islice(coming, _RUNS))), default=_YEARS
    )


def database_name(settings: Settings) -> str | None:
    """Return the name of the database that is backed up here, as the settings say it.

    Nobody asks the server: metrics tell of backups when it is down too. None if nothing says it.
    """
    url = settings.database_url
    named = parse_conninfo(url.reveal()).database if url else None
    return named or os.environ.get("PGDATABASE") or None
