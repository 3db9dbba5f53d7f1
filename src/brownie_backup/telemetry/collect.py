"""What a look at all stores tells, and what is configured here."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from brownie_backup.config.settings import Settings
from brownie_backup.postgres.conninfo import parse_conninfo
from brownie_backup.schedule import longest_interval
from brownie_backup.telemetry.aggregate import MetricsSnapshot, aggregate
from brownie_backup.telemetry.sources import StoreContent


def look_at(settings: Settings, contents: Sequence[StoreContent]) -> MetricsSnapshot:
    """Return the numbers that the contents of the stores tell."""
    now = datetime.now(UTC)
    interval = longest_interval(settings.schedule, settings.timezone, now)
    return aggregate(contents, database_name(settings), interval, now)


def database_name(settings: Settings) -> str | None:
    """Return the name of the database that is backed up here, as the settings say it.

    Nobody asks the server: metrics tell of backups when it is down too. None if nothing says it.
    """
    url = settings.database_url
    named = parse_conninfo(url.reveal()).database if url else None
    return named or os.environ.get("PGDATABASE") or None
