"""The audit trail: actors and actions, in chained records. Pure: bytes in, problems out.

A record is one small object, and never changed. Its key ends with the hash of its bytes, so that a
listing alone shows which records there are, and their exact content. Each names the previous record
of the same writer, and the records of other writers that it saw. So later records reveal that a
record was changed, removed or moved. ``docs/explanation/audit.md`` lists the limits.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum

from attrs import evolve, frozen

from brownie_backup.audit.operation import Operation
from brownie_backup.errors import (
    AlreadyExists,
    BackupError,
    BackupExists,
    BackupNotFound,
    Busy,
    DamagedError,
    DatabaseNotFound,
    DeletionRefused,
    InvalidName,
    LeaseLost,
    ObjectLocked,
    RestoreRefused,
    StoreError,
    redact,
)
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import AUDIT
from brownie_backup.format.names import LATEST, check_name

_MOST_CHARACTERS = 500

_REFUSALS = (AlreadyExists, Busy, DeletionRefused, InvalidName, ObjectLocked, RestoreRefused)
_TELLING = (
    BackupExists,
    BackupNotFound,
    Busy,
    DatabaseNotFound,
    DeletionRefused,
    StoreError,
)
"""Errors that name stores, backups and databases, but contain none of their data. Messages of
PostgreSQL or gpg may quote rows, and the trail is not encrypted."""

_KEY = re.compile(
    r"audit/(?P<day>\d{4}-\d\d-\d\d)/(?P<writer>[0-9a-f]{16})"
    r"/(?P<sequence>\d{12})-(?P<hash>[0-9a-f]{64})\.json"
)


class Phase(StrEnum):
    """Whether a record is about the start or the end of an operation."""

    BEGIN = "begin"
    END = "end"


class Outcome(StrEnum):
    """How an operation ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    REFUSED = "refused"
    """It was refused or prevented, and nothing was changed."""


@frozen
class AuditRecord:
    """One entry of the trail. Unknown fields are None.

    Attributes:
        at: when it happened, UTC.
        phase: begin or end.
        operation: the operation's id, which its two records share.
        action: the verb: ``backup``, ``restore``, ``delete`` and so on.
        actor: the caller: a user, the name of a token, ``scheduler``.
        origin: the adapter and the calling host.
        host: the machine that ran it.
        backup: the name of the backup that it is about.
        database: the name of the database that was read, or restored into.
        dry_run: whether it only reported what it would do.
        outcome: how it ended.
        error_type: the class of the error, such as ``Busy``.
        error: its message, unless that may contain data of the database.
        duration_seconds: how long it took.
        size_bytes: how much data was read or loaded.
        stored_bytes: how much was added to the store.
        reused_bytes: how much more there would have been to add, had the store not had it.
        checked: how much a verification checked: ``content`` or ``structure``.
        deleted: the names of the backups that a cleanup has deleted anywhere.
        not_done_in: the URLs of the stores where it failed, if it succeeded in others.
        accepted: what a restore went on in spite of: ``differences``, ``errors``.
        unrecorded: how many earlier refused attempts exceeded the limit and were not recorded.
        recorded_at: when it was put into this store; later than `at` if that was out of reach.
        writer: the chain that it belongs to, of one process: 16 random hexadecimal digits.
        sequence: its number in the chain, from 1.
        previous: the id of the previous record in the chain.
        seen: the ids of the newest records that other writers had put by then.
        format: of the record, as it is stored.
    """

    at: datetime
    phase: str
    operation: str
    action: str
    actor: str
    origin: str
    host: str
    backup: str | None = None
    database: str | None = None
    dry_run: bool = False
    outcome: str | None = None
    error_type: str | None = None
    error: str | None = None
    duration_seconds: float | None = None
    size_bytes: int | None = None
    stored_bytes: int | None = None
    reused_bytes: int | None = None
    checked: str | None = None
    deleted: tuple[str, ...] = ()
    not_done_in: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    unrecorded: int = 0
    recorded_at: datetime | None = None
    writer: str = ""
    sequence: int = 0
    previous: str | None = None
    seen: tuple[str, ...] = ()
    format: int = 1


@frozen
class RecordId:
    """The parts of a record's key."""

    day: date
    writer: str
    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.day}/{self.writer}/{self.sequence:012}-{self.hash}"

    @property
    def key(self) -> str:
        """The key of its object."""
        return f"{AUDIT}{self}.json"


