"""Leases: objects that say which process works in a store, until when.

A process that writes or reads blobs holds a shared lease; the sweep holds an exclusive one. Each
process first puts its own lease, and then looks for others. So if two leases exclude each other, at
least one process sees the other and gives way. A lease that its owner no longer renews expires; it
need not be removed.

Only the store's clock decides whether a lease has expired. The store stamped the lease when it was
last put, and the stamp of our own lease, put a moment ago, tells the store's time. So clients whose
clocks are hours apart agree on the holder of each lease.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import evolve, frozen

from brownie_backup.concurrency.threads import make_thread
from brownie_backup.errors import (
    AccessDenied,
    Busy,
    DamagedError,
    KeyNotFound,
    LeaseLost,
    ObjectLocked,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import LEASES, is_foreign, lease_key
from brownie_backup.hints import BackupHint
from brownie_backup.model import is_ahead
from brownie_backup.protocols import Clock, Store, get_object
from brownie_backup.wording import written

_log = logging.getLogger(__name__)

LIFETIME = timedelta(minutes=10)
RENEWAL = timedelta(minutes=1)
EXPIRY_MARGIN = timedelta(minutes=2)
"""How long after its end a lease counts as expired: a renewal may be on its way, and a store may
stamp an object with the second in which the upload began."""
PASSING = timedelta(seconds=10)
"""How long a lease that excludes ours may exist while we hold ours: its owner came later, sees
ours, and is about to remove its own again."""
_LOOK_AGAIN = timedelta(milliseconds=250)


@frozen
class LeaseRecord:
    """The content of a lease's object."""

    id: str
    purpose: str
    exclusive: bool
    owner: str
    acquired_at: datetime
    expires_at: datetime
    backup: str | None = None
    """The name of the backup that is being made: two can't have the same."""

    def excludes(self, other: "LeaseRecord") -> bool:
        """Whether the holder of `other` must give way to this one."""
        if self.exclusive or other.exclusive:
            return True
        same_name = self.backup is not None and self.backup == other.backup
        return same_name and (self.acquired_at, self.id) < (other.acquired_at, other.id)

    def expired(self, now: datetime) -> bool:
        """Whether it no longer counts, where `now` is the store's time.

        Nor does one that was put in the future: the store's clock was wrong then, and if its owner
        still works, it renews it within a minute.
        """
        over = now > self.expires_at + EXPIRY_MARGIN
        return over or is_ahead(self.expires_at - LIFETIME, now)


