"""An operation that runs in this process: its progress, and the requests that wait for it."""

import threading
from concurrent.futures import Future
from typing import Any

from attrs import evolve

from brownie_backup.model.reports import CountProgress, Progress
from brownie_backup.protocols import Clock
from brownie_backup.repository import OperationLog, OperationRecord


class Cancelled(BaseException):
    """The operation is to end. Not an Exception, so that no handler catches it on the way."""


class RunningOperation:
    """An operation of this process. It is alive even if the store is slow to take its records."""

    def __init__(self, record: OperationRecord, clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._cancelled = threading.Event()
        self.begun: Future[None] = _future()
        """Done when its first checks have passed, or it has ended."""
        self.done: Future[None] = _future()
        """Done when only its outcome remains to be recorded."""
        self.ended: Future[None] = _future()
        """Done when requests that wait for its end may continue."""
        self.recorded: Future[None] = _future()
        """Done when its outcome is recorded in the store, or never will be."""

    @property
    def record(self) -> OperationRecord:
        """Its record, with the current progress."""
        record = self._record
        return evolve(record, heartbeat_at=self._clock()) if record.running else record

    def change(self, **fields: Any) -> OperationRecord:  # noqa: ANN401 - those of a record
        """Change the record, and return it."""
        with self._lock:
            self._record = evolve(self._record, **fields)
            return self._record

    def end(self, **fields: Any) -> None:  # noqa: ANN401 - those of a record
        """Note its outcome."""
        now = self._clock()
        self.change(**fields, ended_at=now, heartbeat_at=now)
        self.done.set_result(None)

    def tell(self, progress: Progress | CountProgress) -> None:
        """Note its progress; raise `Cancelled` if it is to end."""
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
        """Save its record. Saves run one at a time, so that the newest state is saved last."""
        with self._saving:
            operation_log.put(self.record)

    def set_begun(self) -> None:
        """Release the requests that wait for its first checks."""
        self._set(self.begun)

    def let_go(self) -> None:
        """Release the requests that wait for its end, too."""
        self._set(self.begun)
        self._set(self.ended)

    def _set(self, future: Future[None]) -> None:
        with self._lock:
            if not future.done():
                future.set_result(None)

    def cancel(self, by: str) -> OperationRecord:
        """Ask it to end: it ends at its next step."""
        with self._lock:
            if self._record.running and not self._record.cancelled_by:
                self._record = evolve(self._record, cancelled_by=by)
        self._cancelled.set()
        return self.record


def _future() -> Future[Any]:
    """Return a future that its waiters cannot cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
