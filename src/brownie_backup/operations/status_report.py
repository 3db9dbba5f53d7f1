"""The state of backups as it was found, and what is wrong with it. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import frozen

from brownie_backup.errors import StoreError
from brownie_backup.hints import BackupHint
from brownie_backup.model import Attempt, Backup, Status
from brownie_backup.model.findings import Finding, Level
from brownie_backup.operations.guards import is_running, made_good
from brownie_backup.repository import LeaseRecord
from brownie_backup.version import TOOL_VERSION
from brownie_backup.wording import counted, written

LATE_AFTER_INTERVALS = 2
"""Without a good backup for this many of the schedule's intervals, backups are late."""
_MOST_NAMES = 3
"""How many names of damaged backups a warning has."""


@frozen
class StoreStatus:
    """The state of one store."""

    url: str
    retention: str
    """The policy, in words."""
    unused: bool = False
    """Whether no backup was ever made to it."""
    backups: tuple[Backup, ...] = ()
    """Newest first, of any database and kind."""
    counting: tuple[Backup, ...] = ()
    """Those of the database and the kind that are looked for, good or not, newest first."""
    unencrypted: frozenset[str] = frozenset()
    """The names of the unencrypted backups, while new ones are encrypted: ``latest`` passes over
    them, and so they are not good enough here."""
    leases: tuple[LeaseRecord, ...] = ()
    free_bytes: int | None = None
    """None if the store has no known limit."""
    would_delete: tuple[str, ...] = ()
    """The names of the backups that the policy does not keep, of every database."""
    attempt: Attempt | None = None
    """The last backup of the database that was started."""
    error: StoreError | None = None
    """Why the store could not be asked."""

    @property
    def damaged(self) -> tuple[str, ...]:
        """The names of the backups that are known to be damaged."""
        return tuple(b.name for b in self.backups if b.status is Status.DAMAGED)

    @property
    def stored_bytes(self) -> int:
        """The size of all blobs that some backup names, each counted once."""
        manifests = (backup.manifest for backup in self.backups if backup.manifest)
        sizes = {blob.name: blob.stored_bytes for manifest in manifests for blob in manifest.blobs}
        return sum(sizes.values())

    @property
    def ours(self) -> Iterator[Backup]:
        """The backups of the database that are good enough, if they are good; see `unencrypted`."""
        return (each for each in self.counting if each.name not in self.unencrypted)

    @property
    def last_good(self) -> Backup | None:
        """The newest good backup of the database; see `unencrypted`."""
        return next((each for each in self.ours if each.counts), None)

    @property
    def ahead(self) -> tuple[str, ...]:
        """The names of the backups whose time lies in the future."""
        return tuple(backup.name for backup in self.backups if backup.ahead)


@frozen
class StatusReport:
    """The state of the backups of one database."""

    now: datetime
    stores: tuple[StoreStatus, ...]
    """The primary one first."""
    database: str | None
    """The database whose backups count. None if its name is not known: then the backups of all
    databases count if there is only one, and else none."""
    databases: tuple[str, ...]
    """The names of all databases that have a backup of the kind in some store."""
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
        found = [backup for store in self.stores for backup in store.counting]
        return tuple(sorted(found, key=_finished, reverse=True))

    @property
    def last(self) -> Backup | None:
        """The newest backup, good or not."""
        return next((backup for backup in self.backups if not backup.ahead), None)

    @property
    def last_good(self) -> Backup | None:
        """The newest good backup."""
        found = (store.last_good for store in self.stores)
        return max((backup for backup in found if backup), key=_finished, default=None)

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
    def failed_attempt(self) -> Attempt | None:
        """The last backup that was started, if it has ended without a good backup.

        One that is there, but damaged or unencrypted, is reported as that.
        """
        leases = [lease for store in self.stores for lease in store.leases]
        ours = [each for store in self.stores for each in store.ours]
        reported = {n for store in self.stores for n in (*store.damaged, *store.unencrypted)}
        failed = [
            store.attempt
            for store in self.stores
            if store.attempt
            and store.attempt.backup not in reported
            and not is_running(store.attempt, leases, self.now)
            and not any(made_good(store.attempt, backup) for backup in ours)
        ]
        return max(failed, key=lambda attempt: attempt.started_at, default=None)

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
        wrong = self.findings or any(store.error for store in self.stores)
        return "degraded" if wrong else "ok"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, except for stores that are out of reach."""
        return tuple(_findings(self))


def _findings(report: StatusReport) -> Iterator[Finding]:
    whose = f" of '{report.database}'" if report.database else ""
    last = report.last_good
    if report.database is None and len(report.databases) > 1:
        names = ", ".join(f"'{name}'" for name in report.databases)
        message = f"which database this is about is not known; there are backups of {names}"
        yield Finding(Level.WARNING, "database", message, BackupHint.NAME_DATABASE)
    elif report.stores[0].unused:
        message = f"there is no good backup{whose}: {report.stores[0].url} has never been used"
        yield Finding(Level.WARNING, "backups", message, BackupHint.CHECK_DESTINATION)
    elif last is None or last.manifest is None:
        message = f"there is no good backup{whose}"
        yield Finding(Level.WARNING, "backups", message, BackupHint.CHECK_SCHEDULER)
    elif not report.ready:
        at = written(last.manifest.finished_at)
        message = f"the last good backup{whose} was made at {at}: by the schedule, it is late"
        yield Finding(Level.WARNING, "backups", message, BackupHint.CHECK_SCHEDULER)
    if attempt := report.failed_attempt:
        begun = f"begun at {written(attempt.started_at)} as '{attempt.backup}'"
        message = f"the last backup{whose}, {begun}, has failed"
        yield Finding(Level.WARNING, "backups", message, BackupHint.SEE_ITS_LOG)
    for store in report.stores:
        yield from _store_findings(store)


def _store_findings(store: StoreStatus) -> Iterator[Finding]:
    if store.damaged:
        names = ", ".join(f"'{name}'" for name in store.damaged[:_MOST_NAMES])
        more = " and more" if len(store.damaged) > _MOST_NAMES else ""
        damaged = counted(len(store.damaged), "damaged backup")
        message = f"{store.url} has {damaged}: {names}{more}"
        yield Finding(Level.WARNING, "backups", message, BackupHint.LIST_BACKUPS)
    if store.ahead:
        message = f"'{store.ahead[0]}' in {store.url} does not count: its time lies in the future"
        yield Finding(Level.WARNING, "backups", message, BackupHint.CHECK_ORIGIN)
    since = _finished(store.last_good) if store.last_good else 0.0
    newer = [b for b in store.counting if b.name in store.unencrypted and _finished(b) > since]
    if newer:
        passed = f"'{newer[0].name}' in {store.url} does not count, because it is not encrypted"
        yield Finding(Level.WARNING, "encryption", passed, BackupHint.CHECK_ORIGIN)


def _finished(backup: Backup) -> float:
    return backup.manifest.finished_at.timestamp() if backup.manifest else 0.0


def _verified(backup: Backup) -> datetime:
    assert backup.verification  # noqa: S101 - only such are asked about
    return backup.verification.verified_at
