"""Retention, holds, and expired leases."""

from collections.abc import Callable, Mapping
from datetime import datetime

from brownie_backup.errors import DatabaseError, DatabaseNotFound
from brownie_backup.format.names import LATEST, LATEST_TOO
from brownie_backup.hints import BackupHint
from brownie_backup.model import DatabaseId, Hold
from brownie_backup.model.reports import OnCount, PerStore, StoreCleanup
from brownie_backup.operations import apply_retention, hold_backup, release_backup
from brownie_backup.operations.per_store import for_each_store
from brownie_backup.repository import LeaseRecord
from brownie_backup.service.verbs import Verbs

OnName = Callable[[str], None]
"""Called with the name of a backup."""


class RetentionVerbs(Verbs):
    """The verbs that decide which backups are kept: each works in every store."""

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
            dry_run: change nothing, and report what would be done.
            yes_delete_many: delete even a large share of a database's backups.
            all_databases: for every database in the store, not only the configured one.
            operation_id: as for all.
            on_progress: called with the numbers of backups read and blobs removed.

        Raises:
            BackupError: it failed in every store.
        """
        repositories = self.context.repositories()
        urls = [repository.store.url for repository in repositories]
        with self._operation(
            repositories, "cleanup", None, operation_id, dry_run=dry_run
        ) as operation:
            policies = dict(zip(urls, self.context.policies, strict=True))
            database = None if all_databases else self._database()
            operation.database = database.name if database else None
            deleted: set[str] = set()
            try:
                cleaned = for_each_store(
                    repositories,
                    lambda repository: apply_retention(
                        repository,
                        policies[repository.store.url],
                        database=database,
                        dry_run=dry_run,
                        yes_delete_many=yes_delete_many,
                        on_deleted=deleted.add,
                        on_progress=on_progress,
                    ),
                )
            finally:  # the deletions count even though a later step failed
                operation.deleted = sorted(deleted)
            operation.not_done_in = list(cleaned.problems)
        return tuple(
            StoreCleanup(url, cleaned.done.get(url), cleaned.problems.get(url)) for url in urls
        )

    def hold(
        self, name: str, *, until: datetime | None = None, operation_id: str | None = None
    ) -> PerStore[Hold]:
        """Keep a backup in every store that has it; see `brownie_backup.hold_backup`."""
        repositories = self.context.repositories()
        with self._operation(repositories, "hold", name, operation_id) as operation:
            found = self._find(repositories, name, damaged_too=True).backup.name
            operation.backup = found
            held = for_each_store(repositories, lambda each: hold_backup(each, found, until=until))
            operation.not_done_in = list(held.problems)
        return held

    def release(
        self, name: str, *, operation_id: str | None = None, on_found: OnName = lambda _: None
    ) -> PerStore[bool]:
        """End the hold of a backup in every store; return whether there was one in each.

        Args:
            name: of the backup, or ``latest``.
            operation_id: as for all.
            on_found: called with the name of the backup.
        """
        repositories = self.context.repositories()
        with self._operation(repositories, "release", name, operation_id) as operation:
            if name in {LATEST, LATEST_TOO}:
                name = self._find(repositories, name, damaged_too=True).backup.name
            operation.backup = name
            on_found(name)
            released = for_each_store(repositories, lambda each: release_backup(each, name))
            operation.not_done_in = list(released.problems)
        return released

    def unlock(self, *, operation_id: str | None = None) -> Mapping[str, tuple[LeaseRecord, ...]]:
        """Remove the leases that have expired; return them by the stores' URLs."""
        repositories = self.context.repositories()
        with self._operation(repositories, "unlock", None, operation_id):
            return {each.store.url: each.unlock() for each in repositories}

    def _database(self) -> DatabaseId:
        """Return the database whose backups may be deleted: another's are never touched."""
        try:
            return self.context.dumper().database_id()
        except (DatabaseError, DatabaseNotFound) as error:
            error.hint = BackupHint.BY_CATALOGUE()
            raise
