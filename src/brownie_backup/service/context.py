"""The verbs by settings, as adapters offer them: each one an operation that leaves its traces.

An adapter parses its input, calls one method, and renders the result or the error. What every
operation has in common happens here, once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from attrs import evolve, field, frozen

from brownie_backup.audit.auditor import Auditor
from brownie_backup.audit.operation import Actor, Operation
from brownie_backup.audit.proof import AuditProof
from brownie_backup.audit.query import audit_trail, prove_audit
from brownie_backup.audit.record import AuditTrail
from brownie_backup.config import make_dumper, make_repositories
from brownie_backup.config.redaction import redactor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import (
    BackupError,
    BackupNotFound,
    ConfigurationError,
    DamagedError,
    DatabaseError,
    DatabaseNotFound,
    DecryptionError,
    UnsupportedFormat,
)
from brownie_backup.format.names import LATEST
from brownie_backup.hints import BackupHint
from brownie_backup.model import Backup, DatabaseId, Hold, Verification
from brownie_backup.model.reports import (
    BackupReport,
    Comparison,
    OnCount,
    PerStore,
    RestoreOptions,
    RestoreReport,
    StoreCleanup,
    StoreSync,
    VerificationSummary,
)
from brownie_backup.operations import (
    apply_retention,
    compare_with_database,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    release_backup,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.operations.find import LocatedBackup, find_backup
from brownie_backup.operations.history import History, read_history
from brownie_backup.operations.per_store import for_each_store
from brownie_backup.operations.status import StatusReport, report_status
from brownie_backup.operations.verify import ALL
from brownie_backup.pipeline.progress import OnProgress
from brownie_backup.protocols import Store
from brownie_backup.repository import LeaseRecord, OperationLog, Repository
from brownie_backup.schedule import Schedule

STATUS_RETRY_SECONDS = 10
"""For how long a call to a store is repeated by whoever only asks how things stand."""

OnFound = Callable[[LocatedBackup], None]
"""Told where a backup was found, before anything is read of it."""


@frozen
class Service:
    """Backups of one database by settings, on behalf of somebody.

    Every method opens the stores anew, so that several may run at once. `operation_id` is what
    logs and the audit trail call it: by default a new one.

    For somebody else, `attrs.evolve(service, actor=…)`: that goes on with the same trail, and with
    what a store has not taken of it yet.

    Args:
        settings: from `load_settings`.
        actor: who asks.
        auditor: records all operations.
    """

    settings: Settings
    actor: Actor
    auditor: Auditor = field(eq=False, repr=False)

    @auditor.default
    def _own_auditor(self) -> Auditor:
        return Auditor(redact=redactor(self.settings))

    def create_backup(
        self,
        *,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        full: bool = False,
        operation_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> BackupReport:
        """Make a backup; see `brownie_backup.create_backup`."""
        repositories = make_repositories(self.settings, writes=True)
        with self._operation(repositories, "backup", name, operation_id) as operation:
            dumper = make_dumper(self.settings)
            operation.database = dumper.database_name()  # also of a backup that fails
            report = create_backup(
                repositories[0],
                dumper,
                name=name,
                labels=labels,
                copies=repositories[1:],
                jobs=self.settings.parallel_jobs,
                full=full,
                full_every=self.settings.full_every_span,
                on_progress=on_progress,
            )
            operation.backup = report.manifest.name
            operation.database = report.manifest.database.name
            operation.size_bytes = report.manifest.size_bytes
            operation.stored_bytes = report.new_bytes
            operation.reused_bytes = report.reused_bytes
            operation.not_done_in = [outcome.url for outcome in report.missing_stores]
        return report

    def restore(
        self,
        name: str,
        *,
        target_database: str | None = None,
        options: RestoreOptions | None = None,
        dry_run: bool = False,
        store: str | None = None,
        operation_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> RestoreReport:
        """Restore a backup; see `brownie_backup.restore`.

        Args:
            name: of the backup, or ``latest``.
            target_database: by default, as it was.
            options: by default, everything into a fresh database.
            dry_run: check what can be checked, and change nothing.
            store: which to turn to first: ``primary``, ``copy1`` and so on, or its URL.
            operation_id: as for all.
            on_progress: called with plaintext bytes.
        """
        repositories = make_repositories(self.settings, first=store)
        with self._operation(
            repositories, "restore", name, operation_id, dry_run=dry_run
        ) as operation:
            operation.database = target_database
            report = restore(
                repositories[0],
                make_dumper(self.settings),
                name,
                copies=repositories[1:],
                target_database=target_database,
                options=options or RestoreOptions(jobs=self.settings.parallel_jobs),
                dry_run=dry_run,
                on_progress=on_progress,
            )
            operation.backup = report.backup
            operation.database = report.target_database
            operation.size_bytes = report.size_bytes
        return report

    def verify(
        self,
        name: str,
        *,
        sample_percent: float = ALL,
        store: str | None = None,
        operation_id: str | None = None,
        on_found: OnFound | None = None,
        on_progress: OnProgress | None = None,
    ) -> Verification:
        """Verify a backup in the first store that has it; see `brownie_backup.verify_backup`."""
        repositories = make_repositories(self.settings, first=store)
        with self._operation(repositories, "verify", name, operation_id) as operation:
            found = self._find(repositories, name, damaged_too=True)
            if on_found:
                on_found(found)
            in_order = (found.repository, *found.others)
            operation.backup = found.backup.name
            return self._verify(in_order, operation, sample_percent, on_progress)

    def verify_all(
        self,
        *,
        sample_percent: float = ALL,
        store: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> VerificationSummary:
        """Verify all backups of a store, each an operation: one that fails stops no other.

        Raises:
            BackupNotFound: there is none.
        """
        repositories = make_repositories(self.settings, first=store)
        url = repositories[0].store.url
        outcomes: list[Verification] = []
        unread: dict[str, BackupError] = {}
        for backup in list_backups(repositories[0], check_blobs=False):
            try:
                with self._operation(repositories, "verify", backup.name) as operation:
                    outcomes.append(
                        self._verify(repositories, operation, sample_percent, on_progress)
                    )
            except (DamagedError, DecryptionError, UnsupportedFormat) as error:
                unread[backup.name] = error
        if not outcomes and not unread:
            msg = f"there is no backup in {url}"
            raise BackupNotFound(msg, hint="Check BACKUP_DESTINATION")
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
        repositories = make_repositories(self.settings, first=store)
        with self._operation(repositories, "compare", name, operation_id) as operation:
            found = self._find(repositories, name)
            if on_found:
                on_found(found)
            operation.backup = found.backup.name
            comparison = compare_with_database(
                found.repository,
                make_dumper(self.settings),
                found.backup.name,
                jobs=self.settings.parallel_jobs,
                on_progress=on_progress,
            )
            if not comparison.good:
                operation.problem = DamagedError("it differs from the database")
        return comparison

    def delete(self, name: str, *, operation_id: str | None = None) -> None:
        """Delete a backup from every store; see `brownie_backup.delete_backup`."""
        repositories = make_repositories(self.settings)
        with self._operation(repositories, "delete", name, operation_id):
            delete_backup(repositories[0], name, copies=repositories[1:])

    def cleanup(
        self,
        *,
        dry_run: bool = False,
        yes_delete_many: bool = False,
        all_databases: bool = False,
        operation_id: str | None = None,
        on_progress: OnCount | None = None,
    ) -> tuple[StoreCleanup, ...]:
        """Apply each store's retention policy; see `brownie_backup.apply_retention`.

        Args:
            dry_run: change nothing, and say what would be done.
            yes_delete_many: even if it is a large share of a database's backups.
            all_databases: of every database in the store, not of the configured one alone.
            operation_id: as for all.
            on_progress: called with what is read, and what is removed.

        Raises:
            BackupError: it could be done nowhere.
        """
        repositories = make_repositories(self.settings)
        with self._operation(
            repositories, "cleanup", None, operation_id, dry_run=dry_run
        ) as operation:
            database = None if all_databases else self._database()
            operation.database = database.name if database else None
            deleted: set[str] = set()
            try:
                cleaned = for_each_store(
                    repositories,
                    lambda repository: apply_retention(
                        repository,
                        repository.policy,
                        database=database,
                        dry_run=dry_run,
                        yes_delete_many=yes_delete_many,
                        on_deleted=deleted.add,
                        on_progress=on_progress,
                    ),
                )
            finally:  # what is gone is gone, though the rest failed
                operation.deleted = sorted(deleted)
            operation.not_done_in = list(cleaned.problems)
        urls = [repository.store.url for repository in repositories]
        return tuple(
            StoreCleanup(url, cleaned.done.get(url), cleaned.problems.get(url)) for url in urls
        )

    def hold(
        self, name: str, *, until: datetime | None = None, operation_id: str | None = None
    ) -> PerStore[Hold]:
        """Keep a backup in every store that has it; see `brownie_backup.hold_backup`."""
        repositories = make_repositories(self.settings)
        with self._operation(repositories, "hold", name, operation_id) as operation:
            found = self._find(repositories, name, damaged_too=True).backup.name
            operation.backup = found
            held = for_each_store(repositories, lambda each: hold_backup(each, found, until=until))
            operation.not_done_in = list(held.problems)
        return held

    def release(self, name: str, *, operation_id: str | None = None) -> PerStore[bool]:
        """End the hold of a backup in every store; return whether there was one in each."""
        repositories = make_repositories(self.settings)
        with self._operation(repositories, "release", name, operation_id) as operation:
            released = for_each_store(repositories, lambda each: release_backup(each, name))
            operation.not_done_in = list(released.problems)
        return released

    def sync(
        self, *, operation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> tuple[StoreSync, ...]:
        """Copy to each store what it lacks and others have; see `brownie_backup.sync_backups`."""
        repositories = make_repositories(self.settings)
        if len(repositories) == 1:
            problem = "sync needs two stores at least"
            raise ConfigurationError([problem], hint="Set BACKUP_COPY_TO to one more, or several")
        with self._operation(repositories, "sync", None, operation_id) as operation:
            reports = sync_backups(repositories, on_progress=on_progress)
            operation.stored_bytes = sum(report.copied_bytes for report in reports)
            operation.not_done_in = [report.url for report in reports if report.problems]
        return reports

    def unlock(self, *, operation_id: str | None = None) -> Mapping[str, tuple[LeaseRecord, ...]]:
        """Remove the leases that have expired; return them by the stores' URLs."""
        repositories = make_repositories(self.settings)
        with self._operation(repositories, "unlock", None, operation_id):
            return {each.store.url: each.unlock() for each in repositories}

    def list(
        self,
        *,
        check_blobs: bool = True,
        store: str | None = None,
        on_progress: OnCount | None = None,
    ) -> tuple[Backup, ...]:
        """Return the backups of one store, newest first; see `brownie_backup.list_backups`."""
        repository = make_repositories(self.settings, first=store)[0]
        return list_backups(repository, check_blobs=check_blobs, on_progress=on_progress)

    def history(self) -> History:
        """Return how the last backups went; see `brownie_backup.operations.history`.

        Where nothing but the server knows the database's name, and it does not answer, of any.
        """
        return read_history(make_repositories(self.settings), self._database_name_if_known())

    def find(self, name: str, *, store: str | None = None) -> LocatedBackup:
        """Return a backup from the first store where it is good, or else where it is at all."""
        return self._find(make_repositories(self.settings, first=store), name)

    def audit(
        self,
        *,
        since: datetime | None = None,
        action: str | None = None,
        limit: int | None = None,
        store: str | None = None,
    ) -> AuditTrail:
        """Return what was done, from one store's audit trail, oldest first.

        Args:
            since: only what was recorded then or later, UTC-aware; None for all.
            action: only this, such as ``delete``.
            limit: only so many operations, the newest.
            store: which to turn to: ``primary``, ``copy1`` and so on, or its URL.
        """
        repository = make_repositories(self.settings, first=store)[0]
        return audit_trail(
            repository.store, repository.clock(), since=since, action=action, limit=limit
        )

    def prove_audit(self, *, since: datetime | None = None) -> PerStore[AuditProof]:
        """Prove that nothing was changed in or removed from the audit trail of any store."""
        repositories = make_repositories(self.settings)
        return for_each_store(
            repositories, lambda each: prove_audit(each.store, each.clock(), since)
        )

    def refuse(self, action: str, reason: str, *, backup: str | None = None) -> None:
        """Record that somebody was refused something before it became an operation.

        Args:
            action: what was asked for.
            reason: why not, in words that hold no secret: ``wrong token``.
            backup: which it was about, if any.
        """

        def stores() -> list[Store]:
            return [repository.store for repository in make_repositories(self.settings)]

        self.auditor.refuse(stores, action, self.actor, reason, backup=backup)

    def _verify(
        self,
        repositories: Sequence[Repository],
        operation: Operation,
        sample_percent: float,
        on_progress: OnProgress | None,
    ) -> Verification:
        assert operation.backup  # noqa: S101 - who calls has found it
        verification = verify_backup(
            repositories[0],
            make_dumper(self.settings),
            operation.backup,
            copies=repositories[1:],
            sample_percent=sample_percent,
            jobs=self.settings.parallel_jobs,
            on_progress=on_progress,
        )
        if not verification.good:
            operation.problem = DamagedError("what was read is damaged")
        return verification

    def _database(self) -> DatabaseId:
        """Return whose backups may go: another's are never touched."""
        try:
            return make_dumper(self.settings).database_id()
        except (DatabaseError, DatabaseNotFound) as error:
            error.hint = BackupHint.BY_CATALOGUE()
            raise

    def status(
        self, *, check_blobs: bool = True, on_progress: OnCount | None = None
    ) -> StatusReport:
        """Look how things stand; a store that is out of reach is not waited for long.

        Args:
            check_blobs: also list the blobs, to see that all are there in full length.
            on_progress: called with how many backups are read, of how many.
        """
        patience = min(self.settings.retry_seconds, STATUS_RETRY_SECONDS)
        settings = evolve(self.settings, retry_seconds=patience)
        return report_status(
            make_repositories(settings),
            Schedule(settings.schedule, settings.timezone),
            datetime.now(UTC),
            retention_days=settings.retention_days,
            database=self._database_name_if_known(),  # where it is not, every backup counts
            check_blobs=check_blobs,
            on_progress=on_progress,
        )

    def database_name(self) -> str:
        """Return the name of the database that is backed up, asking the server if need be."""
        return make_dumper(self.settings).database_name()

    def operation_log(self) -> OperationLog:
        """Return the register of what was asked for over REST, in the first store."""
        repository = make_repositories(self.settings)[0]
        return OperationLog(repository.store, repository.clock)

    def _find(
        self, repositories: Sequence[Repository], name: str, *, damaged_too: bool = False
    ) -> LocatedBackup:
        whose = self._database_name_if_known
        return find_backup(repositories, name, whose=whose, damaged_too=damaged_too)

    def _database_name_if_known(self) -> str | None:
        try:
            return self.database_name()
        except (DatabaseError, DatabaseNotFound):  # the server is out of reach
            return None

    def _operation(
        self,
        repositories: Sequence[Repository],
        action: str,
        backup: str | None,
        operation_id: str | None = None,
        *,
        dry_run: bool = False,
    ) -> AbstractContextManager[Operation]:
        return self.auditor.operation(
            [repository.store for repository in repositories],
            action,
            self.actor,
            backup=backup,
            id=operation_id,
            dry_run=dry_run,
        )