@frozen
class AuditTrail:
    """Operations from the trail of one store: one record for each operation, oldest first."""

    store_url: str
    entries: tuple[AuditRecord, ...]


def begun(operation: Operation, host: str) -> AuditRecord:
    """Return the record of an operation's start."""
    return AuditRecord(
        at=operation.started_at,
        phase=Phase.BEGIN,
        operation=operation.id,
        action=operation.action,
        actor=operation.actor.name,
        origin=operation.actor.origin,
        host=host,
        backup=_safe_name(operation.backup),
        database=operation.database,
        dry_run=operation.dry_run,
    )


def ended(operation: Operation, host: str, error: BaseException | None) -> AuditRecord:
    """Return the record of an operation's end, with its error, if there was one."""
    return evolve(
        begun(operation, host),
        at=operation.started_at + timedelta(seconds=operation.duration_seconds),
        phase=Phase.END,
        outcome=_outcome(error),
        error_type=type(error).__name__ if error else None,
        error=_telling(error),
        duration_seconds=round(operation.duration_seconds, 3),
        size_bytes=operation.size_bytes,
        stored_bytes=operation.stored_bytes,
        reused_bytes=operation.reused_bytes,
        checked=operation.checked,
        deleted=tuple(operation.deleted),
        not_done_in=tuple(operation.not_done_in),
        accepted=tuple(operation.accepted),
    )


def refused(operation: Operation, host: str, reason: str, *, unrecorded: int = 0) -> AuditRecord:
    """Return the record of a request that was refused before it began; `reason` holds no secret."""
    return evolve(
        begun(operation, host),
        phase=Phase.END,
        outcome=Outcome.REFUSED,
        error=reason[:_MOST_CHARACTERS],
        unrecorded=unrecorded,
    )


def entries_of(records: Iterable[AuditRecord]) -> tuple[AuditRecord, ...]:
    """Return one record for each operation: its end, or its start if it has not ended yet."""
    entries: dict[str, AuditRecord] = {}
    for record in records:
        if record.phase == Phase.END or record.operation not in entries:
            entries.pop(record.operation, None)  # so that it appears where it ended
            entries[record.operation] = record
    return tuple(entries.values())


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.SUCCESS
    if isinstance(error, _REFUSALS) and not isinstance(error, LeaseLost):
        return Outcome.REFUSED
    return Outcome.FAILURE


def _telling(error: BaseException | None) -> str | None:
    if isinstance(error, BackupError) and isinstance(error, _TELLING):
        return redact(error.message)[:_MOST_CHARACTERS]
    return None


def _safe_name(name: str | None) -> str | None:
    """Return a name if it is valid: any other text may be a misplaced password."""
    try:
        return name if name is None or name == LATEST else check_name(name)
    except InvalidName:
        return None


def id_in(key: str) -> RecordId | None:
    """Return the parts of a key, or None if it is not the key of a record."""
    match = _KEY.fullmatch(key)
    try:
        if match is None:
            return None
        day = date.fromisoformat(match["day"])
    except ValueError:
        return None
    return RecordId(day, match["writer"], int(match["sequence"]), match["hash"])


def seal(record: AuditRecord, recorded_at: datetime) -> tuple[RecordId, bytes]:
    """Return a record that is to be put now as its object's bytes, and its id."""
    data = to_json(evolve(record, recorded_at=recorded_at)) + b"\n"
    digest = hashlib.sha256(data).hexdigest()
    return RecordId(recorded_at.date(), record.writer, record.sequence, digest), data


def record_from(data: bytes, name: RecordId) -> AuditRecord:
    """Read a record back; `DamagedError` if it is not the one that its key names."""
    if hashlib.sha256(data).hexdigest() != name.hash:
        msg = "it was changed: its bytes are not those that its key names"
        raise DamagedError(msg)
    record = from_json(data, AuditRecord, name.key)
    day = record.recorded_at.date() if record.recorded_at else None
    if (day, record.writer, record.sequence) != (name.day, name.writer, name.sequence):
        # Its author knows how to make a record, and put it where it does not belong.
        msg = "it is not a record of that day, writer and number"
        raise DamagedError(msg)
    return record
