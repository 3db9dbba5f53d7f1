"""The auditor: it logs every operation, and records it in the audit trail of every store."""

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import evolve

from brownie_backup import errors
from brownie_backup.audit.operation import Actor, Operation, operating
from brownie_backup.audit.record import AuditRecord, begun, ended, refused
from brownie_backup.audit.writer import AuditWriter
from brownie_backup.errors import BackupError, StoreError
from brownie_backup.format.converter import to_json
from brownie_backup.hints import BackupHint
from brownie_backup.protocols import Store, with_reserve

_log = logging.getLogger(__name__)
_audit_log = logging.getLogger("brownie_backup.audit")

DESTRUCTIVE = frozenset({"cleanup", "delete", "release"})
"""Actions that are refused unless a store has taken the record of their start."""
SOON_SECONDS = 5.0
"""How long a refused caller, or a process that has to end, waits for a record."""
MOST_REFUSALS = 20
"""How many refused attempts are recorded in each minute: a caller without the right to write must
not fill the store. All attempts are logged."""
_MINUTE_SECONDS = 60.0


class Auditor:
    """Runs operations, and records the actor, the action and the outcome. Thread-safe.

    Args:
        trail: the writer of the records; by default, a new one.
        redact: removes secrets from the records.
    """

    def __init__(
        self, writer: AuditWriter | None = None, redact: Callable[[str], str] = errors.redact
    ) -> None:
        self._trail = writer or AuditWriter()
        self._redact = redact
        self._host = socket.gethostname()
        self._refusals = _Allowance(MOST_REFUSALS, _MINUTE_SECONDS)

    @contextlib.contextmanager
    def operation(
        self,
        stores: Sequence[Store],
        action: str,
        actor: Actor,
        *,
        backup: str | None = None,
        id: str | None = None,  # noqa: A002 - it is the operation's id
        dry_run: bool = False,
    ) -> Iterator[Operation]:
        """Run an operation in the block: its start and its end are logged and recorded.

        If a store does not take a record, this is logged, and nothing fails. But the start of a
        `DESTRUCTIVE` action must be recorded in at least one store.

        Raises:
            StoreError: no store took that record, so nothing was done.
        """
        deletes = action in DESTRUCTIVE and not dry_run
        with (
            with_reserve(stores if deletes else ()),
            operating(action, actor, backup=backup, id=id, dry_run=dry_run) as operation,
        ):
            _log.info("%s begins", action)
            problems = self._record(stores, begun(operation, self._host))
            if deletes and len(problems) == len(stores):
                raise _unrecorded(action, problems)
            try:
                yield operation
            except BaseException as error:
                if isinstance(error, Exception):
                    _log.error("%s failed: %s", action, self._redact(_words(error)))
                else:
                    _log.warning("%s was %s", action, str(error) or "interrupted")
                soon = None if isinstance(error, Exception) else SOON_SECONDS
                self._record(stores, ended(operation, self._host, error), soon)
                raise
            self._record(stores, ended(operation, self._host, operation.problem))
            _log.info("%s is done in %.1f s", action, operation.duration_seconds)

    def refuse(
        self,
        stores: Callable[[], Sequence[Store]],
        action: str,
        actor: Actor,
        reason: str,
        *,
        backup: str | None = None,
    ) -> None:
        """Log and record a request that was refused before it became an operation.

        The stores are opened only for recorded requests: most requests of a flood are not recorded.
        """
        with operating(action, actor, backup=backup) as operation:
            _log.warning("%s was refused: %s", action, reason)
            missed = self._refusals.take()
            if missed is None:
                return
            record = refused(operation, self._host, reason, unrecorded=missed)
            self._record(stores(), record, SOON_SECONDS)

    def _record(
        self,
        stores: Sequence[Store],
        record: AuditRecord,
        within_seconds: float | None = None,
    ) -> Mapping[str, BackupError]:
        record = self._clean(record)
        facts = json.loads(to_json(record))
        told = {name: value for name, value in facts.items() if value not in (None, [], "", 0)}
        _audit_log.info("%s", json.dumps(told, sort_keys=True))
        return self._trail.record(stores, record, within_seconds=within_seconds)

    def _clean(self, record: AuditRecord) -> AuditRecord:
        """Remove secrets from anything that a user typed or a program printed."""

        def clean(text: str | None) -> str | None:
            return self._redact(text) if text else text

        return evolve(
            record,
            actor=self._redact(record.actor),
            origin=self._redact(record.origin),
            backup=clean(record.backup),
            database=clean(record.database),
            error=clean(record.error),
        )


class _Allowance:
    """Allows a number of events in each period, and counts the excess. Thread-safe."""

    def __init__(self, most: int, period_seconds: float) -> None:
        self._most = most
        self._period_seconds = period_seconds
        self._since = float("-inf")
        self._taken = 0
        self._missed = 0
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """Return how many were refused since the last one; None if this one is refused too."""
        with self._lock:
            now = time.monotonic()
            if now - self._since >= self._period_seconds:
                self._since, self._taken = now, 0
            if self._taken >= self._most:
                self._missed += 1
                return None
            self._taken += 1
            missed, self._missed = self._missed, 0
            return missed


def _unrecorded(action: str, problems: Mapping[str, BackupError]) -> StoreError:
    why = "; ".join(f"{url}: {error.message}" for url, error in problems.items())
    msg = f"{action}: nothing was done, because no store accepts the audit record of it: {why}"
    return StoreError(msg, hint=BackupHint.RIGHT_TO_RECORD)


def _words(error: BaseException) -> str:
    if isinstance(error, BackupError):
        return str(error)
    return f"{type(error).__name__}: {error}"
