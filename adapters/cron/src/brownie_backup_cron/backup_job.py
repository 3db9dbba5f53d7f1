"""Back up, then apply the retention policy."""

import logging
import uuid
from datetime import datetime

from attrs import frozen

from brownie_backup.audit.operation import new_operation_id
from brownie_backup.errors import BackupError, Busy
from brownie_backup.model.reports import BackupReport
from brownie_backup.operations.history import History
from brownie_backup.service.documents import instant
from brownie_backup_cron.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cron.metrics import BACKUP, RETENTION
from brownie_backup_cron.reporter import Reporter, guarded
from brownie_backup_cron.vocabulary import WORDS

_log = logging.getLogger(__name__)


@frozen
class BackupJob:
    """Makes a backup and, if it is good, applies the retention policy. Runs in the foreground."""

    reporter: Reporter
    name: str = BACKUP

    def last_done(self, history: History, now: datetime) -> datetime:
        """Return when the last good backup was finished, or else when the last attempt began.

        A database without any backup has missed none.
        """
        tried = history.attempt.started_at if history.attempt else now
        return history.last_success_at or tried

    def start(self) -> None:
        """Make a backup, then apply the retention policy."""
        self.run()

    def running(self) -> bool:
        """Whether it is running in the background: never."""
        return False

    def close(self) -> None:
        """Do nothing: no work runs in the background."""

    def run(self) -> int:
        """Make a backup, then apply the retention policy; return an exit status."""
        before = self.reporter.known_history()
        try:
            report = self._make_backup(before)
            if report is None:
                return FAILED
            good = self._retain(report, failed_before=before.retention_failed)
            return DONE if good and not report.warnings else WARNINGS
        finally:
            self.reporter.write_metrics()

    def _make_backup(self, before: History) -> BackupReport | None:
        reporter = self.reporter
        notifier, service = reporter.notifier, reporter.service
        operation, run = new_operation_id(), uuid.uuid4()
        _log.info("starting a backup: operation %s, ping %s", operation, run)
        reporter.runner_metrics.count("runs", BACKUP)
        notifier.ping("start", run)
        last = before.last_success_at
        last_success_at = instant(last) if last else None
        try:
            report = guarded(lambda: service.create_backup(operation_id=operation))
        except BackupError as error:
            notifier.ping("fail", run, notifier.reason(error))
            reporter.failed(BACKUP, operation, error, last_success_at=last_success_at)
            return None
        except BaseException:
            ended = BackupError("the runner was stopped", hint="The next start makes the backup")
            notifier.ping("fail", run, ended.message)
            reporter.failed(BACKUP, operation, ended, last_success_at=last_success_at)
            raise
        for outcome in report.stores:
            if outcome.problem:
                why = outcome.problem.worded(WORDS)
                _log.warning("the backup was not stored in %s: %s", outcome.url, why)
        for warning in report.warnings:
            _log.warning("%s", warning)
        notifier.ping("", run)
        if before.backup_failed:
            reporter.recovered(BACKUP, operation, report.manifest.name)
        return report

    def _retain(self, report: BackupReport, *, failed_before: bool) -> bool:
        """Apply the retention policy. A backup stays good even if this fails."""
        operation, metrics = new_operation_id(), self.reporter.runner_metrics
        metrics.begin(RETENTION)
        metrics.count("runs", RETENTION)
        try:
            cleaned = guarded(lambda: self.reporter.service.cleanup(operation_id=operation))
            problems = [store.problem for store in cleaned if store.problem]
            for problem in sorted(problems, key=lambda each: isinstance(each, Busy)):
                raise problem
        except Busy as error:
            # Another process is using the store, such as a verification: the next run cleans up.
            _log.warning("the retention policy is not applied until the next run: %s", error)
            return True
        except BackupError as error:
            self.reporter.failed(RETENTION, operation, error)
            return False
        finally:
            metrics.end(RETENTION)
        if failed_before:
            self.reporter.recovered(RETENTION, operation, report.manifest.name)
        return True
