"""From settings to the objects that the verbs need; what is not chosen is not imported."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast

from brownie_backup.config.codecs import make_codecs
from brownie_backup.config.destinations import locations
from brownie_backup.config.settings import DEFAULT_CACHE, Settings, load_settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.retention.rules import policy_from
from brownie_backup.stores.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable

    from brownie_backup.dumpers.postgres import PostgresDumper
    from brownie_backup.protocols import Cache, Store
    from brownie_backup.repository import Repository
    from brownie_backup.retention.policy import RetentionPolicy

    Opener = Callable[[Location], Store]

EXTRAS = {"s3": "s3", "gs": "gcs", "azure": "azure"}
"""For each cloud's URL scheme, the extra that brings its SDK, and our module for it."""
ENTRY_POINTS = "brownie_backup.stores"
"""The group in which a package names a function from `Location` to `Store`, by a URL scheme."""


def make_store(location: Location, *, retry_seconds: float | None = None) -> "Store":
    """Open a store: one of ours, or one of an entry point named for the URL's scheme.

    Args:
        location: where it is.
        retry_seconds: how long it is waited for when it is out of reach; by default, two minutes.

    Raises:
        ConfigurationError: there is none for that scheme, it is not installed, or it can't do
            what it is asked for.
    """
    from brownie_backup.stores import RetryingStore, RetryPolicy

    if location.scheme == "file":
        return _local_store(location)
    retry_policy = RetryPolicy()
    if retry_seconds is not None:
        retry_policy = RetryPolicy(give_up_after_seconds=retry_seconds)
    return RetryingStore(_opener(location.scheme)(location), retry_policy)


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
        try:
            return cast("Opener", entry.load())
        except (ImportError, AttributeError) as error:
            problem = f"the store for {scheme}:// cannot be loaded from '{entry.value}': {error}"
            hint = "Ask whoever made the package that brings it"
            raise ConfigurationError([problem], hint=hint) from None
    problem = f"there is no store for {scheme}:// URLs"
    known = ", ".join(f"{each}://" for each in ("file", *EXTRAS))
    hint = f"Use one of {known}, or install a package with an entry point {ENTRY_POINTS}"
    raise ConfigurationError([problem], hint=hint)


def _local_store(location: Location) -> "Store":
    from brownie_backup.stores import LocalStore

    unknown = ("sse_kms_key", "storage_class", "tags", "object_lock_days")
    asked = [name for name in unknown if getattr(location, name)]
    if asked:
        problem = f"a local folder has no {', no '.join(asked)}"
        raise ConfigurationError([problem], hint="Leave that out, or use a store that has it")
    return LocalStore(location.path)


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

    codecs = make_codecs(settings, writes=writes)
    named = _named(locations(settings))
    if first and first not in {*named, *(location.url for location in named.values())}:
        known = ", ".join(f"{name} ({location.url})" for name, location in named.items())
        raise ConfigurationError([f"there is no store '{first}'"], hint=f"The stores are {known}")
    return tuple(
        Repository(
            _named_store(name, location, settings.retry_seconds),
            policy=_policy(settings, location),
            cache=_make_cache(settings, location),
            codecs=codecs,
        )
        # A sort keeps the order of all others.
        for name, location in sorted(
            named.items(), key=lambda each: first not in {each[0], each[1].url}
        )
    )


def _make_cache(settings: Settings, location: Location) -> "Cache | None":
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


def _named(found: Sequence[Location]) -> dict[str, Location]:
    names = ["primary", *(f"copy{number}" for number in range(1, len(found)))]
    return dict(zip(names, found, strict=True))


def _named_store(name: str, location: Location, retry_seconds: float) -> "Store":
    """Open a store; of a copy say which it is: it has other variables than the primary one."""
    try:
        return make_store(location, retry_seconds=retry_seconds)
    except ConfigurationError as error:
        if name == "primary":
            raise
        problems = [f"{name} ({location.url}): {problem}" for problem in error.problems]
        hint = (
            f"Of a copy the credentials are BACKUP_{name.upper()}_ACCESS_KEY, …_SECRET_KEY and "
            f"…_TOKEN, and all else is in its URL, such as ?region=…. {error.hint}"
        )
        raise ConfigurationError(problems, hint=hint) from None


def _policy(settings: Settings, location: Location) -> "RetentionPolicy":
    """Return what the store's URL says of its retention, or else what the settings say."""
    if not location.retention:
        return settings.policy
    try:
        return policy_from(location.retention)
    except ConfigurationError as error:
        problems = [f"{location.url}: {problem}" for problem in error.problems]
        raise ConfigurationError(problems, hint=error.hint) from None


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


@contextmanager
def make_worker() -> "Iterator[tuple[tuple[Repository, ...], PostgresDumper]]":
    """Make what a worker of an executor works with, from the environment of its own process.

    A `brownie_backup.operations.WorkerFactory`: its workers read the settings and the secrets
    where they run; none are sent.

    Raises:
        ConfigurationError: settings are wrong, or missing.
    """
    settings = load_settings(os.environ)
    repositories = make_repositories(settings, writes=True)
    with repositories[0]:  # the codecs are the same in all
        yield repositories, make_dumper(settings)
