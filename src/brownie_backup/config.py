"""From settings to the objects that the verbs need; what is not chosen is not imported."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from attrs import evolve

from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.location import Location, parse_location
from brownie_backup.policy import policy_from
from brownie_backup.settings import CREDENTIALS, Settings, describe, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from brownie_backup.dumpers.postgres import PostgresDumper
    from brownie_backup.model import RetentionPolicy
    from brownie_backup.protocols import Compressor, Encryptor, Store
    from brownie_backup.repository import Repository

    Opener = Callable[[Location], Store]

NO_KEY_HINT = (
    "Choose one of three: BACKUP_GPG_RECIPIENTS=<key in your keyring>, "
    "BACKUP_GPG_PUBLIC_KEY_FILE=<armoured public key>, or BACKUP_PASSPHRASE_FILE=<file with a "
    "passphrase>. 'brownie-backup keygen' makes a key pair"
)


SCHEMES = {"local": "file", "s3": "s3", "gcs": "gs", "azure": "azure"}
"""The URL scheme of each BACKUP_PROVIDER."""
EXTRAS = {"s3": "s3", "gs": "gcs", "azure": "azure"}
"""For each cloud's URL scheme, the extra that brings its SDK, and our module for it."""
ENTRY_POINTS = "brownie_backup.stores"
"""The group in which a package names a function from `Location` to `Store`, by a URL scheme."""

__all__ = [
    "ENTRY_POINTS",
    "Settings",
    "describe",
    "load_settings",
    "locations",
    "make_compressors",
    "make_dumper",
    "make_encryptor",
    "make_repositories",
    "make_repository",
    "make_store",
]


def locations(settings: Settings) -> tuple[Location, ...]:
    """Return where the stores are: the primary one first, then the copies.

    A copy in the same service as the primary store uses its credentials, unless it has its own.

    Raises:
        ConfigurationError: the settings contradict each other.
    """
    primary = _primary(settings)
    found = [primary]
    for number, url in enumerate(settings.copy_to, 1):
        copy = parse_location(url)
        own = [settings.copy_credentials.get(f"copy{number}_{name}") for name in CREDENTIALS]
        if (copy.scheme, copy.endpoint_url) == (primary.scheme, primary.endpoint_url):
            copy = evolve(copy, region=copy.region or primary.region)
            if not any(own):
                own = [primary.access_key, primary.secret_key, primary.token]
        access_key, secret_key, token = own
        found.append(evolve(copy, access_key=access_key, secret_key=secret_key, token=token))
    urls = [location.url for location in found]
    if len({*urls}) < len(urls):
        problem = f"BACKUP_DESTINATION and BACKUP_COPY_TO name one store twice: {', '.join(urls)}"
        raise ConfigurationError([problem], hint="A copy belongs in another place")
    return tuple(found)


def _primary(settings: Settings) -> Location:
    scheme = SCHEMES[settings.provider]
    if "://" in settings.destination:
        location = parse_location(settings.destination)
        if settings.sources.get("provider", "default") != "default" and location.scheme != scheme:
            problem = f"BACKUP_PROVIDER '{settings.provider}' and BACKUP_DESTINATION disagree"
            raise ConfigurationError([problem], hint="Leave BACKUP_PROVIDER out: the URL says it")
    elif scheme == "file":
        location = Location(scheme, path=settings.destination)
    else:
        bucket, _, prefix = settings.destination.strip("/").partition("/")
        if not bucket or (bucket == "backups" and settings.destination == "/backups"):
            problem = f"BACKUP_DESTINATION names no bucket for BACKUP_PROVIDER={settings.provider}"
            raise ConfigurationError([problem], hint="Write BACKUP_DESTINATION=bucket/prefix")
        location = Location(scheme, bucket, prefix)
    lock = location if location.object_lock_days else settings
    return evolve(
        location,
        region=location.region or settings.region,
        endpoint_url=location.endpoint_url or settings.endpoint_url,
        sse_kms_key=location.sse_kms_key or settings.sse_kms_key,
        storage_class=location.storage_class or settings.storage_class,
        tags=location.tags or settings.object_tags,
        object_lock_days=lock.object_lock_days,
        object_lock_mode=lock.object_lock_mode,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        token=settings.token,
    )


