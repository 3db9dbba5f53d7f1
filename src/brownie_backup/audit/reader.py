"""The audit trail of one store: its records, and their content."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from brownie_backup.audit.record import AuditRecord, RecordId, id_in, record_from
from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import DamagedError, KeyNotFound
from brownie_backup.format.layout import AUDIT
from brownie_backup.hints import BackupHint
from brownie_backup.protocols import Store, StoredObject, get_object

_log = logging.getLogger(__name__)

_MOST_DAYS = 3
"""For more days, whole months are listed; for more than two years, everything."""
_MOST_MONTHS = 24
MOST_REMEMBERED = 50_000
"""``docs/reference/metrics.md`` describes the consequences."""
_DAY = timedelta(days=1)


class RecordCache:
    """The records that this process has read. Thread-safe.

    A record's id contains the hash of its bytes, so it is the same in every store.

    Args:
        most: how many records are kept.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._records: dict[RecordId, AuditRecord] = {}
        self._lock = threading.Lock()

    def get(self, name: RecordId) -> AuditRecord | None:
        """Return a record, if it was read before."""
        return self._records.get(name)

    def add(self, name: RecordId, record: AuditRecord) -> None:
        """Keep a record, unless there are too many.

        No other record is dropped for it: a trail is read from beginning to end again and again, so
        each record would be dropped just before it is needed.
        """
        with self._lock:
            if len(self._records) < self._most:
                self._records[name] = record


_RECORDS = RecordCache()


def read_trail(
    store: Store,
    now: datetime,
    *,
    since: datetime | None = None,
    limit: int | None = None,
    remembered: RecordCache = _RECORDS,
) -> tuple[AuditRecord, ...]:
    """Return the records of a store, in the order in which they were put.

    It lists the days in question, and gets the records that this process has not read yet. A record
    that can't be read is skipped, with a warning: `problems_of` reports the problem.

    Args:
        store: the store of the trail.
        now: by our own clock.
        since: only records put then or later, UTC-aware; None for all.
        limit: only the newest N.
        remembered: the records that need not be read again; by default this process's.
    """
    names = sorted(
        (name for found in list_trail(store, since, now) if (name := id_in(found.key))),
        key=lambda name: (name.day, name.writer, name.sequence),
    )
    if limit is not None:
        # All records of the days that have that many: within a day the key does not show the order.
        days = [name.day for name in names]
        first = days[-limit] if 0 < limit <= len(days) else date.min
        names = [name for name in names if name.day >= first]

    def read(name: RecordId) -> AuditRecord | None:
        return _read(store, name, remembered)

    with thread_pool() as threads:
        records = [record for record in threads.each(read, names) if record]
    chosen = [each for each in records if since is None or put_at(each) >= since]
    chosen.sort(key=lambda each: (put_at(each), each.writer, each.sequence))
    return tuple(chosen if limit is None else chosen[max(0, len(chosen) - limit) :])


def put_at(record: AuditRecord) -> datetime:
    """Return when a record was put into its store."""
    return record.recorded_at or record.at


def list_trail(store: Store, since: datetime | None, now: datetime) -> Iterator[StoredObject]:
    """Yield the objects in the trail, foreign ones too; with `since`, from that day (UTC) on."""
    if since is None:
        yield from store.list(AUDIT)
        return
    first = since.astimezone(UTC).date()
    for prefix in _prefixes(first, now.astimezone(UTC).date() + _DAY):
        for found in store.list(f"{AUDIT}{prefix}"):
            if found.key >= f"{AUDIT}{first}":
                yield found


def _prefixes(first: date, last: date) -> Iterator[str]:
    """Yield the key prefixes of these days, as few as possible."""
    months = (last.year - first.year) * 12 + last.month - first.month
    if (last - first).days < _MOST_DAYS:
        for number in range((last - first).days + 1):
            yield f"{first + number * _DAY}/"
    elif months < _MOST_MONTHS:
        for number in range(first.month - 1, first.month + months):
            yield f"{first.year + number // 12:04}-{number % 12 + 1:02}-"
    else:
        yield ""


def _read(store: Store, name: RecordId, remembered: RecordCache) -> AuditRecord | None:
    known = remembered.get(name)
    if known:
        return known
    try:
        record = record_from(get_object(store, name.key), name)
    except KeyNotFound:
        return None
    except DamagedError as error:
        what = (name.key, store.url, error.message, BackupHint.PROVE_AUDIT())
        _log.warning("%s in %s: %s. %s", *what)
        return None
    remembered.add(name, record)
    return record
