"""Long operations: starts, watches and cancels them, and records them in the store."""

import hashlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen

from brownie_backup.audit.operation import new_operation_id
from brownie_backup.errors import BackupError, Busy, StoreError, redact
from brownie_backup.format.names import default_name
from brownie_backup.model.reports import CountProgress, Progress
from brownie_backup.repository import OperationLog, OperationRecord
from brownie_backup.repository.coordination.operations import (
    CANCELLED,
    FAILED,
    HEARTBEAT,
    SUCCEEDED,
    busy,
)
from brownie_backup.wording import counted
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.problems import CLOSING, ENDED, OTHER_REQUEST, Problem, problem_of
from brownie_backup_asgi.running_operation import Cancelled, RunningOperation

_log = logging.getLogger(__name__)

_THE_END = "the end of the service"
CLOSING_SECONDS = 20.0
"""How long running operations may take to end when the service ends."""
MOST_AT_ONCE = 16
"""The maximum number of concurrent operations in one process."""
RECORDING_SECONDS = 5.0
"""How long clients that wait for the end of an operation also wait for its record."""

ReportProgress = Callable[[Progress | CountProgress], None]
"""Receives the progress of an operation; raises `Cancelled` if it is to end."""


@frozen
class OperationRequest:
    """A request for an operation, read and checked.

    Args:
        action: the verb.
        work: does the operation under an id, and returns its result.
        actor: the name of the caller.
        body: the body of the request, to recognize it when it is repeated.
        backup: the name of the backup concerned.
        database: the database that the operation needs exclusively.
        key: the caller's idempotency key.
    """

    action: str
    work: Callable[[str, ReportProgress], dict[str, Any]]
    actor: str
    body: Mapping[str, Any]
    backup: str | None = None
    database: str | None = None
    key: str | None = None

    @property
    def digest(self) -> str:
        """Distinguishes requests with the same key."""
        said = json.dumps([self.action, self.body], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def id(self) -> str:
        """The operation's id. With a key it is always the same, so only one replica starts it."""
        if self.key is None:
            return new_operation_id()
        return hashlib.sha256(f"{self.actor}\0{self.key}".encode()).hexdigest()[:32]


@frozen
class OperationManager:
    """Starts operations, each in a thread of its own, and tracks those of this process.

    Args:
        make_register: opens the log of operations when it is first needed.
        heartbeat: how often each operation's record is renewed.
        recording_seconds, closing_seconds: how long to wait for a record, and for the end of all.
    """

    make_register: Callable[[], OperationLog]
    heartbeat: timedelta = HEARTBEAT
    recording_seconds: float = RECORDING_SECONDS
    closing_seconds: float = CLOSING_SECONDS
    _running: dict[str, RunningOperation] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _registers: list[OperationLog] = field(factory=list, init=False)
    _closing: threading.Event = field(factory=threading.Event, init=False)

    @property
    def operation_log(self) -> OperationLog:
        """The log of operations in the store."""
        with self._lock:
            if not self._registers:
                self._registers.append(self.make_register())
            return self._registers[0]

    @property
    def closing(self) -> bool:
        """Whether the service is about to end."""
        return self._closing.is_set()

    def begin(self, order: OperationRequest) -> tuple[OperationRecord, RunningOperation | None]:
        """Start an operation, or find the one that the same request started before.

        Returns:
            Its record, and the operation itself if it runs in this process.

        Raises:
            Problem: the key was used for another request, or the service is about to end.
            Busy: another operation is using the database, or too many operations run here.
        """
        if self.closing:
            raise Problem(CLOSING, "the service is about to end", hint=ApiHint.ASK_ANOTHER)
        operation_log = self.operation_log
        now = operation_log.clock()
        record = OperationRecord(
            id=order.id,
            action=order.action,
            actor=order.actor,
            requested_at=now,
            heartbeat_at=now,
            request=order.digest,
            backup=order.backup,
            database=order.database,
        )
        entered = operation_log.enter(record)
        if entered is not record:
            mine = self.here(entered.id)
            return self._same(mine.record if mine else entered, order), mine
        running = RunningOperation(record, operation_log.clock)
        self._admit(running)
        if self._closing.is_set():  # it may have been set since the check above
            running.cancel(_THE_END)
        threading.Thread(
            target=self._run, args=(running, order), name=f"{order.action} {record.id}"
        ).start()
        threading.Thread(target=self._beat, args=(running,), name="beat", daemon=True).start()
        return record, running

    def find(self, identifier: str) -> OperationRecord:
        """Return an operation of any API replica; one whose process died has failed."""
        running = self.here(identifier)
        return running.record if running else self.operation_log.get(identifier)

    def recent(self, most: int, known: Mapping[str, OperationRecord]) -> list[OperationRecord]:
        """Return the newest operations of all API replicas, newest first."""
        with self._lock:
            mine = [*self._running.values()]  # includes those that end during the read below
        found = {record.id: record for record in self.operation_log.recent(most, known)}
        with self._lock:
            mine += self._running.values()
        found |= {running.record.id: running.record for running in mine}
        return sorted(found.values(), key=lambda r: r.requested_at, reverse=True)[:most]

    def here(self, identifier: str) -> RunningOperation | None:
        """Return an operation of this process."""
        return self._running.get(identifier)

    def cancel(self, identifier: str, by: str) -> OperationRecord:
        """Cancel an operation, on whichever API replica it runs.

        Raises:
            Problem: it has ended.
            NotFound: there is no operation with that id.
        """
        running = self.here(identifier)
        record = running.record if running else self.operation_log.get(identifier)
        if not record.running or self.operation_log.lost(record):
            raise Problem(ENDED, f"operation {identifier} has ended", hint=ApiHint.SEE_OPERATION)
        if running:
            return running.cancel(by)
        self.operation_log.ask_to_cancel(identifier, by)
        return evolve(record, cancelled_by=by)

    def close(self) -> None:
        """Cancel this process's operations, and wait until they have ended and are recorded."""
        self._closing.set()
        with self._lock:
            left = [*self._running.values()]
        for running in left:
            running.cancel(_THE_END)
        _, late = wait([running.recorded for running in left], self.closing_seconds)
        if late:
            operations = counted(len(late), "operation")
            _log.error("%s did not end in time, or could not be recorded", operations)

    def _admit(self, running: RunningOperation) -> None:
        """Admit a recorded operation, or withdraw its record if it is refused."""
        record = running.record
        try:
            with self._lock:
                self._refuse_too_much(record)
                self._running[record.id] = running
            if record.database is not None:
                self.operation_log.claim(record)
        except BaseException as error:
            # A repeat of the same request may be waiting for it.
            running.end(state=FAILED, problem=problem_of(error).document)
            self._leave(running)
            self.operation_log.withdraw(record.id)
            raise

    def _refuse_too_much(self, record: OperationRecord) -> None:
        """Refuse an operation that conflicts with one of this process, whatever the store says."""
        others = [running.record for running in self._running.values()]
        for other in others:
            if other.running and other.database is not None and other.database == record.database:
                raise busy(other.database, f"operation {other.id} ({other.action}) is using it")
        if len(others) >= MOST_AT_ONCE:
            msg = f"{MOST_AT_ONCE} operations are running, which is the limit"
            raise Busy(msg, hint=ApiHint.WAIT_OR_CANCEL)

    def _leave(self, running: RunningOperation) -> None:
        """Forget an operation that has ended."""
        with self._lock:
            self._running.pop(running.record.id, None)
        running.let_go()
        running.recorded.set_result(None)

    def _same(self, record: OperationRecord, order: OperationRequest) -> OperationRecord:
        if record.request != order.digest:
            msg = "the Idempotency-Key was sent before, with another request"
            raise Problem(OTHER_REQUEST, msg, hint=ApiHint.NEW_KEY)
        return record

    def _run(self, running: RunningOperation, order: OperationRequest) -> None:
        running.end(**self._work(running, order))
        # The next request should not find this operation running in the store. But clients do not
        # wait for a store that does not answer.
        wait([running.recorded], self.recording_seconds)
        running.let_go()

    def _work(self, running: RunningOperation, order: OperationRequest) -> dict[str, Any]:
        """Do the work; return the final fields of its record."""
        record = running.record
        try:
            result = order.work(record.id, running.tell)
        except BaseException as error:  # noqa: BLE001 - it is this thread's last, and is recorded
            if isinstance(error, Cancelled):
                return {"state": CANCELLED}
            if not isinstance(error, BackupError):
                _log.error("unexpected %s: %s", type(error).__name__, redact(str(error)))
                _log.debug("traceback of the unexpected error", exc_info=error)
            return {"state": FAILED, "problem": problem_of(error).document}
        return {"state": SUCCEEDED, "result": result, "backup": _backup_in(result, record)}

    def _beat(self, running: RunningOperation) -> None:
        """Renew the operation's heartbeat, check for cancellation, and record the progress."""
        while True:
            over = bool(wait([running.done], self.heartbeat.total_seconds()).done)
            stored = self._record(running)
            if over and (stored or self.closing):
                break
            if over:
                self._closing.wait(self.heartbeat.total_seconds())
        self._leave(running)
        try:
            self.operation_log.forget_old()
        except StoreError as error:
            _log.warning("old operations could not be removed: %s", error)

    def _record(self, running: RunningOperation) -> bool:
        """Record an operation's progress, if the store allows it."""
        operation_log, identifier = self.operation_log, running.record.id
        try:
            running.save(operation_log)
            by = None if running.done.done() else operation_log.asked_to_cancel(identifier)
        except Exception as error:  # noqa: BLE001 - an operation without a heartbeat would look dead
            text = redact(str(error))
            _log.warning("operation %s could not be recorded: %s", identifier, text)
            return False
        if by:
            running.cancel(by)
        return True


def propose_name(database: str) -> str:
    """Return a name for a backup that was given none, so that its operation can show it."""
    return default_name(database, datetime.now(UTC), secrets.token_hex(2))


def _backup_in(result: Mapping[str, Any], record: OperationRecord) -> str | None:
    """Return the backup's real name, not ``latest``."""
    named = result.get("backup")
    if isinstance(named, Mapping):
        named = named.get("name")
    return named if isinstance(named, str) else record.backup
