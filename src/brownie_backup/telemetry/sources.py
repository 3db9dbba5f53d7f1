"""The sources of metrics: the manifests, audit trails and leases of all stores.

Reading a large catalogue takes time, and a store may not answer. So each store is read by its own
thread, one read at a time, and a caller waits for it only for a limited time.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from datetime import timedelta
from weakref import WeakKeyDictionary

from attrs import evolve, field, frozen, mutable

from brownie_backup.audit.query import read_audit
from brownie_backup.audit.record import AuditRecord
from brownie_backup.concurrency.background import begin
from brownie_backup.config import OpenStores
from brownie_backup.errors import BackupError
from brownie_backup.model import Backup
from brownie_backup.repository import LeaseRecord, Repository
from brownie_backup.retention.policy import RetentionPolicy

FRESH = timedelta(seconds=10)
"""How old a store's last read may be before it is read again."""
_SHARE = 10
"""A slow read is repeated only after this many times its duration."""
PATIENCE = timedelta(seconds=8)
"""How long a scrape waits for stores: Prometheus itself waits for ten seconds."""
SILENCE = timedelta(minutes=5)
"""A store that has not answered for this long counts as out of reach."""

Monotonic = Callable[[], float]


def fresh_until(began: float, ended: float) -> float:
    """Return until when an action that was just done need not be repeated."""
    return ended + max(FRESH.total_seconds(), _SHARE * (ended - began))


@frozen
class Entry:
    """A backup in a store. Its manifest has no parts: their blobs would fill the memory."""

    backup: Backup
    size_bytes: int = 0
    stored_bytes: int = 0
    expected: bool = True
    """Whether it is encrypted, or new ones are not either: ``latest`` passes over the others."""


@frozen
class StoreContent:
    """The content of a store when it was last read."""

    url: str
    policy: RetentionPolicy
    entries: tuple[Entry, ...] = ()
    """Newest first."""
    stored_bytes: int = 0
    """The size of all blobs that some backup names, each counted once."""
    records: tuple[AuditRecord, ...] = ()
    leases: tuple[LeaseRecord, ...] = ()
    known: bool = False
    """Whether it was ever read."""
    reachable: bool = False


def read_content(repository: Repository, policy: RetentionPolicy) -> StoreContent:
    """Return the content of a store.

    Raises:
        StoreError: it could not be read.
    """
    backups = repository.backups(check_blobs=False)
    manifests = (backup.manifest for backup in backups if backup.manifest)
    sizes = {blob.name: blob.stored_bytes for manifest in manifests for blob in manifest.blobs}
    return StoreContent(
        repository.store.url,
        policy,
        tuple(_entry(backup, repository) for backup in backups),
        sum(sizes.values()),
        read_audit(repository.store, repository.clock()),
        repository.leases(),
        known=True,
        reachable=True,
    )


def _entry(backup: Backup, repository: Repository) -> Entry:
    manifest = backup.manifest
    if manifest is None:
        return Entry(backup)
    small = evolve(backup, manifest=evolve(manifest, parts=()))
    expected = repository.codecs.expects(manifest)
    return Entry(small, manifest.size_bytes, manifest.stored_bytes, expected)


@mutable(eq=False)
class _Watch:
    """One store: its last known content, and the thread that is reading it now."""

    repository: Repository
    monotonic: Monotonic
    content: StoreContent
    read_at: float | None = None
    """When it was last read without an error."""
    fresh_until: float | None = None
    reading: Future[None] | None = None
    lock: threading.Lock = field(factory=threading.Lock)

    def look(self) -> Future[None] | None:
        """Start to read the store unless that was done just now; None if there is no need."""
        with self.lock:
            if self.reading and not self.reading.done():
                return self.reading
            if self.fresh_until is not None and self.monotonic() < self.fresh_until:
                return None
            self.reading = begin(self._read)
            return self.reading

    def found(self) -> StoreContent:
        """Return the last known content."""
        since = max(self.read_at or 0.0, self.fresh_until or 0.0)
        silent = self.read_at is None or self.monotonic() - since > SILENCE.total_seconds()
        if silent and self.content.reachable:
            self.content = evolve(self.content, reachable=False)
        return self.content

    def _read(self) -> None:
        began = self.monotonic()
        try:
            content = read_content(self.repository, self.content.policy)
        except BackupError:
            content = evolve(self.content, reachable=False)
        else:
            self.read_at = self.monotonic()
        self.content = content
        self.fresh_until = fresh_until(began, self.monotonic())


class Sources:
    """The stores of some settings. Thread-safe.

    Args:
        repositories: one for each store.
        policies: which backups each of them keeps.
        monotonic: the time, in seconds.
    """

    def __init__(
        self,
        repositories: Sequence[Repository],
        policies: Sequence[RetentionPolicy],
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._text: bytes = b""
        self._text_until = 0.0
        self._made_of: tuple[StoreContent, ...] = ()
        self._watches = [
            _Watch(each, monotonic, StoreContent(each.store.url, policy))
            for each, policy in zip(repositories, policies, strict=True)
        ]

    def contents(self, patience: timedelta = PATIENCE) -> tuple[StoreContent, ...]:
        """Return the last known content of each store, waiting for a limited time."""
        looking = [future for watch in self._watches if (future := watch.look())]
        done, _ = wait(looking, patience.total_seconds())
        for future in done:
            future.result()  # an error outside the store must not look like an old store
        return tuple(watch.found() for watch in self._watches)

    def once(self, contents: tuple[StoreContent, ...], make: Callable[[], bytes]) -> bytes:
        """Return the result of `make` on contents, or its last result; one caller at a time."""
        with self._lock:
            began = self._monotonic()
            made_of = tuple(map(id, contents))
            if made_of != tuple(map(id, self._made_of)) or began >= self._text_until:
                self._made_of, self._text = contents, make()
                self._text_until = fresh_until(began, self._monotonic())
            return self._text


_KNOWN: WeakKeyDictionary[OpenStores, Sources] = WeakKeyDictionary()
_LOCK = threading.Lock()


def sources_of(stores: OpenStores) -> Sources:
    """Return the sources of these stores: the same as last time, with their known content."""
    with _LOCK:
        if stores not in _KNOWN:
            _KNOWN[stores] = new_sources(stores)
        return _KNOWN[stores]


def new_sources(stores: OpenStores) -> Sources:
    """Return the sources of these stores, with no known content yet."""
    # No second try: the next scrape is one.
    return Sources(stores.repositories(retry_seconds=0), stores.policies)
