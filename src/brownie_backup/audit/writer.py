"""Writing the audit trail: to several stores at once, each with a chain of its own."""

import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import UTC, datetime, timedelta

from attrs import evolve

from brownie_backup.audit.record import AuditRecord, RecordId, id_in, seal
from brownie_backup.concurrency.background import begin
from brownie_backup.errors import BackupError, KeyExists, StoreUnavailable
from brownie_backup.format.layout import AUDIT, IDENTITY, MANIFESTS
from brownie_backup.protocols import Clock, ObjectUse, Store, StoredObject

_log = logging.getLogger(__name__)
_audit_log = logging.getLogger("brownie_backup.audit")

OTHERS_SECONDS = 5.0
SEEN_WITHIN = timedelta(minutes=10)
"""A record names all records put this long before the newest one that it found, or later. Older
records have been named by that newest one or one before it: no record takes this long from its look
at the store until it is there."""
_AFTER_MIDNIGHT = timedelta(hours=1)
_MOST_PENDING = 1000

FIRST_ACTIONS = frozenset({"backup", "sync"})
"""The actions that may start a trail where there is no repository yet."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuditWriter:
    """Appends records to the audit trails of stores. Thread-safe.

    A record that a store does not take is sent again with the next one, as long as this object
    lives.

    Args:
        clock: the time now.
        others_seconds: how long to wait for the other stores after one has taken a record.
    """

    def __init__(self, clock: Clock = _utc_now, *, others_seconds: float = OTHERS_SECONDS) -> None:
        self._clock = clock
        self._others_seconds = others_seconds
        self._chains: dict[str, _WriterChain] = {}
        self._lock = threading.Lock()

    def record(
        self, stores: Sequence[Store], record: AuditRecord, *, within_seconds: float | None = None
    ) -> Mapping[str, BackupError]:
        """Append a record; return the errors of stores that don't have it yet, by their URLs.

        It waits until one store has taken it, and a little longer for the others. A time limit for
        the whole wait can be given.
        """
        futures = {store.url: self._chain(store).append(store, record) for store in stores}
        _wait(list(futures.values()), within_seconds, self._others_seconds)
        problems = {url: error for url, future in futures.items() if (error := _problem(future))}
        for store in stores:
            self._chain(store).report(store.url, record, problems.get(store.url))
        return problems

    def _chain(self, store: Store) -> "_WriterChain":
        with self._lock:
            return self._chains.setdefault(store.url, _WriterChain(self._clock))


def _wait(
    futures: Sequence[Future[None]], within_seconds: float | None, others_seconds: float
) -> None:
    """Wait until one has succeeded, or all are done, and a little longer for the others."""
    end = None if within_seconds is None else time.monotonic() + within_seconds
    left: set[Future[None]] = set(futures)
    while left and (end is None or time.monotonic() < end):
        seconds = None if end is None else end - time.monotonic()
        done, left = wait(left, seconds, FIRST_COMPLETED)
        if any(future.exception() is None for future in done):
            left_seconds = others_seconds if end is None else end - time.monotonic()
            wait(left, max(0.0, min(others_seconds, left_seconds)))
            return


def _problem(future: Future[None]) -> BackupError | None:
    if not future.done():
        return StoreUnavailable("it has not answered yet")
    error = future.exception()
    if error is None or isinstance(error, BackupError):
        return error
    return StoreUnavailable(f"unexpected {type(error).__name__}")


_MOST_WHY = 80
"""How much is logged of the error that keeps a record from a store: the operation itself meets that
error too, and tells it whole."""


class _WriterChain:
    """One writer's records in one store, put one after the other by their own thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: deque[AuditRecord] = deque(maxlen=_MOST_PENDING)
        self._work: Future[None] | None = None
        self._lock = threading.Lock()
        self._away = False
        self._begin_anew()

    def append(self, store: Store, record: AuditRecord) -> Future[None]:
        """Put the pending records, then this one; return a future of the outcome."""
        with self._lock:
            self._pending.append(record)
            if self._work is None:
                self._work = begin(lambda: self._put_all(store))
            return self._work

    def report(self, url: str, record: AuditRecord, problem: BackupError | None) -> None:
        """Log when a store stops taking records, and when it takes them again."""
        if problem and not self._away:
            why = problem.message
            why = why if len(why) <= _MOST_WHY else f"{why[:_MOST_WHY]}…"
            _log.error("%s is not yet in the audit trail of %s: %s", record.action, url, why)
        elif self._away and not problem:
            _log.warning("%s takes audit records again", url)
        self._away = problem is not None

    def _begin_anew(self) -> None:
        self._writer = secrets.token_hex(8)
        self._sequence = 0
        self._previous: str | None = None

    def _put_all(self, store: Store) -> None:
        try:
            while record := self._next():
                self._put(store, record)
                with self._lock:
                    if self._pending and self._pending[0] is record:
                        self._pending.popleft()
        except BaseException:
            # It may be there anyway, with only the response lost: so no record may follow it, and
            # no other record may take its number.
            self._begin_anew()
            with self._lock:
                self._work = None
            raise

    def _next(self) -> AuditRecord | None:
        with self._lock:
            if not self._pending:
                self._work = None
                return None
            return self._pending[0]

    def _put(self, store: Store, record: AuditRecord) -> None:
        now = self._clock()
        recent = _recent(store, now)
        if not recent and record.action not in FIRST_ACTIONS and not _in_use(store):
            _log.debug("%s holds no backups, so %s is not recorded", store.url, record.action)
            return
        linked = evolve(
            record,
            writer=self._writer,
            sequence=self._sequence + 1,
            previous=self._previous,
            seen=_last_of_others(recent, self._writer),
        )
        name, data = seal(linked, now)
        with contextlib.suppress(KeyExists):  # with its hash in the key, it is ours
            store.put(name.key, data, if_absent=True, use=ObjectUse.RECORD)
        self._sequence, self._previous = linked.sequence, str(name)
        _audit_log.info("record %s is in %s", name, store.url)


def _recent(store: Store, now: datetime) -> list[StoredObject]:
    """Return all records that may not have been named yet, and some more; none if it is empty."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = _listed(store, f"{midnight:%Y-%m-%d}/")
    newest = max((each.modified_at for each in found), default=midnight)
    if newest < midnight + _AFTER_MIDNIGHT:
        found += _listed(store, f"{midnight - timedelta(days=1):%Y-%m-%d}/")
    found = found or _listed(store, "")  # there was no operation for long
    newest = max((each.modified_at for each in found), default=midnight)
    return [each for each in found if each.modified_at >= newest - SEEN_WITHIN]


def _last_of_others(found: Iterable[StoredObject], writer: str) -> tuple[str, ...]:
    """Return the id of each other writer's last record."""
    last: dict[str, RecordId] = {}
    for name in filter(None, (id_in(each.key) for each in found)):
        if name.writer != writer:
            last[name.writer] = max(name, last.get(name.writer, name), key=lambda n: n.sequence)
    return tuple(sorted(map(str, last.values())))


def _in_use(store: Store) -> bool:
    """Whether there is a repository: a wrong destination gets no trail."""
    return any(True for prefix in (IDENTITY, MANIFESTS) for _ in store.list(prefix))


def _listed(store: Store, prefix: str) -> list[StoredObject]:
    return list(store.list(f"{AUDIT}{prefix}"))
