"""Unwrapping data keys: each once in a process, since a key service costs time and money."""

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence

from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    KeyMissing,
    StoreError,
)
from brownie_backup.hints import BackupHint, KeyHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.protocols import KeySource, Store
from brownie_backup.repository.keys.objects import WrappedKey, wrapped_keys
from brownie_backup.repository.keys.ring import read_ring

MOST_AT_ONCE = 8
"""How many keys are unwrapped at the same time: key services limit their callers."""


_MOST_TRIED = 8
"""How many wrapped forms of one key are tried for each recipient."""


class DataKeys:
    """The data keys of a repository, for a host that can unwrap them. Thread-safe.

    Args:
        repository_id: which repository it is.
        stores: where the wrapped keys are; the first that has one that opens is enough.
        sources: what this host can unwrap with.
    """

    def __init__(
        self, repository_id: str, stores: Sequence[Store], sources: Sequence[KeySource]
    ) -> None:
        self._repository_id = repository_id
        self._stores = tuple(stores)
        self._sources = tuple(sources)
        self._at_once = threading.Semaphore(MOST_AT_ONCE)
        self._lock = threading.Lock()
        self._of_key: dict[str, threading.Lock] = {}
        self._known: dict[str, bytes | BackupError] = {}
        self._rings: dict[str, frozenset[Recipient]] = {}
        self._away: BackupError | None = None
        """Why a store could not be asked."""

    def get(self, key_id: str) -> bytes:
        """Return a data key.

        Raises:
            KeyMissing: this host has no key for any of its recipients.
            DecryptionError: a key was refused, or is wrong.
            DamagedError: the wrapped key is missing or damaged in every store.
        """
        with self._lock:
            lock = self._of_key.setdefault(key_id, threading.Lock())
        with lock:
            found = self._known.get(key_id)
            if found is None:
                with self._at_once:
                    found = self._known[key_id] = self._unwrap(key_id)
        if isinstance(found, bytes):
            return found
        raise _again(found)

    def _unwrap(self, key_id: str) -> bytes | BackupError:
        """Return the key, or why no key of this host opens it."""
        context = KeyContext(self._repository_id, key_id)
        recipients: set[str] = set()
        problems: list[BackupError] = []
        for source, key in self._ways(key_id, recipients):
            try:
                return source.wrapper(key.recipient).unwrap(key.wrapped, context)
            except (ConfigurationError, DecryptionError, DamagedError) as error:
                problems.append(error)
        if not recipients:
            if self._away:
                return self._away
            msg = f"the data key {key_id[:16]} is missing or damaged in every store"
            return DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)
        refused = next((e for e in problems if not isinstance(e, KeyMissing)), None)
        # That a key is missing says less than that one was refused.
        return refused or self._missing(recipients, problems)

    def _missing(self, recipients: set[str], problems: Sequence[BackupError]) -> KeyMissing:
        """Return the error of a host that has a key for none of the recipients."""
        named = ", ".join(sorted(recipients))
        tried = {source.kind for source in self._sources}
        if problems and {each.partition(":")[0] for each in recipients} <= tried:
            msg = f"{problems[0].message}; the data key is wrapped for {named}"
            return KeyMissing(msg, hint=problems[0].hint)
        msg = f"no key here is of a recipient: {named}"
        return KeyMissing(msg, hint=KeyHint.GIVE_RECIPIENT_KEY)

    def _ways(self, key_id: str, seen: set[str]) -> Iterator[tuple[KeySource, WrappedKey]]:
        """Yield each way to unwrap a key, the likeliest first; note its recipients.

        A private key may open what names another of its names, so only the kind has to fit.
        """
        for store in self._stores:
            try:
                found = tuple(wrapped_keys(store, key_id))
            except StoreError as error:
                self._away = self._away or error
                continue
            seen |= {f"{key.recipient.kind}:{key.recipient.ref}" for key in found}
            current = self._current(store)
            ways = [
                (source, key)
                for source in self._sources
                # Anyone can add more than the ring has. A passphrase takes time for each.
                for key in _likeliest(found, source.kind, current)
            ]
            yield from sorted(ways, key=lambda way: not way[0].is_for(way[1].recipient))

    def _current(self, store: Store) -> frozenset[Recipient]:
        """Return the recipients in a store's key ring. They only say what to try first.

        So a ring that cannot be read keeps no key from being unwrapped.
        """
        if store.url not in self._rings:
            with contextlib.suppress(StoreError, DamagedError):
                ring = read_ring(store)
                self._rings[store.url] = frozenset(ring.recipients if ring else ())
        return self._rings.get(store.url, frozenset())


def _likeliest(
    found: Iterable[WrappedKey], kind: str, current: Collection[Recipient]
) -> list[WrappedKey]:
    """Return what may be for a recipient of a kind: the current recipients first, and not all."""
    own = [key for key in found if key.recipient.kind == kind]
    return sorted(own, key=lambda key: key.recipient not in current)[:_MOST_TRIED]


def _again(error: BackupError) -> BackupError:
    """Return a copy of an error, which several threads may raise."""
    if isinstance(error, ConfigurationError):  # here it says that a key cannot be used
        return KeyMissing(error.message, hint=error.hint)
    return type(error)(error.message, hint=error.hint)
