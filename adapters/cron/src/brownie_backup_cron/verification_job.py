"""Read the newest good backup back, and check every blob; without a key, only as it is stored."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from brownie_backup.audit.operation import new_operation_id
from brownie_backup.errors import BackupError, BackupNotFound, Busy
from brownie_backup.format.names import LATEST
from brownie_backup.model import Checked
from brownie_backup.operations.history import History
from brownie_backup_cron.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cron.metrics import VERIFICATION
from brownie_backup_cron.reporter import Reporter, guarded

ENDING_SECONDS = 15
"""How long a verification may take to end after SIGTERM, before it is killed."""

_log = logging.getLogger(__name__)


@define
class VerificationJob:
    """Verifies the newest good backup, in a process of its own.

    A verification may take hours, and backups continue meanwhile.

    Args:
        reporter: counts the runs.
        command: the command that verifies once.
    """

    reporter: Reporter
    command: Sequence[str] = (sys.executable, "-m", "brownie_backup_cron", "--once", "verify")
    name: str = VERIFICATION
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def last_done(self, history: History, now: datetime) -> datetime:
        """Return when a backup was last verified. Before the first verification, none is missed."""
        return history.last_verified_at or now

    def start(self) -> None:
        """Start a verification in a process of its own."""
        metrics = self.reporter.runner_metrics
        metrics.count("runs", VERIFICATION)
        try:
            self._process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        except OSError as error:
            _log.error("the verification cannot start: %s", error.strerror)
            metrics.count("failures", VERIFICATION)

    def running(self) -> bool:
        """Whether that process is running."""
        process = self._process
        if process is None or process.poll() is None:
            return process is not None
        self._process = None
        if process.returncode == FAILED:
            # The process has sent the event itself.
            self.reporter.runner_metrics.count("failures", VERIFICATION)
        elif process.returncode not in {DONE, WARNINGS}:
            problem = f"the verification ended with status {process.returncode}"
            error = BackupError(problem, hint="See the log, and check for an out-of-memory kill")
            _log.error("%s", error)
            self.reporter.failed(VERIFICATION, new_operation_id(), error)
        return False

    def close(self) -> None:
        """Stop that process."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    def run(self) -> int:
        """Verify in this process; return an exit status."""
        try:
            return self._verify()
        finally:
            self.reporter.write_metrics()

    def _verify(self) -> int:
        reporter = self.reporter
        failed_before = reporter.known_history().verification_failed
        operation = new_operation_id()
        reporter.runner_metrics.count("runs", VERIFICATION)
        try:
            outcome = guarded(lambda: reporter.service.verify(LATEST, operation_id=operation))
        except BackupNotFound as error:
            _log.warning("there is nothing to verify: %s", error)
            return DONE
        except Busy as error:
            _log.warning("the verification is skipped: %s", error)
            return WARNINGS
        except BackupError as error:
            reporter.failed(VERIFICATION, operation, error)
            return FAILED
        if not outcome.good:
            problem = f"'{outcome.backup}' is damaged: {'; '.join(outcome.problems)}"
            hint = "The next backup stores damaged blobs again: see the page 'Verify regularly'"
            reporter.failed(VERIFICATION, operation, BackupError(problem, hint=hint))
            return FAILED
        if outcome.checked == Checked.STRUCTURE:
            # The private key may be kept elsewhere on purpose, and contents read there. A metric
            # of its own shows whether they are.
            _log.info("every blob is as it was stored; without a key, no contents were read")
        if failed_before:
            reporter.recovered(VERIFICATION, operation, outcome.backup)
        return DONE
