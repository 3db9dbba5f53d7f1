"""The metrics of all stores, and of the settings here."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from brownie_backup.config.settings import Settings
from brownie_backup.postgres.conninfo import parse_conninfo
from brownie_backup.schedule import longest_interval
from brownie_backup.telemetry.aggregate import MetricsSnapshot, aggregate
from brownie_backup.telemetry.sources import StoreContent


def look_at(settings: Settings, contents: Sequence[StoreContent]) -> MetricsSnapshot:
    """Return the metrics computed from the contents of the stores."""
    now = datetime.now(UTC)
    interval = longest_interval(settings.schedule, settings.timezone, now)
    return aggregate(contents, database_name(settings), interval, now)


def database_name(settings: Settings) -> str | None:
    """Return the name of the database that is backed up here, from the settings.

    The server is not asked: metrics must work while it is down too. None if the settings don't name
    it.
    """
    url = settings.database_url
    named = parse_conninfo(url.reveal()).database if url else None
    return named or os.environ.get("PGDATABASE") or None
