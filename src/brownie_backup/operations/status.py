"""Looks at every store, and reports the state of a database's backups."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from attrs import evolve

from brownie_backup.errors import DamagedError, StoreError
from brownie_backup.model import Backup, Kind
from brownie_backup.model.reports import OnCount
from brownie_backup.operations.status_report import StatusReport, StoreStatus
from brownie_backup.protocols import HasFreeSpace, Store
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.repository.catalogue.holds import read_attempt
from brownie_backup.repository.catalogue.identity import is_unused
from brownie_backup.retention import plan_retention
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.retention.rules import describe_policy
from brownie_backup.schedule import Schedule, longest_interval, next_run_in


def report_status(
    repositories: Sequence[Repository],
    schedule: Schedule,
    now: datetime,
    *,
    database: str | None = None,
    policies: Sequence[RetentionPolicy],
    kind: str = Kind.LOGICAL,
    retention_days: int | None = None,
    check_blobs: bool = True,
    on_progress: OnCount | None = None,
) -> StatusReport:
    """Look at every store; the report says which stores are out of reach.

    Args:
        repositories: the primary one first.
        schedule: when backups are due.
        now: UTC-aware.
        database: the name of the database whose backups count; None if it is not known.
        policies: which backups each store keeps, in the same order.
        kind: the kind of backups that count.
        retention_days: after how many days a backup may be deleted, as the settings say.
        check_blobs: also list the blobs, to check that all are there in full length.
        on_progress: called with the number of backups read, and the total.
    """
    read = [
        _read_store(each, original.store, policy, now, on_progress, check_blobs=check_blobs)
        for each, original, policy in zip(
            with_deadlines(repositories), repositories, policies, strict=True
        )
    ]
    databases = sorted({name for store in read for name in _databases(store.backups, kind)})
    if database is None and len(databases) == 1:
        (database,) = databases
    return StatusReport(
        now=now,
        stores=tuple(
            _about(store, repository, database, kind, several=len(databases) > 1)
            for store, repository in zip(read, with_deadlines(repositories), strict=True)
        ),
        database=database,
        databases=tuple(databases),
        kind=kind,
        schedule=schedule.expression,
        timezone=schedule.timezone,
        next_backup=next_run_in(schedule.expression, schedule.timezone, now).astimezone(UTC),
        interval=longest_interval(schedule.expression, schedule.timezone, now),
        retention_days=retention_days,
    )


def _read_store(
    repository: Repository,
    unwatched: Store,
    policy: RetentionPolicy,
    now: datetime,
    on_progress: OnCount | None,
    *,
    check_blobs: bool,
) -> StoreStatus:
    url, retention = repository.store.url, describe_policy(policy)
    try:
        backups = repository.backups(check_blobs=check_blobs, on_progress=on_progress)
        leases = repository.leases()
        # Before the first backup a local folder need not exist.
        free = unwatched.free_bytes() if backups and isinstance(unwatched, HasFreeSpace) else None
    except StoreError as error:
        return StoreStatus(url, retention, error=error)
    decisions = plan_retention(backups, policy, now, database=None)
    return StoreStatus(
        url,
        retention,
        not backups and is_unused(repository.store),
        backups,
        leases=leases,
        free_bytes=free,
        would_delete=tuple(decision.backup.name for decision in decisions if not decision.keep),
    )


def _about(
    store: StoreStatus, repository: Repository, database: str | None, kind: str, *, several: bool
) -> StoreStatus:
    """Return the state of a store with what it has of one database."""
    if store.error or (database is None and several):
        return store
    try:
        attempt = read_attempt(repository.store, database, kind) if database else None
    except DamagedError:
        attempt = None
    except StoreError as error:
        return evolve(store, error=error)
    counting = tuple(backup for backup in store.backups if _counts(backup, database, kind))
    unencrypted = frozenset(
        backup.name
        for backup in counting
        if backup.manifest and not repository.codecs.expects(backup.manifest)
    )
    return evolve(store, counting=counting, unencrypted=unencrypted, attempt=attempt)


def _counts(backup: Backup, database: str | None, kind: str) -> bool:
    manifest = backup.manifest
    if manifest is None:
        return database is None
    return manifest.kind == kind and database in {None, manifest.backup_set.name}


def _databases(backups: Iterable[Backup], kind: str) -> Iterator[str]:
    for backup in backups:
        if backup.manifest and backup.manifest.kind == kind:
            yield backup.manifest.backup_set.name
