"""The jobs: each by the service, with all that is told of it. None of them raises an error."""

import logging
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import define, field

from brownie_backup.audit.operation import new_operation_id
from brownie_backup.errors import BackupError, BackupNotFound, Busy, KeyMissing
from brownie_backup.format.names import LATEST
from brownie_backup.model.reports import BackupReport
from brownie_backup.operations.history import History
from brownie_backup.service import Service
from brownie_backup.service.documents import instant
from brownie_backup.telemetry import write_textfile
from brownie_backup_cron.metrics import BACKUP, RETENTION, VERIFICATION, RunnerMetrics
from brownie_backup_cron.notifications import Notifier, error_fields

DONE = 0
FAILED = 1
WARNINGS = 3
"""The backup is good, but the retention policy was not applied; or nothing could be verified."""
ENDING_SECONDS = 15

_DEFECT = "That is a defect of brownie-backup: please report it"

_log = logging.getLogger(__name__)

T = TypeVar("T")


@define
class Jobs:
    """What a runner does.

    Args:
        service: does it.
        announcer: tells others.
        runner_metrics: where it is counted.
        verifier: the command that verifies once, as a process of its own: a verification may take
            hours, and backups go on meanwhile.
    """

    service: Service
    notifier: Notifier
    runner_metrics: RunnerMetrics
    verifier: Sequence[str] = (sys.executable, "-m", "brownie_backup_cron", "--once", "verify")
    _verification: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def history(self) -> History:
        """Return what the store knows of earlier runs."""
        return _defects_too(self.service.history)

    def back_up(self) -> int:
        """Make a backup; then, if it is good, apply the retention policy. Return a status."""
        before = self._before()
        try:
            report = self._make_backup(before)
            if report is None:
                return FAILED
            good = self._retain(report, failed_before=before.retention_failed)
            return DONE if good else WARNINGS
        finally:
            self._write_metrics()

    def verify(self) -> int:
        """Read the newest good backup back and prove it. Return a status."""
        try:
            return self._verify()
        finally:
            self._write_metrics()

    def _verify(self) -> int:
        failed_before = self._before().verification_failed
        operation = new_operation_id()
        self.runner_metrics.count("runs", VERIFICATION)
        try:
            outcome = _defects_too(lambda: self.service.verify(LATEST, operation_id=operation))
        except BackupNotFound as error:
            _log.warning("there is nothing to verify: %s", error)
            return DONE
        except (Busy, KeyMissing) as error:
            # That the private key is elsewhere is as it should be. Somebody has to verify there;
            # the age of the last verification tells whether anybody does.
            _log.warning("the verification is left out: %s", error)
            return WARNINGS
        except BackupError as error:
            self._failed(VERIFICATION, operation, error)
            return FAILED
        if not outcome.good:
            problem = f"'{outcome.backup}' is damaged: {'; '.join(outcome.problems)}"
            hint = "The next backup stores again what is damaged: see the page 'Verify regularly'"
            self._failed(VERIFICATION, operation, BackupError(problem, hint=hint))
            return FAILED
        if failed_before:
            self._recovered(VERIFICATION, operation, outcome.backup)
        return DONE

    def begin_verification(self) -> None:
        """Verify in a process of its own."""
        self.runner_metrics.count("runs", VERIFICATION)
        try:
            self._verification = subprocess.Popen(self.verifier, stdin=subprocess.DEVNULL)
        except OSError as error:
            _log.error("the verification cannot begin: %s", error.strerror)
            self.runner_metrics.count("failures", VERIFICATION)

    def is_verifying(self) -> bool:
        """Whether that process is at work."""
        process = self._verification
        if process is None or process.poll() is None:
            return process is not None
        self._verification = None
        if process.returncode == FAILED:
            self.runner_metrics.count("failures", VERIFICATION)  # it has told why
        elif process.returncode not in {DONE, WARNINGS}:
            problem = f"the verification ended with status {process.returncode}"
            error = BackupError(problem, hint="See the log, and whether memory ran out")
            _log.error("%s", error)
            self._failed(VERIFICATION, new_operation_id(), error)
        return False

    def end(self) -> None:
        """End what goes on beside."""
        process = self._verification
        if process is None:
            return
        process.terminate()
        try:
            process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    def _make_backup(self, before: History) -> BackupReport | None:
        operation, run = new_operation_id(), uuid.uuid4()
        _log.info("a backup begins: operation %s, ping %s", operation, run)
        self.runner_metrics.count("runs", BACKUP)
        self.notifier.ping("start", run)
        last = before.last_success_at
        last_success_at = instant(last) if last else None
        try:
            report = _defects_too(lambda: self.service.create_backup(operation_id=operation))
        except BackupError as error:
            self.notifier.ping("fail", run, self.notifier.reason(error))
            self._failed(BACKUP, operation, error, last_success_at=last_success_at)
            return None
        except BaseException:
            ended = BackupError("the runner was ended", hint="The next one makes up for it")
            self.notifier.ping("fail", run, ended.message)
            self._failed(BACKUP, operation, ended, last_success_at=last_success_at)
            raise
        for outcome in report.stores:
            if not outcome.stored:
                _log.warning("the backup is not in %s: %s", outcome.url, outcome.problem)
        self.notifier.ping("", run)
        if before.backup_failed:
            self._recovered(BACKUP, operation, report.manifest.name)
        return report

    def _retain(self, report: BackupReport, *, failed_before: bool) -> bool:
        """Apply the retention policy; that this fails takes nothing from a good backup."""
        operation = new_operation_id()
        self.runner_metrics.begin(RETENTION)
        self.runner_metrics.count("runs", RETENTION)
        try:
            cleaned = _defects_too(lambda: self.service.cleanup(operation_id=operation))
            problems = [store.problem for store in cleaned if store.problem]
            for problem in sorted(problems, key=lambda each: isinstance(each, Busy)):
                raise problem
        except Busy as error:
            # Somebody works in the store, such as a verification: it is done after the next backup.
            _log.warning("the retention is put off: %s", error)
            return True
        except BackupError as error:
            self._failed(RETENTION, operation, error)
            return False
        finally:
            self.runner_metrics.end(RETENTION)
        if failed_before:
            self._recovered(RETENTION, operation, report.manifest.name)
        return True

    def _write_metrics(self) -> None:
        """Write them for node_exporter, if that is asked for."""
        try:
            _defects_too(lambda: write_textfile(self.service.context.stores))
        except BackupError as error:
            _log.warning("the metrics are not written: %s", error)

    def _before(self) -> History:
        try:
            return self.history()
        except BackupError as error:
            _log.warning("nobody knows how the last runs went: %s", error)
            return History()

    def _failed(
        self,
        job: str,
        operation: str,
        error: BackupError,
        **more: str | None,
    ) -> None:
        self.runner_metrics.count("failures", job)
        self.notifier.event(
            f"{job}.failed",
            operation_id=operation,
            error=error_fields(self.notifier, error),
            **more,
        )

    def _recovered(self, job: str, operation: str, backup: str) -> None:
        _log.info("a %s succeeds again", job)
        self.notifier.event(f"{job}.recovered", operation_id=operation, backup=backup)


def _defects_too(call: Callable[[], T]) -> T:
    """Return what a call returns. A defect of ours fails one run, and does not end the runner."""
    try:
        return call()
    except BackupError:
        raise
    except Exception as error:
        _log.exception("unexpected error")
        msg = f"unexpected {type(error).__name__}: {error}"
        raise BackupError(msg, hint=_DEFECT) from error
