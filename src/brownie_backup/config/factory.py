"""From settings to the objects that the verbs need; what is not chosen is not imported."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from brownie_backup.config.settings import DEFAULT_CACHE, Settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.stores.location import Location

if TYPE_CHECKING:
    from brownie_backup.caches import SqliteCache
    from brownie_backup.dumpers.postgres import PostgresDumper
    from brownie_backup.protocols import Compressor, Encryptor

NO_KEY_HINT = (
    "Choose one of three: BACKUP_GPG_RECIPIENTS=<key in your keyring>, "
    "BACKUP_GPG_PUBLIC_KEY_FILE=<armoured public key>, or BACKUP_PASSPHRASE_FILE=<file with a "
    "passphrase>. 'brownie-backup keygen' makes a key pair"
)


def make_compressors(settings: Settings) -> "tuple[Compressor, ...]":
    """Return all compressors, the one for new backups first."""
    from brownie_backup.compressors import Gzip, Uncompressed, Zstd

    known: tuple[Compressor, ...] = (Zstd(), Gzip(), Uncompressed())
    return tuple(sorted(known, key=lambda compressor: compressor.name != settings.compression))


def check_key(settings: Settings) -> None:
    """Refuse to make backups without a key, unless encryption is off: nothing goes out in clear.

    Raises:
        ConfigurationError: there is none.
    """
    if settings.encryption and not settings.has_key:
        raise ConfigurationError(["encryption is on, but no key is given"], hint=NO_KEY_HINT)


def make_encryptor(settings: Settings) -> "Encryptor":
    """Return the encryptor. Whoever writes with it calls `check_key` first."""
    from brownie_backup.encryptors import Cleartext, GnuPG

    if not settings.encryption:
        return Cleartext()
    return GnuPG(
        recipients=settings.gpg_recipients,
        public_key=settings.gpg_public_key,
        private_key=settings.gpg_private_key,
        passphrase=settings.passphrase,
    )


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
    """Return what remembers the store's manifests; a local folder is as quick itself."""
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
    except RuntimeError:  # a home folder that is not known: it works without, too
        return None
