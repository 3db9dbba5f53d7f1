"""Backups read back, and compared with the database."""

from collections.abc import Callable, Sequence

from brownie_backup.audit.operation import Operation
from brownie_backup.errors import (
    BackupError,
    BackupNotFound,
    DamagedError,
    DecryptionError,
    UnsupportedFormat,
)
from brownie_backup.format.names import LATEST
from brownie_backup.hints import BackupHint
from brownie_backup.model import Verification
from brownie_backup.model.reports import Comparison, VerificationSummary
from brownie_backup.operations import compare_with_database, list_backups, verify_backup
from brownie_backup.operations.find import LocatedBackup
from brownie_backup.operations.verify import ALL
from brownie_backup.pipeline.progress import OnProgress
from brownie_backup.repository import Repository
from brownie_backup.service.verbs import Verbs

OnFound = Callable[[LocatedBackup], None]
"""Called with the backup and its store, before any of it is read."""


class VerificationVerbs(Verbs):
    """The verbs that verify backups."""

    def verify(
        self,
        name: str,
        *,
        sample_percent: float = ALL,
        structure: bool = False,
        store: str | None = None,
        operation_id: str | None = None,
        on_found: OnFound | None = None,
        on_progress: OnProgress | None = None,
    ) -> Verification:
        """Verify a backup in the first store that has it; see `brownie_backup.verify_backup`."""
        repositories = self.context.repositories(first=store)
        with self._operation(repositories, "verify", name, operation_id) as operation:
            found = self._find(repositories, name, damaged_too=True)
            if on_found:
                on_found(found)
            in_order = (found.repository, *found.others)
            operation.backup = found.backup.name
            return self._verify(
                in_order,
                operation,
                sample_percent=sample_percent,
                structure=structure,
                on_progress=on_progress,
            )

    def verify_all(
        self,
        *,
        sample_percent: float = ALL,
        structure: bool = False,
        store: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> VerificationSummary:
        """Verify all backups of a store, each as its own operation; a failure does not stop others.

        Raises:
            BackupNotFound: there is none.
        """
        repositories = self.context.repositories(first=store)
        url = repositories[0].store.url
        outcomes: list[Verification] = []
        unread: dict[str, BackupError] = {}
        for backup in list_backups(repositories[0], check_blobs=False):
            try:
                with self._operation(repositories, "verify", backup.name) as operation:
                    outcome = self._verify(
                        repositories,
                        operation,
                        sample_percent=sample_percent,
                        structure=structure,
                        on_progress=on_progress,
                    )
                    outcomes.append(outcome)
            except (DamagedError, DecryptionError, UnsupportedFormat) as error:
                unread[backup.name] = error
        if not outcomes and not unread:
            msg = f"there is no backup in {url}"
            raise BackupNotFound(msg, hint=BackupHint.CHECK_DESTINATION)
        return VerificationSummary(url, tuple(outcomes), unread)

    def compare(
        self,
        name: str = LATEST,
        *,
        store: str | None = None,
        operation_id: str | None = None,
        on_found: OnFound | None = None,
        on_progress: OnProgress | None = None,
    ) -> Comparison:
        """Compare a backup with the database; see `brownie_backup.compare_with_database`."""
        repositories = self.context.repositories(first=store)
        with self._operation(repositories, "compare", name, operation_id) as operation:
            found = self._find(repositories, name)
            if on_found:
                on_found(found)
            operation.backup = found.backup.name
            comparison = compare_with_database(
                found.repository,
                self.context.dumper(),
                found.backup.name,
                jobs=self.settings.parallel_jobs,
                on_progress=on_progress,
            )
            if not comparison.good:
                operation.problem = DamagedError("it differs from the database")
        return comparison

    def _verify(
        self,
        repositories: Sequence[Repository],
        operation: Operation,
        *,
        sample_percent: float,
        structure: bool,
        on_progress: OnProgress | None,
    ) -> Verification:
        assert operation.backup  # noqa: S101 - who calls has found it
        verification = verify_backup(
            repositories[0],
            self.context.dumper(),
            operation.backup,
            copies=repositories[1:],
            sample_percent=sample_percent,
            structure=structure,
            jobs=self.settings.parallel_jobs,
            on_progress=on_progress,
        )
        operation.checked = verification.checked
        if not verification.good:
            operation.problem = DamagedError("stored data is damaged")
        return verification