class Lease:
    """A lease that we hold, renewed by its own thread until `release`."""

    def __init__(
        self,
        store: Store,
        record: LeaseRecord,
        clock: Clock,
        *,
        renewal: timedelta = RENEWAL,
        passing: timedelta = PASSING,
    ) -> None:
        self._renewal = renewal
        self._passing = passing
        self._store = store
        self._record = record
        self._clock = clock
        self._offset = timedelta(0)
        self._lost = False
        self._abandoned = False
        self._ended = threading.Event()
        self._thread = make_thread(self._renew, "lease")

    @property
    def id(self) -> str:
        """The key of its object."""
        return self._record.id

    @property
    def clock_offset(self) -> timedelta:
        """How far the store's clock is ahead of ours."""
        return self._offset

    def now(self) -> datetime:
        """Return the store's time."""
        return self._clock() + self._offset

    def acquire(self) -> None:
        """Put our lease, then give way to any that excludes it (`Busy`)."""
        try:
            self._store.put(lease_key(self._record.id), to_json(self._record))
            put_at = self._clock()
            leases = list_leases(self._store)
            self._offset = self._own(leases).expires_at - LIFETIME - put_at
            self._give_way(leases, as_of=put_at + self._offset)
        except BaseException:
            self.release()
            raise
        self._thread.start()

    def _own(self, leases: tuple[LeaseRecord, ...]) -> LeaseRecord:
        for lease in leases:
            if lease.id == self._record.id:
                return lease
        msg = f"the lease on {self._store.url} is gone"
        raise LeaseLost(msg, hint=BackupHint.LEASE_REMOVED)

    def _give_way(self, leases: tuple[LeaseRecord, ...], as_of: datetime) -> None:
        """Raise `Busy` if a lease excludes ours that had not expired when the listing began.

        The time after the listing would be wrong: in a slow listing, leases that are renewed
        meanwhile would look expired.
        """
        for other in leases:
            if other.id == self._record.id or other.expired(as_of):
                continue
            if other.excludes(self._record):
                msg = f"{self._store.url} is busy: {other.purpose} by {other.owner}"
                raise Busy(msg, hint=BackupHint.LEASE_ENDS(until=written(other.expires_at)))

    def ensure_held(self) -> None:
        """Raise `LeaseLost` unless the lease is ours, still there, and not excluded by another."""
        self.ensure_fresh()
        try:
            for _ in range(self._passing // _LOOK_AGAIN):
                if not self._excluded():
                    break
                self._ended.wait(_LOOK_AGAIN.total_seconds())
            else:
                self._lost = True
        except LeaseLost:
            self._lost = True
        self.ensure_fresh()

    def _excluded(self) -> bool:
        as_of = self.now()
        leases = list_leases(self._store)
        self._own(leases)
        try:
            self._give_way(leases, as_of)
        except Busy:
            return True
        return False

    def ensure_fresh(self) -> None:
        """Raise `LeaseLost` if it has expired or is about to; asks the clock, not the store.

        A process that was suspended notices it this way: others may have worked meanwhile.
        """
        self._lost = self._lost or self._clock() >= self._record.expires_at - self._renewal
        if self._lost:
            msg = f"the lease on {self._store.url} was lost while working"
            raise LeaseLost(msg, hint=BackupHint.LEASE_NOT_RENEWED)

    def release(self) -> None:
        """End the lease; if it can't be removed, it expires by itself."""
        self._ended.set()
        if self._abandoned:
            return
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._store.delete(lease_key(self._record.id))
        except StoreError as error:
            if isinstance(error, (AccessDenied, ObjectLocked)):
                _log.warning("%s; no cleanup can start until it expires", error.message)

    def abandon(self) -> None:
        """Let the lease of a store that is out of reach expire: don't wait for that store again."""
        self._abandoned = True
        self._ended.set()

    @contextlib.contextmanager
    def outlasting(self) -> Iterator[None]:
        """Let the lease expire by itself after a write in the block that got no answer.

        The write may have been carried out, or still be under way. A process that the lease
        excludes must not start before that is over.
        """
        try:
            yield
        except StoreUnavailable:
            self.abandon()
            raise

    def _renew(self) -> None:
        while not self._ended.wait(self._renewal.total_seconds()):
            try:
                self._extend()
            except LeaseLost:
                return  # for good: a new expiry would not undo the work of others since then
            except StoreError:
                continue  # a store that is out of reach may be back before the lease expires

    def _extend(self) -> None:
        """Renew once. A lease that was removed stays removed: another process did it on purpose.

        A lease that ran out before it was renewed is lost too: others may have worked in between.
        """
        self.ensure_fresh()
        with contextlib.suppress(DamagedError):  # it is there, and is about to be replaced
            get_object(self._store, lease_key(self._record.id))
        later = evolve(self._record, expires_at=self._clock() + LIFETIME)
        self._store.put(lease_key(later.id), to_json(later))
        self.ensure_fresh()
        self._record = later


@contextlib.contextmanager
def hold(
    store: Store,
    purpose: str,
    *,
    clock: Clock,
    identifier: str,
    exclusive: bool = False,
    backup: str | None = None,
    renewal: timedelta = RENEWAL,
    passing: timedelta = PASSING,
) -> Iterator[Lease]:
    """Hold a lease while the block runs."""
    now = clock()
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    record = LeaseRecord(identifier, purpose, exclusive, owner, now, now + LIFETIME, backup)
    lease = Lease(store, record, clock, renewal=renewal, passing=passing)
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()


def list_leases(store: Store) -> tuple[LeaseRecord, ...]:
    """Return every lease in the store, expired ones too; `expires_at` is by the store's clock.

    A lease that can't be read counts as exclusive for as long as it could be held: fail closed.
    """
    records = []
    for found in store.list(LEASES):
        if is_foreign(found.key, lease_key):
            continue
        expires_at = found.modified_at + LIFETIME
        try:
            record = from_json(get_object(store, found.key), LeaseRecord, found.key)
        except KeyNotFound:
            continue
        except DamagedError:
            who = ("a lease that cannot be read", True, found.key)
            records.append(LeaseRecord(found.key, *who, found.modified_at, expires_at))
        else:
            records.append(evolve(record, expires_at=expires_at))
    return tuple(records)


def remove_expired(store: Store, now: datetime) -> tuple[LeaseRecord, ...]:
    """Remove the leases that no longer count, where `now` is the store's time; return them."""
    removed = []
    for record in list_leases(store):
        if record.expired(now):
            with contextlib.suppress(ObjectLocked):  # it counts no more
                key = record.id if record.id.startswith(LEASES) else lease_key(record.id)
                store.delete(key)
                removed.append(record)
    return tuple(removed)
