"""The state of backups: the last backups, the stores, and the next runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from attrs import frozen

from brownie_backup.errors import StoreError
from brownie_backup.model import Backup, Kind, Status
from brownie_backup.model.reports import OnCount
from brownie_backup.protocols import HasFreeSpace, Store
from brownie_backup.repository import LeaseRecord, Repository, with_deadlines
from brownie_backup.retention import plan_retention
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.retention.rules import describe_policy
from brownie_backup.schedule import Schedule, longest_interval, next_run_in
from brownie_backup.version import TOOL_VERSION

LATE_AFTER_INTERVALS = 2
"""Without a good backup for this many of the schedule's intervals, backups are late."""


@frozen
class StoreStatus:
    """The state of one store."""

    url: str
    retention: str
    """The policy, in words."""
    backups: tuple[Backup, ...] = ()
    """Newest first, of any database and kind."""
    kind: str = Kind.LOGICAL
    """The kind of the good backup that is looked for."""
    leases: tuple[LeaseRecord, ...] = ()
    free_bytes: int | None = None
    """None if the store has no known limit."""
    would_delete: tuple[str, ...] = ()
    """The names of the backups that the policy does not keep, of every database."""
    error: StoreError | None = None
    """Why the store could not be asked."""

    @property
    def damaged(self) -> tuple[str, ...]:
        """The names of the backups that are known to be damaged."""
        return tuple(b.name for b in self.backups if b.status is Status.DAMAGED)

    @property
    def last_good(self) -> Backup | None:
        """The newest good backup of the kind, of any database."""
        return next((b for b in self.backups if b.good and _kind(b) == self.kind), None)


@frozen
class StatusReport:
    """The state of the backups of one database."""

    now: datetime
    stores: tuple[StoreStatus, ...]
    """The primary one first."""
    database: str | None
    """The database whose backups count; None for all databases, if its name is not known."""
    kind: str
    """The kind of backups that count."""
    schedule: str
    timezone: str
    next_backup: datetime
    interval: timedelta
    """The longest time between two of the next runs."""
    retention_days: int | None
    version: str = TOOL_VERSION

    @property
    def backups(self) -> tuple[Backup, ...]:
        """The backups that count in all stores, newest first; each of them may be in many."""
        found = [b for store in self.stores for b in store.backups if self._counts(b)]
        return tuple(sorted(found, key=_finished, reverse=True))

    @property
    def last(self) -> Backup | None:
        """The newest backup, good or not."""
        return next(iter(self.backups), None)

    @property
    def last_good(self) -> Backup | None:
        """The newest good backup."""
        return next((backup for backup in self.backups if backup.good), None)

    @property
    def last_verified(self) -> Backup | None:
        """The backup that was verified last, with a good result."""
        verified = [b for b in self.backups if b.verification and b.verification.good]
        return max(verified, key=_verified, default=None)

    @property
    def last_content_verified_at(self) -> datetime | None:
        """When the contents of a backup were last read and found good."""
        verifications = (b.verification for b in self.backups if b.verification)
        times = [at for each in verifications if (at := each.contents_good_at)]
        return max(times, default=None)

    @property
    def last_good_age(self) -> timedelta | None:
        """How old the newest good backup is; None if there is none."""
        last = self.last_good
        return self.now - last.manifest.finished_at if last and last.manifest else None

    @property
    def ready(self) -> bool:
        """Whether the newest good backup is at most twice as old as the schedule promises."""
        age = self.last_good_age
        return age is not None and age <= LATE_AFTER_INTERVALS * self.interval

    @property
    def state(self) -> str:
        """``ok``; ``degraded``: backups are made, but something is wrong; ``late``: none."""
        if not self.ready:
            return "late"
        wrong = any(store.error or store.damaged for store in self.stores)
        return "degraded" if wrong else "ok"

    def _counts(self, backup: Backup) -> bool:
        manifest = backup.manifest
        if manifest is None:
            return self.database is None
        named = self.database in {None, manifest.backup_set.name}
        return named and manifest.kind == self.kind


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
        database: the name of the database whose backups count.
        policies: which backups each store keeps, in the same order.
        kind: the kind of backups that count.
        retention_days: after how many days a backup may be deleted, as the settings say.
        check_blobs: also list the blobs, to check that all are there in full length.
        on_progress: called with the number of backups read, and the total.
    """
    return StatusReport(
        now=now,
        stores=tuple(
            _store_status(
                repository,
                original.store,
                policy,
                now,
                on_progress,
                kind=kind,
                check_blobs=check_blobs,
            )
            for repository, original, policy in zip(
                with_deadlines(repositories), repositories, policies, strict=True
            )
        ),
        database=database,
        kind=kind,
        schedule=schedule.expression,
        timezone=schedule.timezone,
        next_backup=next_run_in(schedule.expression, schedule.timezone, now).astimezone(UTC),
        interval=longest_interval(schedule.expression, schedule.timezone, now),
        retention_days=retention_days,
    )


def _store_status(
    repository: Repository,
    unwatched: Store,
    policy: RetentionPolicy,
    now: datetime,
    on_progress: OnCount | None,
    *,
    kind: str,
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
    would_delete = tuple(decision.backup.name for decision in decisions if not decision.keep)
    return StoreStatus(url, retention, backups, kind, leases, free, would_delete)


def _kind(backup: Backup) -> str | None:
    return backup.manifest.kind if backup.manifest else None


def _finished(backup: Backup) -> float:
    return backup.manifest.finished_at.timestamp() if backup.manifest else 0.0


def _verified(backup: Backup) -> datetime:
    assert backup.verification  # noqa: S101 - only such are asked about
    return backup.verification.verified_at
