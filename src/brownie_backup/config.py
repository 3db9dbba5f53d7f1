"""From settings to the objects that the verbs need; what is not chosen is not imported."""

from typing import TYPE_CHECKING

from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.settings import Settings, describe, load_settings

if TYPE_CHECKING:
    from brownie_backup.dumpers.postgres import PostgresDumper
    from brownie_backup.protocols import Compressor, Encryptor, Store
    from brownie_backup.repository import Repository

NO_KEY_HINT = (
    "Choose one of three: BACKUP_GPG_RECIPIENTS=<key in your keyring>, "
    "BACKUP_GPG_PUBLIC_KEY_FILE=<armoured public key>, or BACKUP_PASSPHRASE_FILE=<file with a "
    "passphrase>. 'brownie-backup keygen' makes a key pair"
)


__all__ = [
    "Settings",
    "describe",
    "load_settings",
    "make_compressors",
    "make_dumper",
    "make_encryptor",
    "make_repository",
    "make_store",
]


def make_store(settings: Settings) -> "Store":
    """Return the store that the settings name."""
    if settings.provider == "local":
        from brownie_backup.stores.local import LocalStore

        try:
            return LocalStore(settings.destination)
        except RuntimeError as error:  # a home folder that is not known
            problem = f"BACKUP_DESTINATION '{settings.destination}': {error}"
            raise ConfigurationError([problem], hint="Give the whole path") from None
    problem = f"BACKUP_PROVIDER '{settings.provider}' is not in this version yet"
    raise ConfigurationError([problem], hint="Use BACKUP_PROVIDER=local")


def make_compressors(settings: Settings) -> "tuple[Compressor, ...]":
    """Return all compressors, the one for new backups first."""
    from brownie_backup.compressors import Gzip, Uncompressed, Zstd

    known: tuple[Compressor, ...] = (Zstd(), Gzip(), Uncompressed())
    return tuple(sorted(known, key=lambda compressor: compressor.name != settings.compression))


def make_encryptor(settings: Settings, *, writes: bool) -> "Encryptor":
    """Return the encryptor; one that `writes` must have a key, for nothing goes out in clear."""
    from brownie_backup.encryptors import Cleartext, GnuPG

    if not settings.encryption:
        return Cleartext()
    if writes and not settings.has_key:
        raise ConfigurationError(["encryption is on, but no key is given"], hint=NO_KEY_HINT)
    return GnuPG(
        recipients=settings.gpg_recipients,
        public_key=settings.gpg_public_key,
        private_key=settings.gpg_private_key,
        passphrase=settings.passphrase,
    )


def make_repository(settings: Settings, *, writes: bool = False) -> "Repository":
    """Return the repository that the settings describe.

    Args:
        settings: from `load_settings`.
        writes: whether backups will be made in it, which needs a key.
    """
    from brownie_backup.repository import Repository

    first, *others = make_compressors(settings)
    encryptor = make_encryptor(settings, writes=writes)
    return Repository(make_store(settings), first, encryptor, tuple(others))


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
    return PostgresDumper(conninfo, pg_bin=settings.pg_bin)
