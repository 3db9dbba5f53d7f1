"""Reports the outcome of a job's run: counts it, logs it, and notifies the operator."""

import logging
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from brownie_backup.errors import BackupError
from brownie_backup.notifications.notifier import Notifier, error_fields
from brownie_backup.operations.history import History
from brownie_backup.service import Service
from brownie_backup.telemetry import write_textfile
from brownie_backup_cron.metrics import RunnerMetrics

_DEFECT = "This is a bug in brownie-backup: please report it"

_log = logging.getLogger(__name__)

T = TypeVar("T")


@frozen
class Reporter:
    """Counts runs, and sends an event when a job fails or succeeds again.

    Args:
        service: provides the history and the settings.
        notifier: sends pings and events.
        runner_metrics: counts the runs.
    """

    service: Service
    notifier: Notifier
    runner_metrics: RunnerMetrics

    def history(self) -> History:
        """Return the history in the store; raise `BackupError` if it cannot be read."""
        return guarded(self.service.history)

    def known_history(self) -> History:
        """Return the history in the store; an empty one if it cannot be read."""
        try:
            return self.history()
        except BackupError as error:
            _log.warning("the outcome of the last runs is unknown: %s", error)
            return History()

    def failed(self, job: str, operation: str, error: BackupError, **more: str | None) -> None:
        """Count a failure, and send an event."""
        self.runner_metrics.count("failures", job)
        self.notifier.event(
            f"{job}.failed",
            operation_id=operation,
            error=error_fields(self.notifier, error),
            **more,
        )

    def recovered(self, job: str, operation: str, backup: str) -> None:
        """Send an event that a job succeeded after it had failed."""
        _log.info("the %s succeeded again", job)
        self.notifier.event(f"{job}.recovered", operation_id=operation, backup=backup)

    def write_metrics(self) -> None:
        """Write the metrics for node_exporter, if BACKUP_METRICS_TEXTFILE is set."""
        try:
            guarded(lambda: write_textfile(self.service.context.stores))
        except BackupError as error:
            _log.warning("the metrics were not written: %s", error)


def guarded(call: Callable[[], T]) -> T:
    """Return the result of a call. A bug of ours fails one run, and does not end the runner."""
    try:
        return call()
    except BackupError:
        raise
    except Exception as error:
        _log.exception("unexpected error")
        msg = f"unexpected {type(error).__name__}: {error}"
        raise BackupError(msg, hint=_DEFECT) from error
