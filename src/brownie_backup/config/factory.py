"""From settings to the objects that the verbs need; unused implementations are not imported."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from brownie_backup.config.settings import DEFAULT_CACHE, Settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.stores.location import Location

if TYPE_CHECKING:
    from brownie_backup.caches import SqliteCache
    from brownie_backup.dumpers.postgres import PostgresDumper


def make_dumper(settings: Settings) -> "PostgresDumper":
    """Return the dumper of the database that the settings, or libpq's own sources, name."""
    from brownie_backup.dumpers.postgres import PostgresDumper, parse_conninfo

    conninfo = None
    if settings.database_url:
        try:
            conninfo = parse_conninfo(settings.database_url.reveal().strip())
        except BackupError as error:
            problem = f"BACKUP_DATABASE_URL: {error.message}"
            raise ConfigurationError([problem], hint=error.hint) from None
    return PostgresDumper(
        conninfo, pg_bin=settings.pg_bin, bulk_table_bytes=settings.bulk_table_bytes
    )


def make_cache(settings: Settings, location: Location) -> "SqliteCache | None":
    """Return the cache of the store's manifests; a local folder is as fast without."""
    from brownie_backup.caches import open_cache

    if settings.cache_dir.lower() == "none" or location.scheme == "file":
        return None
    folder = settings.cache_dir
    base = os.environ.get("XDG_CACHE_HOME", "")
    if folder == DEFAULT_CACHE and base:
        folder = f"{base}/brownie-backup"
    try:
        place = f"{location.url} {location.endpoint_url or ''}".strip()
        return open_cache(Path(folder).expanduser(), place)
    except RuntimeError:  # the home folder is unknown: it works without a cache
        return None
