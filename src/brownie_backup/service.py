"""The verbs by settings, as adapters offer them: each one an operation that leaves its traces.

An adapter parses its input, calls one method, and renders the result or the error. What every
operation has in common happens here, once.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from brownie_backup.activity import Actor, Operation, operating
from brownie_backup.config import make_dumper, make_repositories
from brownie_backup.errors import BackupError
from brownie_backup.operations import (
    create_backup,
    restore,
)
from brownie_backup.operations.progress import OnProgress
from brownie_backup.reports import BackupReport, RestoreOptions, RestoreReport
from brownie_backup.repository import Repository
from brownie_backup.settings import Settings

_log = logging.getLogger(__name__)


@frozen
class Service:
    """Backups of one database by settings, on behalf of somebody.

    Args:
        settings: from `load_settings`.
        actor: who asks.
    """

    settings: Settings
    actor: Actor

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
        """Restore a backup; see `brownie_backup.restore`."""
        repositories = make_repositories(self.settings, first=store)
        with self._operation(repositories, "restore", name, operation_id) as operation:
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

    @contextlib.contextmanager
    def _operation(
        self,
        repositories: Sequence[Repository],
        action: str,
        backup: str | None,
        operation_id: str | None,
    ) -> Iterator[Operation]:
        """Run one operation: log how it begins and ends."""
        del repositories
        with operating(action, self.actor, backup=backup, id=operation_id) as operation:
            _log.info("%s begins", action)
            try:
                yield operation
            except BackupError as error:
                _log.error("%s failed: %s", action, error)
                raise
            _log.info("%s is done in %.1f s", action, operation.duration_seconds)
