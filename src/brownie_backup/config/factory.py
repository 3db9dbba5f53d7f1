"""From settings to the objects that the verbs need; unused implementations are not imported."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from brownie_backup.config.settings import DEFAULT_CACHE, Settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.stores.location import Location

if TYPE_CHECKING:
    from brownie_backup.caches import RepositoryFile, SqliteCache
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
    """Return the cache of the store's manifests."""
    from brownie_backup.caches import open_cache

    folder = cache_folder(settings.cache_dir)
    if folder is None:
        return None
    return open_cache(folder, f"{location.url} {location.endpoint_url or ''}".strip())


def cache_folder(chosen: str = DEFAULT_CACHE) -> Path | None:
    """Return the folder for what is kept on this host; None if there is none."""
    if chosen.lower() == "none":
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    if chosen == DEFAULT_CACHE and base:
        chosen = f"{base}/brownie-backup"
    try:
        return Path(chosen).expanduser()
    except RuntimeError:  # the home folder is unknown: it works without a cache
        return None


def make_record(settings: Settings, location: Location) -> "RepositoryFile | None":
    """Return this host's record of the repository that a store had."""
    from brownie_backup.caches import open_record

    folder = cache_folder(settings.cache_dir)
    if folder is None:
        return None
    return open_record(folder, f"{location.url} {location.endpoint_url or ''}".strip())


def make_host_key(chosen: str = DEFAULT_CACHE) -> bytes:
    """Return this host's secret, which authenticates backups made with a public key."""
    from brownie_backup.caches import host_key

    return host_key(cache_folder(chosen))
