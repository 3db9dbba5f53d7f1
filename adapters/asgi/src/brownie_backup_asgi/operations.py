"""Long operations: begun, watched, cancelled, and recorded in the store."""

import hashlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from datetime import UTC, datetime
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
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.problems import CLOSING, ENDED, OTHER_REQUEST, Problem, problem_of
from brownie_backup_asgi.running_operation import Cancelled, RunningOperation

_log = logging.getLogger(__name__)

_THE_END = "the end of the service"
CLOSING_SECONDS = 20.0
"""How long the operations that run may take to end, when the service does."""
MOST_AT_ONCE = 16
"""How many operations one process has at once."""
RECORDING_SECONDS = 5.0
"""How long those who wait for the end of an operation wait for its record, too."""


ReportProgress = Callable[[Progress | CountProgress], None]
"""Is told how far an operation is; raises `Cancelled` if it is to end."""


@frozen
class OperationRequest:
    """What somebody asked for, read and checked.

    Args:
        action: the verb.
        work: does it, under an id, and returns what the answer says.
        actor: who asked.
        body: what was asked for, to know it again.
        backup: the name of the backup that it is about.
        database: what it needs to itself.
        key: the caller's own name for it.
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
        """Tells it from others of the same key."""
        said = json.dumps([self.action, self.body], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def id(self) -> str:
        """The operation's id: with a key always the same, so that whoever begins it wins."""
        if self.key is None:
            return new_operation_id()
        return hashlib.sha256(f"{self.actor}\0{self.key}".encode()).hexdigest()[:32]


