"""The stores of some settings, opened once and kept open between a process's calls."""

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Self

from attrs import evolve, frozen

from brownie_backup.config.codecs import check_key, keys_of, make_codecs
from brownie_backup.config.destinations import hint_for, problems_of
from brownie_backup.config.factory import make_cache, make_dumper, make_host_key, make_record
from brownie_backup.config.secret_files import file_stamps
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

_log = logging.getLogger(__name__)

_RENEW_SECONDS = 60.0
"""A store that refuses again sooner really refuses these credentials."""
IDLE_SECONDS = 300.0
"""Connections that were unused for this long are replaced: a firewall may have dropped them, and
each would then have to time out."""


@frozen
class _Opened:
    """What is kept of one store."""

    location: Location
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
        reread: returns the settings as they are now. A long-running process needs it, since the
            secrets in files may change.
    """

    def __init__(
        self,
        settings: Settings,
        opener: Opener = open_store,
        *,
        idle_seconds: float = IDLE_SECONDS,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        self.settings = settings
        self._current, self._stamps = settings, file_stamps(settings)
        self._reread = reread
        self._idle_seconds = idle_seconds
        self._opener = opener
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}
        self._codecs: Codecs | None = None
        self._used_at = time.monotonic()
        self._renewed_at: dict[str, float] = {}
        self._outdated: list[SupportsClose] = []
        """Stores and codecs with old secrets; another thread may still use them."""

    @property
    def known(self) -> Settings:
        """The settings with the secrets that are used now."""
        return self._current

    @property
    def current(self) -> Settings:
        """The settings with the secrets that their files have now.

        Raises:
            ConfigurationError: a file can't be read any more, or is wrong.
        """
        with self._lock:
            self._refresh()
            return self._current

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
            ConfigurationError: a store can't be opened, no store has that name, there is no key, or
                a file with a setting can't be read any more.
        """
        if writes:
            check_key(self.settings)
        names = self._in_order(first)
        with self._lock:
            self._refresh()
            self._open()
            codecs = self._codecs = self._codecs or make_codecs(self._current)
            opened = [(name, self._opened[name]) for name in names]
        seconds = self.settings.retry_seconds if retry_seconds is None else retry_seconds
        policy = RetryPolicy(give_up_after_seconds=seconds)
        return tuple(
            Repository(
                self._view(name, each, policy),
                cache=each.cache,
                codecs=codecs,
                record=each.record,
                host_key=partial(make_host_key, self.settings.cache_dir),
            )
            for name, each in opened
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
            for outdated in self._outdated:
                stack.callback(outdated.close)
            self._opened, self._codecs, self._outdated = {}, None, []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _view(self, name: str, opened: _Opened, policy: RetryPolicy) -> Store:
        """Return an open store as one call uses it."""
        store = opened.store
        if opened.retried:
            store = RetryingStore(store, policy, renew=partial(self._renew, name))
        return require_existing(store) if self.settings.require_existing else store

    def _in_order(self, first: str | None) -> list[str]:
        stores = self.settings.stores
        if first and first not in {*stores, *(location.url for location in stores.values())}:
            known = ", ".join(f"{name} ({location.url})" for name, location in stores.items())
            problem = f"there is no store '{first}'"
            raise ConfigurationError([problem], hint=f"The stores are {known}")
        # The sort is stable: the others keep their order.
        return sorted(stores, key=lambda name: first not in {name, stores[name].url})

    def _refresh(self) -> None:
        """Read the settings again if a file has changed, and replace what they changed."""
        stamps = file_stamps(self._current)
        if self._reread is None or stamps == self._stamps:
            return
        fresh = self._reread()
        self._stamps = stamps
        _log.info("a file with a setting has changed: the settings were read again")
        for name in [*self._opened]:
            if fresh.stores.get(name) != self._opened[name].location:
                self._put_aside(name)
        if self._codecs and keys_of(fresh) != keys_of(self._current):
            self._outdated.append(self._codecs)
            self._codecs = None
        self._current = fresh

    def _put_aside(self, name: str) -> None:
        store = self._opened.pop(name).store
        if isinstance(store, SupportsClose):
            self._outdated.append(store)

    def _renew(self, name: str, refused: Store) -> Store | None:
        """Return the store with other credentials than were refused; None if there are no others.

        The file of a credential may be another one by now; those that the SDK's own chain has
        found may have expired.
        """
        with self._lock:
            opened, now = self._opened.get(name), time.monotonic()
            if opened and opened.store is not refused:
                return opened.store  # another thread has renewed it
            if now - self._renewed_at.get(name, -math.inf) < _RENEW_SECONDS:
                return None
            self._renewed_at[name] = now
            self._refresh()
            location = self._current.stores[name]
            if name in self._opened:
                if location.access_key or location.secret_key or location.token:
                    return None  # the same would be refused again
                self._put_aside(name)
            self._open()
            return self._opened[name].store

    def _open(self) -> None:
        now = time.monotonic()
        idle, self._used_at = now - self._used_at > self._idle_seconds, now
        for name, location in self._current.stores.items():
            opened = self._opened.get(name)
            if opened is None:
                self._opened[name] = _open(name, location, self._opener, self._current)
            else:
                if idle and isinstance(opened.store, SupportsClose):
                    opened.store.close()
                # a caller needed it then; now it may be closed
                if opened.cache and not opened.cache.works:
                    opened.cache.close()
                    fresh = make_cache(self.settings, location)
                    self._opened[name] = evolve(opened, cache=fresh)


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
    return _Opened(location, store, retried, cache, record)
