"""Backups: made, restored, copied and deleted."""

from collections.abc import Mapping

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import BackupHint
from brownie_backup.model.reports import BackupReport, RestoreOptions, RestoreReport, StoreSync
from brownie_backup.operations import create_backup, delete_backup, restore, sync_backups
from brownie_backup.operations.restore import refusal
from brownie_backup.pipeline.progress import OnProgress
from brownie_backup.service.verbs import Verbs


class BackupVerbs(Verbs):
    """The verbs that make backups, and the verbs that use them."""

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
        repositories = self.context.repositories(writes=True)
        with self._operation(repositories, "backup", name, operation_id) as operation:
            dumper = self.context.dumper()
            operation.database = dumper.database_name()  # even if the backup failed
            report = create_backup(
                repositories[0],
                dumper,
                name=name,
                labels=labels,
                copies=repositories[1:],
                policies=self.context.policies,
                jobs=self.settings.parallel_jobs,
                full=full,
                full_every=self.settings.full_every_span,
                on_progress=on_progress,
            )
            operation.backup = report.manifest.name
            operation.database = report.manifest.backup_set.name
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
            target_database: by default, the original name.
            options: by default, restore everything into a fresh database.
            dry_run: check everything that can be checked, and change nothing.
            store: the store to try first: ``primary``, ``copy1`` and so on, or its URL.
            operation_id: as for all.
            on_progress: called with plaintext bytes.
        """
        repositories = self.context.repositories(first=store)
        with self._operation(
            repositories, "restore", name, operation_id, dry_run=dry_run
        ) as operation:
            operation.database = target_database
            report = restore(
                repositories[0],
                self.context.dumper(),
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
            operation.accepted = report.detail.accepted
            operation.problem = refusal(report.findings)  # of a dry run
        return report

    def sync(
        self, *, operation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> tuple[StoreSync, ...]:
        """Copy missing backups between the stores; see `brownie_backup.sync_backups`."""
        repositories = self.context.repositories()
        if len(repositories) == 1:
            problem = "sync needs two stores at least"
            raise ConfigurationError([problem], hint=BackupHint.ADD_A_COPY)
        with self._operation(repositories, "sync", None, operation_id) as operation:
            reports = sync_backups(
                repositories, policies=self.context.policies, on_progress=on_progress
            )
            operation.stored_bytes = sum(report.copied_bytes for report in reports)
            operation.not_done_in = [report.url for report in reports if report.problems]
        return reports

    def delete(self, name: str, *, operation_id: str | None = None) -> None:
        """Delete a backup from every store; see `brownie_backup.delete_backup`."""
        repositories = self.context.repositories()
        with self._operation(repositories, "delete", name, operation_id):
            delete_backup(repositories[0], name, copies=repositories[1:])
