"""The stores of some settings, opened once and kept open between a process's calls."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Self

from attrs import evolve, frozen

from brownie_backup.config.codecs import check_key, make_codecs
from brownie_backup.config.destinations import hint_for, problems_of
from brownie_backup.config.factory import make_cache, make_dumper, make_host_key, make_record
from brownie_backup.config.settings import Settings, load_settings
from brownie_backup.errors import ConfigurationError
from brownie_backup.protocols import Store, SupportsClose
from brownie_backup.repository import Codecs, Repository
from brownie_backup.repository.existing import require_existing
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.stores import RetryingStore, RetryPolicy
from brownie_backup.stores.location import Location
from brownie_backup.stores.registry import open_store, store_type

if TYPE_CHECKING:
    from brownie_backup.caches import RepositoryFile, SqliteCache
    from brownie_backup.dumpers.postgres import PostgresDumper

Opener = Callable[[Location], Store]

IDLE_SECONDS = 300.0
"""Connections that were unused for this long are replaced: a firewall may have dropped them, and
each would then have to time out."""


@frozen
class _Opened:
    """What is kept of one store."""

    store: Store
    retried: bool
    cache: "SqliteCache | None"
    record: "RepositoryFile | None"


class OpenStores:
    """The stores of some settings: opened when first needed, and kept until `close`. Thread-safe.

    All threads share the open stores. Each call of `repositories` sets how long it waits for a
    store out of reach. The views that it returns are its own, and are not affected by failures that
    other calls saw.

    Args:
        settings: from `load_settings`.
        opener: opens a store, which tries each call once.
        idle_seconds: after how long without use connections are made anew.
    """

    def __init__(
        self,
        settings: Settings,
        opener: Opener = open_store,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.settings = settings
        self._idle_seconds = idle_seconds
        self._opener = opener
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}
        self._codecs: Codecs | None = None
        self._used_at = time.monotonic()

    def repositories(
        self,
        *,
        writes: bool = False,
        first: str | None = None,
        retry_seconds: float | None = None,
    ) -> tuple[Repository, ...]:
        """Return the repositories in all stores, the primary one first.

        Args:
            writes: whether backups will be made in them, which needs a key.
            first: which store comes first instead: ``primary``, ``copy1`` and so on, or its URL.
            retry_seconds: how long to wait for a store out of reach; by default, as the settings
                say.

        Raises:
            ConfigurationError: a store can't be opened, no store has that name, or there is no key.
        """
        if writes:
            check_key(self.settings)
        names = self._in_order(first)
        with self._lock:
            self._open()
            codecs = self._codecs = self._codecs or make_codecs(self.settings)
            opened = [self._opened[name] for name in names]
        seconds = self.settings.retry_seconds if retry_seconds is None else retry_seconds
        policy = RetryPolicy(give_up_after_seconds=seconds)
        return tuple(
            Repository(
                self._view(each, policy),
                cache=each.cache,
                codecs=codecs,
                record=each.record,
                host_key=partial(make_host_key, self.settings.cache_dir),
            )
            for each in opened
        )

    @property
    def policies(self) -> tuple[RetentionPolicy, ...]:
        """Which backups each store keeps, the primary one first."""
        default = self.settings.policy
        return tuple(each.retention or default for each in self.settings.stores.values())

    def close(self) -> None:
        """Close connections, caches and GnuPG's home. A later use opens them again."""
        with self._lock, contextlib.ExitStack() as stack:  # close all of them, even if one fails
            for opened in self._opened.values():
                for each in (opened.store, opened.cache):
                    if isinstance(each, SupportsClose):
                        stack.callback(each.close)
            if self._codecs:
                stack.callback(self._codecs.close)
            self._opened, self._codecs = {}, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _view(self, opened: _Opened, policy: RetryPolicy) -> Store:
        """Return an open store as one call uses it."""
        store = RetryingStore(opened.store, policy) if opened.retried else opened.store
        return require_existing(store) if self.settings.require_existing else store

    def _in_order(self, first: str | None) -> list[str]:
        stores = self.settings.stores
        if first and first not in {*stores, *(location.url for location in stores.values())}:
            known = ", ".join(f"{name} ({location.url})" for name, location in stores.items())
            problem = f"there is no store '{first}'"
            raise ConfigurationError([problem], hint=f"The stores are {known}")
        # The sort is stable: the others keep their order.
        return sorted(stores, key=lambda name: first not in {name, stores[name].url})

    def _open(self) -> None:
        now = time.monotonic()
        idle, self._used_at = now - self._used_at > self._idle_seconds, now
        for name, location in self.settings.stores.items():
            opened = self._opened.get(name)
            if opened is None:
                self._opened[name] = _open(name, location, self._opener, self.settings)
            else:
                if idle and isinstance(opened.store, SupportsClose):
                    opened.store.close()
                # a caller needed it then; now it may be closed
                if opened.cache and not opened.cache.works:
                    opened.cache.close()
                    fresh = make_cache(self.settings, location)
                    self._opened[name] = evolve(opened, cache=fresh)


def make_store(location: Location, *, retry_seconds: float | None = None) -> Store:
    """Open a store that repeats calls while it is out of reach.

    Args:
        location: where it is.
        retry_seconds: how long to repeat them; by default, two minutes.

    Raises:
        ConfigurationError: as of `open_store`.
    """
    store = open_store(location)
    if not store_type(location.scheme).retried:
        return store
    if retry_seconds is None:
        return RetryingStore(store)
    return RetryingStore(store, RetryPolicy(give_up_after_seconds=retry_seconds))


def make_repository(settings: Settings, *, writes: bool = False) -> Repository:
    """Return the repository in the primary store, opened for this call alone.

    Args:
        settings: from `load_settings`.
        writes: whether backups will be made in it, which needs a key.
    """
    return make_repositories(settings, writes=writes)[0]


def make_repositories(
    settings: Settings, *, writes: bool = False, first: str | None = None
) -> tuple[Repository, ...]:
    """Return the repositories in all stores, opened for this call alone; see `OpenStores`."""
    return OpenStores(settings).repositories(writes=writes, first=first)


@contextlib.contextmanager
def make_worker() -> "Iterator[tuple[tuple[Repository, ...], PostgresDumper]]":
    """Make the context of an executor's worker, from the environment of its own process.

    A `brownie_backup.operations.WorkerFactory`: its workers read the settings and the secrets
    where they run; none are sent.

    Raises:
        ConfigurationError: settings are wrong, or missing.
    """
    settings = load_settings(os.environ)
    with OpenStores(settings) as stores:
        yield stores.repositories(writes=True), make_dumper(settings)


def _open(name: str, location: Location, opener: Opener, settings: Settings) -> _Opened:
    """Open a store; an error about a copy says which one, since a copy has its own variables."""
    try:
        store, retried = opener(location), store_type(location.scheme).retried
    except ConfigurationError as error:
        problems = problems_of(name, location, error.problems)
        raise ConfigurationError(problems, hint=hint_for(name, error.hint)) from None
    cache, record = make_cache(settings, location), make_record(settings, location)
    return _Opened(store, retried, cache, record)
