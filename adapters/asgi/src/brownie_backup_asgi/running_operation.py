"""An operation that runs in this process: how far it is, and who waits for it."""

import threading
from concurrent.futures import Future
from typing import Any

from attrs import evolve

from brownie_backup.model.reports import CountProgress, Progress
from brownie_backup.protocols import Clock
from brownie_backup.repository import OperationLog, OperationRecord


class Cancelled(BaseException):
    """The operation is to end. Not an Exception, so that nothing on the way takes it for one."""


class RunningOperation:
    """An operation of this process, which is alive however slowly the store takes its records."""

    def __init__(self, record: OperationRecord, clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._cancelled = threading.Event()
        self.begun: Future[None] = _future()
        """Done when its checks are behind it, or it has ended."""
        self.done: Future[None] = _future()
        """Done when there is no more to do than to record how it ended."""
        self.ended: Future[None] = _future()
        """Done when those who wait for its end may go."""
        self.recorded: Future[None] = _future()
        """Done when the store knows how it ended, or will never know."""

    @property
    def record(self) -> OperationRecord:
        """How far it is now."""
        record = self._record
        return evolve(record, heartbeat_at=self._clock()) if record.running else record

    def change(self, **fields: Any) -> OperationRecord:  # noqa: ANN401 - those of a record
        """Change the record, and return it."""
        with self._lock:
            self._record = evolve(self._record, **fields)
            return self._record

    def end(self, **fields: Any) -> None:  # noqa: ANN401 - those of a record
        """Note how it ended."""
        now = self._clock()
        self.change(**fields, ended_at=now, heartbeat_at=now)
        self.done.set_result(None)

    def tell(self, progress: Progress | CountProgress) -> None:
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

    def save(self, operation_log: OperationLog) -> None:
        """Record how far it is; of two that save at once, the later one saves what is later."""
        with self._saving:
            operation_log.put(self.record)

    def set_begun(self) -> None:
        """Let those who wait for its first answer go."""
        self._set(self.begun)

    def let_go(self) -> None:
        """Let those who wait for its end go, too."""
        self._set(self.begun)
        self._set(self.ended)

    def _set(self, future: Future[None]) -> None:
        with self._lock:
            if not future.done():
                future.set_result(None)

    def cancel(self, by: str) -> OperationRecord:
        """Ask it to end, which it does at its next step."""
        with self._lock:
            if self._record.running and not self._record.cancelled_by:
                self._record = evolve(self._record, cancelled_by=by)
        self._cancelled.set()
        return self.record


def _future() -> Future[Any]:
    """Return a future that nobody who waits for it can cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
