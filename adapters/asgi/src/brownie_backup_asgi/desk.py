"""The desk: where long operations are begun, watched, cancelled, and recorded in the store."""

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, field, frozen

from brownie_backup.activity import new_operation_id
from brownie_backup.errors import BackupError, StoreError, redact
from brownie_backup.names import default_name
from brownie_backup.reports import Progress, Tally
from brownie_backup.repository import OperationRecord, Register
from brownie_backup.repository.register import CANCELLED, FAILED, HEARTBEAT, SUCCEEDED
from brownie_backup_asgi.problems import CLOSING, ENDED, OTHER_REQUEST, Problem, problem_of

_log = logging.getLogger(__name__)

_THE_END = "the end of the service"
CLOSING_SECONDS = 20.0
"""How long the operations that run may take to end, when the service does."""


class Cancelled(BaseException):
    """The operation is to end. Not an Exception, so that nothing on the way takes it for one."""


Tell = Callable[[Progress | Tally], None]
"""Is told how far an operation is; raises `Cancelled` if it is to end."""


@frozen
class Order:
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
    work: Callable[[str, Tell], dict[str, Any]]
    actor: str
    body: Mapping[str, Any]
    backup: str | None = None
    database: str | None = None
    key: str | None = None

    @property
    def digest(self) -> str:
        """Tells it from others of the same key."""
        said = repr((self.action, sorted(self.body.items())))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def id(self) -> str:
        """The operation's id: with a key always the same, so that whoever begins it wins."""
        if self.key is None:
            return new_operation_id()
        return hashlib.sha256(f"{self.actor}\0{self.key}".encode()).hexdigest()[:32]


