"""The state of backups and past operations: nothing is changed."""

from datetime import UTC, datetime

from brownie_backup.audit.proof import AuditProof
from brownie_backup.audit.query import audit_trail, prove_audit
from brownie_backup.audit.record import AuditTrail
from brownie_backup.model import Backup
from brownie_backup.model.reports import OnCount, PerStore
from brownie_backup.operations import list_backups
from brownie_backup.operations.find import LocatedBackup
from brownie_backup.operations.history import History, read_history
from brownie_backup.operations.per_store import for_each_store
from brownie_backup.operations.status import report_status
from brownie_backup.operations.status_report import StatusReport
from brownie_backup.protocols import Store
from brownie_backup.repository import OperationLog
from brownie_backup.schedule import Schedule
from brownie_backup.service.verbs import Verbs

STATUS_RETRY_SECONDS = 10
"""For how long a call to a store is repeated in a request for the state."""


class Queries(Verbs):
    """The read-only verbs; and the record of refused requests, which changes nothing else."""

    def list(
        self,
        *,
        check_blobs: bool = True,
        store: str | None = None,
        on_progress: OnCount | None = None,
    ) -> tuple[Backup, ...]:
        """Return the backups of one store, newest first; see `brownie_backup.list_backups`."""
        repository = self.context.repositories(first=store)[0]
        return list_backups(repository, check_blobs=check_blobs, on_progress=on_progress)

    def history(self) -> History:
        """Return the history of the last backups; see `brownie_backup.operations.history`.

        If only the server knows the database's name and it does not answer, the backups may be of
        any database.
        """
        return read_history(self.context.repositories(), self._database_name_if_known())

    def find(self, name: str, *, store: str | None = None) -> LocatedBackup:
        """Return a backup from the first store where it is good, or else from any that has it."""
        return self._find(self.context.repositories(first=store), name)

    def audit(
        self,
        *,
        since: datetime | None = None,
        action: str | None = None,
        limit: int | None = None,
        store: str | None = None,
    ) -> AuditTrail:
        """Return past operations from one store's audit trail, oldest first.

        Args:
            since: only operations recorded then or later, UTC-aware; None for all.
            action: only this action, such as ``delete``.
            limit: only the newest N operations.
            store: the store to ask: ``primary``, ``copy1`` and so on, or its URL.
        """
        repository = self.context.repositories(first=store)[0]
        return audit_trail(
            repository.store, repository.clock(), since=since, action=action, limit=limit
        )

    def prove_audit(self, *, since: datetime | None = None) -> PerStore[AuditProof]:
        """Check that nothing was changed in or removed from the audit trail of any store."""
        repositories = self.context.repositories()
        return for_each_store(
            repositories, lambda each: prove_audit(each.store, each.clock(), since)
        )

    def status(
        self, *, check_blobs: bool = True, on_progress: OnCount | None = None
    ) -> StatusReport:
        """Report the state of backups; do not wait long for a store that is out of reach.

        Args:
            check_blobs: also list the blobs, to check that all are there in full length.
            on_progress: called with the number of backups read, and the total.
        """
        patience = min(self.settings.retry_seconds, STATUS_RETRY_SECONDS)
        return report_status(
            self.context.repositories(retry_seconds=patience),
            Schedule(self.settings.schedule, self.settings.timezone),
            datetime.now(UTC),
            policies=self.context.policies,
            retention_days=self.settings.retention_days,
            database=self._database_name_if_known(),  # if the name is unknown, every backup counts
            check_blobs=check_blobs,
            on_progress=on_progress,
        )

    def operation_log(self) -> OperationLog:
        """Return the register of the operations requested over REST, in the first store."""
        repository = self.context.repositories()[0]
        return OperationLog(repository.store, repository.clock)

    def refuse(self, action: str, reason: str, *, backup: str | None = None) -> None:
        """Record that a request was refused before it became an operation.

        Args:
            action: the requested action.
            reason: why it was refused, without any secret: ``wrong token``.
            backup: the backup that it was about, if any.
        """

        def stores() -> list[Store]:
            return [repository.store for repository in self.context.repositories()]

        self.context.auditor.refuse(stores, action, self.actor, reason, backup=backup)