def make_store(location: Location, *, retry_seconds: float | None = None) -> "Store":
    """Open a store: one of ours, or one of an entry point named for the URL's scheme.

    Args:
        location: where it is.
        retry_seconds: how long it is waited for when it is out of reach; by default, two minutes.

    Raises:
        ConfigurationError: there is none for that scheme, it is not installed, or it can't do
            what it is asked for.
    """
    from brownie_backup.stores import Patience, RetryingStore

    if location.scheme == "file":
        return _local_store(location)
    patience = Patience()
    if retry_seconds is not None:
        patience = evolve(patience, give_up_after_seconds=retry_seconds)
    return RetryingStore(_opener(location.scheme)(location), patience)


def _opener(scheme: str) -> "Opener":
    if scheme in EXTRAS:
        extra = EXTRAS[scheme]
        try:
            module = import_module(f"brownie_backup.stores.{extra}")
        except ModuleNotFoundError as error:
            problem = f"{scheme}:// needs '{error.name}', which is not installed"
            hint = f"python -m pip install 'brownie-backup[{extra}]'"
            raise ConfigurationError([problem], hint=hint) from None
        return cast("Opener", module.open_store)
    for entry in entry_points(group=ENTRY_POINTS, name=scheme):
        return cast("Opener", entry.load())
    problem = f"there is no store for {scheme}:// URLs"
    known = ", ".join(f"{each}://" for each in ("file", *EXTRAS))
    hint = f"Use one of {known}, or install a package with an entry point {ENTRY_POINTS}"
    raise ConfigurationError([problem], hint=hint)


def _local_store(location: Location) -> "Store":
    from brownie_backup.stores import LocalStore

    unknown = ("region", "endpoint_url", "sse_kms_key", "storage_class", "tags", "object_lock_days")
    asked = [name for name in unknown if getattr(location, name)]
    if asked:
        problem = f"a local folder has no {', no '.join(asked)}"
        raise ConfigurationError([problem], hint="Leave that out, or use a store that has it")
    try:
        return LocalStore(location.path)
    except RuntimeError as error:  # a home folder that is not known
        problem = f"BACKUP_DESTINATION '{location.path}': {error}"
        raise ConfigurationError([problem], hint="Give the whole path") from None


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
    return make_repositories(settings, writes=writes)[0]


def make_repositories(
    settings: Settings, *, writes: bool = False, first: str | None = None
) -> "tuple[Repository, ...]":
    """Return the repositories in all stores that the settings name, the primary one first.

    Args:
        settings: from `load_settings`.
        writes: whether backups will be made in them, which needs a key.
        first: which store comes first instead: ``primary``, ``copy1`` and so on, or its URL.
    """
    from brownie_backup.repository import Repository

    compressor, *others = make_compressors(settings)
    encryptor = make_encryptor(settings, writes=writes)
    return tuple(
        Repository(
            make_store(location, retry_seconds=settings.retry_seconds),
            compressor,
            encryptor,
            tuple(others),
            policy=_policy(settings, location),
        )
        for location in _ordered(locations(settings), first)
    )


def _policy(settings: Settings, location: Location) -> "RetentionPolicy":
    """Return what the store's URL says of its retention, or else what the settings say."""
    if not location.retention:
        return settings.policy
    try:
        return policy_from(location.retention)
    except ConfigurationError as error:
        problems = [f"{location.url}: {problem}" for problem in error.problems]
        raise ConfigurationError(problems, hint=error.hint) from None


def _ordered(found: tuple[Location, ...], first: str | None) -> tuple[Location, ...]:
    names = ["primary", *(f"copy{number}" for number in range(1, len(found)))]
    for name, location in zip(names, found, strict=True):
        if first in {None, name, location.url}:
            return (location, *(other for other in found if other is not location))
    known = ", ".join(f"{n} ({each.url})" for n, each in zip(names, found, strict=True))
    raise ConfigurationError([f"there is no store '{first}'"], hint=f"The stores are {known}")


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