class Running:
    """An operation of this process."""

    def __init__(self, record: OperationRecord) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._cancelled = threading.Event()
        self.begun: Future[None] = _future()
        """Done when its checks are behind it, or it has ended."""
        self.ended: Future[OperationRecord] = _future()

    @property
    def record(self) -> OperationRecord:
        """How far it is."""
        return self._record

    def change(self, **fields: Any) -> OperationRecord:  # noqa: ANN401 - those of a record
        """Change the record, and return it."""
        with self._lock:
            self._record = evolve(self._record, **fields)
            return self._record

    def tell(self, progress: Progress | Tally) -> None:
        """Note how far it is; raise `Cancelled` if it is to end."""
        if self._cancelled.is_set():
            msg = f"by {self._record.cancelled_by}"
            raise Cancelled(msg)
        if isinstance(progress, Progress):
            done, total = progress.done_bytes, progress.total_bytes
            self.change(phase=progress.phase, done_bytes=done, total_bytes=total)
        else:
            self.change(phase=progress.phase)
        self.set_begun()

    def save(self, register: Register) -> None:
        """Record how far it is; of two that save at once, the later one saves what is later."""
        with self._saving:
            register.put(self._record)

    def set_begun(self) -> None:
        """Let those who wait for its first answer go."""
        with self._lock:
            if not self.begun.done():
                self.begun.set_result(None)

    def cancel(self, by: str) -> OperationRecord:
        """Ask it to end, which it does at its next step."""
        with self._lock:
            if self._record.running and not self._record.cancelled_by:
                self._record = evolve(self._record, cancelled_by=by)
        self._cancelled.set()
        return self._record

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to end."""
        return self._cancelled.is_set()


@frozen
class Desk:
    """Begins operations, each in a thread of its own, and knows those of this process.

    Args:
        make_register: opens the register, when it is first needed.
    """

    make_register: Callable[[], Register]
    _running: dict[str, Running] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _registers: list[Register] = field(factory=list, init=False)
    _closing: threading.Event = field(factory=threading.Event, init=False)

    @property
    def register(self) -> Register:
        """The register of the store."""
        with self._lock:
            if not self._registers:
                self._registers.append(self.make_register())
            return self._registers[0]

    @property
    def closing(self) -> bool:
        """Whether the service is about to end."""
        return self._closing.is_set()

    def begin(self, order: Order) -> tuple[OperationRecord, Running | None]:
        """Begin an operation, or find the one that the same request began before.

        Returns:
            Its record, and the operation itself if it runs here.

        Raises:
            Problem: the key was used for another request, or the service is about to end.
            Busy: somebody else is at work on the database.
        """
        if self.closing:
            hint = "Ask another replica, or again in a moment"
            raise Problem(CLOSING, "the service is about to end", hint=hint)
        register = self.register
        now = register.clock()
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
        entered = register.enter(record)
        if entered is not record:
            return self._same(entered, order), self._running.get(entered.id)
        if order.database is not None:
            try:
                register.claim(record)
            except BaseException:
                register.withdraw(record.id)
                raise
        running = Running(record)
        with self._lock:
            self._running[record.id] = running
        if self._closing.is_set():  # since it was asked above, and it may have been overlooked
            running.cancel(_THE_END)
        threading.Thread(
            target=self._run, args=(running, order), name=f"{order.action} {record.id}"
        ).start()
        threading.Thread(target=self._beat, args=(running,), name="beat", daemon=True).start()
        return record, running

    def find(self, identifier: str) -> OperationRecord:
        """Return an operation of any replica; one whose process died has failed."""
        running = self._running.get(identifier)
        return running.record if running else self.register.get(identifier)

    def recent(self, most: int, known: Mapping[str, OperationRecord]) -> list[OperationRecord]:
        """Return the newest operations of all replicas, newest first."""
        found = {record.id: record for record in self.register.recent(most, known)}
        with self._lock:
            found |= {each: running.record for each, running in self._running.items()}
        return sorted(found.values(), key=lambda r: r.requested_at, reverse=True)[:most]

    def here(self, identifier: str) -> Running | None:
        """Return an operation of this process."""
        return self._running.get(identifier)

    def cancel(self, identifier: str, by: str) -> OperationRecord:
        """Ask an operation to end, whichever replica runs it.

        Raises:
            Problem: it has ended.
            NotFound: there is none of that id.
        """
        record = self.find(identifier)
        if not record.running or self.register.lost(record):
            raise Problem(ENDED, f"operation {identifier} has ended", hint="Look at it")
        running = self.here(identifier)
        if running:
            return running.cancel(by)
        self.register.ask_to_cancel(identifier, by)
        return evolve(record, cancelled_by=by)

    def close(self) -> None:
        """Cancel what runs here, and wait until it has ended and is recorded."""
        self._closing.set()
        with self._lock:
            left = [*self._running.values()]
        for running in left:
            running.cancel(_THE_END)
        _, late = wait([running.ended for running in left], CLOSING_SECONDS)
        if late:
            _log.error("%d operations did not end in time", len(late))

    def _same(self, record: OperationRecord, order: Order) -> OperationRecord:
        if record.request != order.digest:
            msg = "the Idempotency-Key was sent before, with another request"
            raise Problem(OTHER_REQUEST, msg, hint="Use a new key for a new request")
        return record

    def _run(self, running: Running, order: Order) -> None:
        fields = self._work(running, order)
        now = self.register.clock()
        end = running.change(**fields, ended_at=now, heartbeat_at=now)
        try:
            running.save(self.register)
            self.register.forget_old()
        except StoreError as error:
            _log.warning("operation %s ended, which could not be recorded: %s", end.id, error)
        finally:
            with self._lock:
                del self._running[end.id]
            running.set_begun()
            running.ended.set_result(end)

    def _work(self, running: Running, order: Order) -> dict[str, Any]:
        """Do the work; return what its record says in the end."""
        record = running.record
        try:
            result = order.work(record.id, running.tell)
        except BaseException as error:  # noqa: BLE001 - it is this thread's last, and is recorded
            if running.cancelled:  # whatever came of the end that was asked for
                return {"state": CANCELLED}
            if not isinstance(error, BackupError):
                _log.error("unexpected %s: %s", type(error).__name__, redact(str(error)))
                _log.debug("where it came from", exc_info=error)
            return {"state": FAILED, "problem": problem_of(error).document}
        return {"state": SUCCEEDED, "result": result, "backup": _backup_in(result, record)}

    def _beat(self, running: Running) -> None:
        """Show that the operation is alive, and look whether somebody wants its end."""
        while not wait([running.ended], HEARTBEAT.total_seconds()).done:
            try:
                by = self.register.asked_to_cancel(running.record.id)
                if by:
                    running.cancel(by)
                running.change(heartbeat_at=self.register.clock())
                running.save(self.register)
            except StoreError as error:
                _log.warning("operation %s could not be recorded: %s", running.record.id, error)


def propose_name(database: str) -> str:
    """Return a name for a backup that was given none, so that its operation can tell it."""
    return default_name(database, datetime.now(UTC), secrets.token_hex(2))


def _backup_in(result: Mapping[str, Any], record: OperationRecord) -> str | None:
    """Return the backup's real name: ``latest`` is none."""
    named = result.get("backup")
    if isinstance(named, Mapping):
        named = named.get("name")
    return named if isinstance(named, str) else record.backup


def _future() -> Future[Any]:
    """Return a future that nobody who waits for it can cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
