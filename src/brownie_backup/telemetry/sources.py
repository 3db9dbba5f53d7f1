"""What metrics are made from: the manifests, audit trails and leases of all stores.

Reading a large catalogue takes its time, and a store may not answer at all. So each store is read
by a thread of its own, by one at a time, and whoever asks waits for it only so long.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import timedelta

from attrs import evolve, field, frozen, mutable

from brownie_backup.audit import AuditRecord
from brownie_backup.config import make_repositories
from brownie_backup.errors import BackupError
from brownie_backup.model import Backup, RetentionPolicy
from brownie_backup.operations.audit import read_audit
from brownie_backup.repository import LeaseRecord, Repository
from brownie_backup.repository.background import begin
from brownie_backup.settings import Settings

FRESH = timedelta(seconds=10)
"""How old what is known of a store may be without another look."""
_SHARE = 10
"""A look that takes long is repeated only after so many times as long."""
PATIENCE = timedelta(seconds=8)
"""How long a scrape waits for stores: Prometheus itself waits for ten seconds."""
SILENCE = timedelta(minutes=5)
"""A store that has said nothing for so long counts as out of reach."""
_MOST_SETTINGS = 8

Monotonic = Callable[[], float]


@frozen
class Entry:
    """A backup in a store. Its manifest has no parts: their blobs would fill the memory."""

    backup: Backup
    size_bytes: int = 0
    stored_bytes: int = 0


@frozen
class StoreContent:
    """What a store had when it was last read."""

    url: str
    policy: RetentionPolicy
    entries: tuple[Entry, ...] = ()
    """Newest first."""
    stored_bytes: int = 0
    """Of all blobs that some backup names, each counted once."""
    records: tuple[AuditRecord, ...] = ()
    leases: tuple[LeaseRecord, ...] = ()
    known: bool = False
    """Whether it was ever read."""
    reachable: bool = False


def read_content(repository: Repository) -> StoreContent:
    """Return what a store has.

    Raises:
        StoreError: it could not be read.
    """
    backups = repository.backups(check_blobs=False)
    manifests = (backup.manifest for backup in backups if backup.manifest)
    sizes = {blob.name: blob.stored_bytes for manifest in manifests for blob in manifest.blobs}
    return StoreContent(
        repository.store.url,
        repository.policy,
        tuple(map(_entry, backups)),
        sum(sizes.values()),
        read_audit(repository),
        repository.leases(),
        known=True,
        reachable=True,
    )


def _entry(backup: Backup) -> Entry:
    manifest = backup.manifest
    if manifest is None:
        return Entry(backup)
    small = evolve(backup, manifest=evolve(manifest, parts=()))
    return Entry(small, manifest.size_bytes, manifest.stored_bytes)


@mutable(eq=False)
class _Watch:
    """One store: what was last known of it, and whoever is reading it now."""

    repository: Repository
    monotonic: Monotonic
    content: StoreContent
    read_at: float | None = None
    """When it was last read without an error."""
    looked_at: float | None = None
    spent: float = 0.0
    reading: Future[None] | None = None
    lock: threading.Lock = field(factory=threading.Lock)

    def look(self) -> Future[None] | None:
        """Begin to read the store unless that was done just now; None if there is no need."""
        with self.lock:
            if self.reading and not self.reading.done():
                return self.reading
            if self.looked_at is not None:
                fresh = max(FRESH.total_seconds(), _SHARE * self.spent)
                if self.monotonic() - self.looked_at < fresh:
                    return None
            self.reading = begin(self._read)
            return self.reading

    def found(self) -> StoreContent:
        """Return what is known."""
        silent = self.read_at is None or (
            self.monotonic() - self.read_at > SILENCE.total_seconds() + _SHARE * self.spent
        )
        return evolve(self.content, reachable=False) if silent else self.content

    def _read(self) -> None:
        began = self.monotonic()
        try:
            content = read_content(self.repository)
        except BackupError:
            content = evolve(self.content, reachable=False)
        else:
            self.read_at = self.monotonic()
        self.content = content
        self.looked_at = self.monotonic()
        self.spent = self.looked_at - began


class Sources:
    """The stores of some settings. Thread-safe.

    Args:
        repositories: one for each store.
        monotonic: the time, in seconds.
    """

    def __init__(
        self, repositories: tuple[Repository, ...], monotonic: Monotonic = time.monotonic
    ) -> None:
        self._watches = [
            _Watch(each, monotonic, StoreContent(each.store.url, each.policy))
            for each in repositories
        ]

    def contents(self, patience: timedelta = PATIENCE) -> tuple[StoreContent, ...]:
        """Return what is known of each store, waiting so long for those that have to be read."""
        looking = [future for watch in self._watches if (future := watch.look())]
        done, _ = wait(looking, patience.total_seconds())
        for future in done:
            future.result()  # what is no error of a store must not look like an old store
        return tuple(watch.found() for watch in self._watches)


_KNOWN: deque[tuple[Settings, Sources]] = deque(maxlen=_MOST_SETTINGS)
_LOCK = threading.Lock()


def sources_of(settings: Settings) -> Sources:
    """Return the stores of these settings: the same as last time, with what is known of them."""
    with _LOCK:
        for known, sources in _KNOWN:
            if known is settings:
                return sources
        # No second try: the next scrape is one.
        repositories = make_repositories(evolve(settings, retry_seconds=0))
        _KNOWN.append((settings, Sources(repositories)))
        return _KNOWN[-1][1]