@frozen
class OperationManager:
    """Begins operations, each in a thread of its own, and knows those of this process.

    Args:
        make_register: opens the register, when it is first needed.
    """

    make_register: Callable[[], OperationLog]
    _running: dict[str, RunningOperation] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _registers: list[OperationLog] = field(factory=list, init=False)
    _closing: threading.Event = field(factory=threading.Event, init=False)

    @property
    def operation_log(self) -> OperationLog:
        """The register of the store."""
        with self._lock:
            if not self._registers:
                self._registers.append(self.make_register())
            return self._registers[0]

    @property
    def closing(self) -> bool:
        """Whether the service is about to end."""
        return self._closing.is_set()

    def begin(self, order: OperationRequest) -> tuple[OperationRecord, RunningOperation | None]:
        """Begin an operation, or find the one that the same request began before.

        Returns:
            Its record, and the operation itself if it runs here.

        Raises:
            Problem: the key was used for another request, or the service is about to end.
            Busy: somebody else is at work on the database, or too many operations are at work here.
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
        if self._closing.is_set():  # since it was asked above, and it may have been overlooked
            running.cancel(_THE_END)
        threading.Thread(
            target=self._run, args=(running, order), name=f"{order.action} {record.id}"
        ).start()
        threading.Thread(target=self._beat, args=(running,), name="beat", daemon=True).start()
        return record, running

    def find(self, identifier: str) -> OperationRecord:
        """Return an operation of any replica; one whose process died has failed."""
        running = self.here(identifier)
        return running.record if running else self.operation_log.get(identifier)

    def recent(self, most: int, known: Mapping[str, OperationRecord]) -> list[OperationRecord]:
        """Return the newest operations of all replicas, newest first."""
        with self._lock:
            mine = [*self._running.values()]  # those, too, that end while the store is asked
        found = {record.id: record for record in self.operation_log.recent(most, known)}
        with self._lock:
            mine += self._running.values()
        found |= {running.record.id: running.record for running in mine}
        return sorted(found.values(), key=lambda r: r.requested_at, reverse=True)[:most]

    def here(self, identifier: str) -> RunningOperation | None:
        """Return an operation of this process."""
        return self._running.get(identifier)

    def cancel(self, identifier: str, by: str) -> OperationRecord:
        """Ask an operation to end, whichever replica runs it.

        Raises:
            Problem: it has ended.
            NotFound: there is none of that id.
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
        """Cancel what runs here, and wait until it has ended and is recorded."""
        self._closing.set()
        with self._lock:
            left = [*self._running.values()]
        for running in left:
            running.cancel(_THE_END)
        _, late = wait([running.recorded for running in left], CLOSING_SECONDS)
        if late:
            _log.error("%d operations did not end in time, or could not be recorded", len(late))

    def _admit(self, running: RunningOperation) -> None:
        """Let an operation that has been entered begin; one that may not leaves no trace."""
        record = running.record
        try:
            with self._lock:
                self._refuse_too_much(record)
                self._running[record.id] = running
            if record.database is not None:
                self.operation_log.claim(record)
        except BaseException as error:
            # The same request may have come again, and wait for it.
            running.end(state=FAILED, problem=problem_of(error).document)
            self._leave(running)
            self.operation_log.withdraw(record.id)
            raise

    def _refuse_too_much(self, record: OperationRecord) -> None:
        """Refuse what excludes others of this process: those are alive, whatever the store says."""
        others = [running.record for running in self._running.values()]
        for other in others:
            if other.running and other.database is not None and other.database == record.database:
                raise busy(
                    other.database, f"operation {other.id} ({other.action}) is at work on it"
                )
        if len(others) >= MOST_AT_ONCE:
            msg = f"{MOST_AT_ONCE} operations are at work, which is as many as may be"
            raise Busy(msg, hint=ApiHint.WAIT_OR_CANCEL)

    def _leave(self, running: RunningOperation) -> None:
        """Forget an operation that is over."""
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
        # Who asks for the next one should not find this one at work in the store. But a store that
        # does not answer keeps nobody waiting.
        wait([running.recorded], RECORDING_SECONDS)
        running.let_go()

    def _work(self, running: RunningOperation, order: OperationRequest) -> dict[str, Any]:
        """Do the work; return what its record says in the end."""
        record = running.record
        try:
            result = order.work(record.id, running.tell)
        except BaseException as error:  # noqa: BLE001 - it is this thread's last, and is recorded
            if isinstance(error, Cancelled):
                return {"state": CANCELLED}
            if not isinstance(error, BackupError):
                _log.error("unexpected %s: %s", type(error).__name__, redact(str(error)))
                _log.debug("where it came from", exc_info=error)
            return {"state": FAILED, "problem": problem_of(error).document}
        return {"state": SUCCEEDED, "result": result, "backup": _backup_in(result, record)}

    def _beat(self, running: RunningOperation) -> None:
        """Show that the operation is alive, see whether somebody wants its end, and record that."""
        while True:
            over = bool(wait([running.done], HEARTBEAT.total_seconds()).done)
            stored = self._record(running)
            if over and (stored or self.closing):
                break
            if over:
                self._closing.wait(HEARTBEAT.total_seconds())
        self._leave(running)
        try:
            self.operation_log.forget_old()
        except StoreError as error:
            _log.warning("old operations could not be removed: %s", error)

    def _record(self, running: RunningOperation) -> bool:
        """Record how far an operation is, if the store lets us."""
        operation_log, identifier = self.operation_log, running.record.id
        try:
            running.save(operation_log)
            by = None if running.done.done() else operation_log.asked_to_cancel(identifier)
        except Exception as error:  # noqa: BLE001 - an operation without a beat would look dead
            text = redact(str(error))
            _log.warning("operation %s could not be recorded: %s", identifier, text)
            return False
        if by:
            running.cancel(by)
        return True


def propose_name(database: str) -> str:
    """Return a name for a backup that was given none, so that its operation can tell it."""
    return default_name(database, datetime.now(UTC), secrets.token_hex(2))


def _backup_in(result: Mapping[str, Any], record: OperationRecord) -> str | None:
    """Return the backup's real name: ``latest`` is none."""
    named = result.get("backup")
    if isinstance(named, Mapping):
        named = named.get("name")
    return named if isinstance(named, str) else record.backup
