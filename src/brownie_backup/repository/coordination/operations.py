"""The register of operations requested over REST: small objects in the store.

Every replica reads them, and they outlive each replica. While an operation runs, its process puts
the record again every few seconds. If the record is no longer put, the operation has died with its
process.
"""

import contextlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from attrs import frozen

from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import Busy, DamagedError, KeyExists, KeyNotFound, NotFound, StoreError
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import (
    OPERATIONS,
    cancellation_key,
    claim_in,
    claim_key,
    is_foreign,
    name_in,
    operation_key,
)
from brownie_backup.hints import BackupHint
from brownie_backup.protocols import Clock, Store, StoredObject, get_object
from brownie_backup.repository.catalogue.holds import read_attempt
from brownie_backup.repository.coordination.leases import list_leases

HEARTBEAT = timedelta(seconds=3)
LOST_AFTER = timedelta(seconds=90)
"""After this long without a heartbeat, an operation is over. One call of a slow store may take 60
s."""
KEPT_FOR = timedelta(days=30)

RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@frozen
class OperationRecord:
    """One operation in the store's register. Nothing in it is secret."""

    id: str
    action: str
    """``backup``, ``restore``, ``verify`` or ``cleanup``."""
    actor: str
    """The caller: the name of a token, or ``anonymous``."""
    requested_at: datetime
    heartbeat_at: datetime
    state: str = RUNNING
    request: str = ""
    """A digest of the request."""
    backup: str | None = None
    database: str | None = None
    """The resource that it has to itself while it runs: no other operation may have the same."""
    phase: str | None = None
    done_bytes: int = 0
    total_bytes: int | None = None
    cancelled_by: str | None = None
    """The caller that asked to cancel it."""
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended, according to its record."""
        return self.state == RUNNING


@frozen
class OperationLog:
    """The records of a store.

    Args:
        store: the store that all replicas share.
        clock: the time now; replicas' clocks should agree to within a few seconds.
    """

    store: Store
    clock: Clock

    def enter(self, record: OperationRecord) -> OperationRecord:
        """Create a record, or return the existing one of that id."""
        try:
            self.store.put(operation_key(record.id), to_json(record), if_absent=True)
        except KeyExists:
            with contextlib.suppress(NotFound):
                return self.get(record.id)
            # It was withdrawn just now: the request that created it was refused.
            raise Busy("the same request was just refused", hint=BackupHint.TRY_AGAIN) from None
        return record

    def put(self, record: OperationRecord) -> None:
        """Replace a record."""
        self.store.put(operation_key(record.id), to_json(record))

    def withdraw(self, identifier: str) -> None:
        """Remove a record: its request never became an operation."""
        self.store.delete(operation_key(identifier))

    def get(self, identifier: str) -> OperationRecord:
        """Return a record.

        Raises:
            NotFound: no record has that id.
        """
        if not _ID.fullmatch(identifier):  # the store might not even accept it as a key
            raise _not_found(identifier)
        try:
            data = get_object(self.store, operation_key(identifier))
        except KeyNotFound:
            raise _not_found(identifier) from None
        return _record(data, operation_key(identifier))

    def lost(self, record: OperationRecord) -> bool:
        """Whether its process died before it ended."""
        return record.running and self.clock() - record.heartbeat_at > LOST_AFTER

    def recent(
        self, most: int, known: Mapping[str, OperationRecord] | None = None
    ) -> tuple[OperationRecord, ...]:
        """Return the operations that were put last, newest first.

        Args:
            most: the largest number to return.
            known: records that need not be read again: those of ended operations.
        """
        known = known or {}
        ours = (f for f in self.store.list(OPERATIONS) if not is_foreign(f.key, operation_key))
        found = sorted(ours, key=_modified, reverse=True)[:most]
        with thread_pool() as threads:
            records = tuple(threads.each(partial(self._read, known), found))
        present = (record for record in records if record)
        return tuple(sorted(present, key=lambda record: record.requested_at, reverse=True))

    def claim(self, record: OperationRecord) -> None:
        """Give an operation exclusive use of its database, until it has ended.

        Claims are numbered, and each number goes to only one of the operations that race for it.
        The operation with the highest number has the database. Once it is over, a higher number may
        be claimed.

        Raises:
            Busy: an operation, or a backup started elsewhere, is using it.
        """
        assert record.database is not None  # noqa: S101 - who calls knows it
        numbers = self._claims(record.database)
        if numbers:
            self._refuse_if_at_work(record.database, max(numbers))
        self._refuse_if_backed_up(record.database)
        number = max(numbers, default=0) + 1
        try:
            claimed = to_json({"operation": record.id})
            self.store.put(claim_key(record.database, number), claimed, if_absent=True)
        except KeyExists:
            raise busy(record.database, "another operation just began") from None
        # After a slow listing we may have got a number that others had claimed and removed.
        if max(self._claims(record.database), default=0) != number:
            self.store.delete(claim_key(record.database, number))
            raise busy(record.database, "another operation just began")
        for old in numbers:
            with contextlib.suppress(StoreError):
                self.store.delete(claim_key(record.database, old))

    def ask_to_cancel(self, identifier: str, by: str) -> None:
        """Record the request to cancel an operation, for the process that runs it."""
        self.store.put(cancellation_key(identifier), to_json({"by": by}))

    def asked_to_cancel(self, identifier: str) -> str | None:
        """Return the caller that asked to cancel the operation."""
        try:
            data = get_object(self.store, cancellation_key(identifier))
            return from_json(data, _Cancellation, cancellation_key(identifier)).by
        except KeyNotFound:
            return None
        except DamagedError:
            return "somebody"

    def forget_old(self) -> None:
        """Remove the records of operations that are no longer needed."""
        before = self.clock() - KEPT_FOR
        for found in [*self.store.list(OPERATIONS)]:
            if found.modified_at < before and not is_foreign(found.key, operation_key):
                self.store.delete(found.key)
                self.store.delete(cancellation_key(name_in(found.key)))

    def _read(
        self, known: Mapping[str, OperationRecord], found: StoredObject
    ) -> OperationRecord | None:
        seen = known.get(name_in(found.key))
        if seen and not seen.running:
            return seen
        try:
            return _record(get_object(self.store, found.key), found.key)
        except (KeyNotFound, DamagedError):
            return None

    def _claims(self, database: str) -> tuple[int, ...]:
        listed = self.store.list(claim_key(database))
        return tuple(n for found in listed if (n := claim_in(found.key, database)) is not None)

    def _refuse_if_at_work(self, database: str, number: int) -> None:
        try:
            claimed = from_json(
                get_object(self.store, claim_key(database, number)), _Claim, "claim"
            )
            holder = self.get(claimed.operation)
        except (KeyNotFound, NotFound, DamagedError):  # its owner cannot be known
            return
        if holder.running and not self.lost(holder):
            raise busy(database, f"operation {holder.id} ({holder.action}) is at work on it")

    def _refuse_if_backed_up(self, database: str) -> None:
        """Refuse while the command line or the scheduler makes a backup: its lease shows that.

        The lease of an operation that died may still exist: it does not count.
        """
        try:
            attempt = read_attempt(self.store, database)
        except DamagedError:  # the next backup replaces it
            return
        if attempt is None:
            return
        held = any(
            lease.backup == attempt.backup and not lease.expired(self.clock())
            for lease in list_leases(self.store)
        )
        if held and not self._died(attempt.backup):
            raise busy(database, f"backup '{attempt.backup}' is being made")

    def _died(self, backup: str) -> bool:
        records = self.recent(_LOOK_BACK)
        made = next((r for r in records if r.action == "backup" and r.backup == backup), None)
        return made is not None and (self.lost(made) or not made.running)


_LOOK_BACK = 20
"""The number of recent operations that are searched for the owner of a leftover lease."""


@frozen
class _Claim:
    operation: str


@frozen
class _Cancellation:
    by: str


def _record(data: bytes, key: str) -> OperationRecord:
    """Return a record, if it is the one that its key names: others show its id to their clients."""
    record = from_json(data, OperationRecord, key)
    if not _ID.fullmatch(record.id) or operation_key(record.id) != key:
        msg = f"{key} is another operation's"
        raise DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)
    return record


def _not_found(identifier: str) -> NotFound:
    msg = f"there is no operation '{identifier[:100]}'"
    return NotFound(msg, hint=BackupHint.LIST_OPERATIONS)


def busy(database: str, why: str) -> Busy:
    """Return the error for a request for a database that another operation has to itself."""
    return Busy(f"the database '{database}' is busy: {why}", hint=BackupHint.TRY_WHEN_ENDED)


def _modified(found: StoredObject) -> datetime:
    return found.modified_at
