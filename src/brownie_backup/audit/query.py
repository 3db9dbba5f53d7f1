"""Read the audit trail, and check that nothing in it was changed or removed."""

from datetime import UTC, datetime

from brownie_backup.audit.proof import AuditProof, problems_of
from brownie_backup.audit.reader import list_trail, read_trail
from brownie_backup.audit.record import AuditRecord, AuditTrail, entries_of
from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import DamagedError, KeyNotFound
from brownie_backup.format.layout import MANIFESTS
from brownie_backup.protocols import Store, get_object


def read_audit(
    store: Store, now: datetime, since: datetime | None = None, *, limit: int | None = None
) -> tuple[AuditRecord, ...]:
    """Return the records of a store's trail, oldest first.

    It is cheap to call again: a listing of the days in question, and one request for each record
    that this process has not read yet.

    Args:
        store: the store of the trail.
        now: UTC-aware.
        since: only records put then or later, UTC-aware; None for all.
        limit: only the newest N records.

    Raises:
        StoreError: the store could not be read.
    """
    return read_trail(store, now, since=since, limit=limit)


def audit_trail(
    store: Store,
    now: datetime,
    *,
    since: datetime | None = None,
    action: str | None = None,
    limit: int | None = None,
) -> AuditTrail:
    """Return one record for each operation: its end, or its start if it has no end.

    Args:
        store: the store of the trail.
        now: UTC-aware.
        since: only records put then or later, UTC-aware; None for all.
        action: only this action, such as ``delete``.
        limit: only the newest N operations.

    Raises:
        StoreError: the store could not be read.
    """
    # An operation has two records, and other actions have records too.
    most = 2 * limit if limit is not None and action is None else None
    entries = entries_of(read_audit(store, now, since, limit=most))
    chosen = tuple(entry for entry in entries if action in {None, entry.action})
    newest = chosen if limit is None else chosen[max(0, len(chosen) - limit) :]
    return AuditTrail(store.url, newest)


def prove_audit(store: Store, now: datetime, since: datetime | None = None) -> AuditProof:
    """Read every record of a store's trail, and return its problems.

    Args:
        store: the store of the trail.
        now: UTC-aware.
        since: only the records of that day (UTC) and later, UTC-aware; None for all.

    Raises:
        StoreError: the store could not be read.
    """

    def get(key: str) -> tuple[str, bytes | None]:
        try:
            return key, get_object(store, key)
        except KeyNotFound:
            return key, None  # as if it had been removed before
        except DamagedError:
            return key, b""  # which no record is

    keys = [found.key for found in list_trail(store, since, now)]
    with thread_pool() as threads:
        objects = {key: data for key, data in threads.each(get, keys) if data is not None}
    first = since.astimezone(UTC).date() if since else None
    while True:
        problems = tuple(problems_of(objects, since=first))
        # Records put during the listing may not be in the listing.
        late = [get(problem.key) for problem in problems if problem.missing]
        found = {key: data for key, data in late if data is not None}
        if not found:
            # Without a limit of time, every operation since the first would be there.
            unrecorded = not objects and since is None and any(store.list(MANIFESTS))
            return AuditProof(store.url, len(objects), problems, unrecorded)
        objects |= found
