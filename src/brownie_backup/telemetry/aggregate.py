"""The values of the metrics, computed from the contents of the stores. Pure.

Totals never fall while the audit trail is there, whatever retention deletes. They count the
operations in the trail, and from the catalogue only backups that the trail does not know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import Factory, evolve, field, frozen, mutable

from brownie_backup.audit.record import AuditRecord, Outcome, Phase
from brownie_backup.format.names import default_name, default_name_time
from brownie_backup.model import Checked, Kind, Manifest, Status
from brownie_backup.retention import plan_retention
from brownie_backup.telemetry.interrupted import deleted_by, killed_in, once
from brownie_backup.telemetry.sources import Entry, StoreContent

USUAL_KIND: str = Kind.LOGICAL
"""Actions that only the audit trail records."""
UNKNOWN = "unknown"
"""The label of a database whose name is not known."""


@frozen
class Labels:
    """The labels of a line of metrics."""

    database: str
    """Its name; for a whole cluster, the system identifier."""
    store: str
    kind: str


@mutable
class DatabaseMetrics:
    """The numbers of one database in one store; None if there is none.

    Times are Unix times. Only the database that is backed up here has 0, for never: no next backup
    is expected of another database that has no good backup left.
    """

    backups: int = 0
    errors: int = 0
    deleted: int = 0
    deduplicated_bytes: int = 0
    backup_seconds: list[float] = field(factory=list)
    """One value for each backup."""
    restore_seconds: list[float] = field(factory=list)
    """One value for each restore."""
    last_success: float | None = None
    last_verified: float | None = None
    last_content_verified: float | None = None
    last_size_bytes: int | None = None
    last_stored_bytes: int | None = None
    missing: int = 0
    """How many backups other stores have, and this one should have too."""


@frozen
class StoreLine:
    """The numbers of one store."""

    url: str
    reachable: bool
    stored_bytes: int | None
    """None if it was never read; see also `lease_age_seconds`."""
    lease_age_seconds: float | None


@frozen
class MetricsSnapshot:
    """All numbers."""

    database: str
    """The database that is backed up here."""
    interval_seconds: float
    began_at: datetime
    """When the first counted event happened."""
    databases: Mapping[Labels, DatabaseMetrics] = Factory(dict)
    stores: tuple[StoreLine, ...] = ()


def aggregate(
    contents: Sequence[StoreContent], database: str | None, interval: timedelta, now: datetime
) -> MetricsSnapshot:
    """Return the numbers.

    Args:
        contents: the content of each store.
        database: the one that is backed up here; None for that of the newest backup. It always has
            a line, even before its first backup: otherwise its first sign could be an error.
        interval: how often it should be backed up.
        now: the time.
    """
    databases: dict[Labels, DatabaseMetrics] = {}
    database = database or _newest_database(contents) or UNKNOWN
    for content in contents:
        if content.known:
            databases |= _Counting(content, database, now).databases()
    for content in contents:
        others = [other for other in contents if other is not content and other.known]
        for manifest in _missing(content, others, now) if content.known else ():
            labels = Labels(manifest.backup_set.name, content.url, manifest.kind)
            databases.setdefault(labels, DatabaseMetrics()).missing += 1
    stores = tuple(_store_line(content, now) for content in contents)
    began_at = min((at for content in contents for at in _times(content)), default=now)
    return MetricsSnapshot(database, interval.total_seconds(), began_at, databases, stores)


def _newest_database(contents: Sequence[StoreContent]) -> str | None:
    manifests = [
        manifest
        for content in contents
        for entry in content.entries
        if (manifest := entry.backup.manifest)
        and manifest.kind == USUAL_KIND
        and not entry.backup.ahead
    ]
    newest = max(manifests, key=lambda manifest: manifest.finished_at, default=None)
    return newest.backup_set.name if newest else None


def _times(content: StoreContent) -> Iterator[datetime]:
    yield from (record.at for record in content.records)
    yield from (m.started_at for e in content.entries if (m := e.backup.manifest))


def _store_line(content: StoreContent, now: datetime) -> StoreLine:
    if not content.known:
        return StoreLine(content.url, content.reachable, None, None)
    ages = ((now - lease.acquired_at).total_seconds() for lease in content.leases)
    oldest = max(0.0, *ages, 0.0)
    return StoreLine(content.url, content.reachable, content.stored_bytes, oldest)


class _Counting:
    """Counts the operations and backups of one store."""

    def __init__(self, content: StoreContent, database: str, now: datetime) -> None:
        self._content = content
        self._database = database
        self._now = now
        self._databases: dict[Labels, DatabaseMetrics] = {}
        self._known = {
            entry.backup.name: (manifest.backup_set.name, manifest.kind)
            for entry in content.entries
            if (manifest := entry.backup.manifest)
        }
        self._began_at = {
            manifest.name: manifest.started_at
            for entry in content.entries
            if (manifest := entry.backup.manifest)
        }
        self._ended = [each for each in once(content.records, Phase.END) if not each.dry_run]
        self._recorded = {
            record.backup
            for record in self._ended
            if record.action == "backup" and self._is_done(record)
        }

    def databases(self) -> dict[Labels, DatabaseMetrics]:
        """Return the line of each database."""
        own = self._metrics_of(None, self._database)
        own.last_success = own.last_verified = own.last_content_verified = 0
        # Backups that are deleted by now: later records about them may not name their database.
        for record in self._ended:
            if record.action == "backup" and record.backup and record.database:
                self._known.setdefault(record.backup, (record.database, USUAL_KIND))
        for entry in reversed(self._content.entries):  # the newest one decides
            if entry.backup.manifest:
                self._count_backup(entry, entry.backup.manifest)
        for record in self._ended:
            self._count_record(record)
        killed = killed_in(self._content, self._ended, self._now)
        for name in killed.deleted:
            self._metrics_of(name, None).backups += 1
        for record in killed.died:
            self._metrics_of(record.backup, record.database).errors += 1
        for metrics in self._databases.values():
            if metrics.last_success is None:
                metrics.last_verified = metrics.last_content_verified = None
        return self._databases

    def _count_backup(self, entry: Entry, manifest: Manifest) -> None:
        metrics = self._metrics_of(manifest.name, manifest.backup_set.name)
        if manifest.name not in self._recorded:
            metrics.backups += 1
            metrics.backup_seconds.append(manifest.duration.total_seconds())
            metrics.deduplicated_bytes += max(0, entry.stored_bytes - manifest.new_bytes)
        verification = entry.backup.verification
        if verification and verification.good:
            verified = verification.verified_at.timestamp()
            metrics.last_verified = max(metrics.last_verified or 0, verified)
        if verification and (at := verification.contents_good_at):
            read = max(metrics.last_content_verified or 0, at.timestamp())
            metrics.last_content_verified = read
        if entry.backup.counts and entry.expected:
            metrics.last_success = manifest.finished_at.timestamp()
            metrics.last_size_bytes = entry.size_bytes
            metrics.last_stored_bytes = entry.stored_bytes

    def _count_record(self, record: AuditRecord) -> None:
        if record.action == "backup":
            self._count_recorded_backup(record)
        elif record.action == "restore" and record.outcome == Outcome.SUCCESS:
            # The database of a restore is its target, which may have a new name each time.
            metrics = self._metrics_of(record.backup, None)
            metrics.restore_seconds.append(record.duration_seconds or 0.0)
        elif record.action == "verify" and record.outcome == Outcome.SUCCESS:
            self._count_verification(record)
        for name in deleted_by(record):
            self._metrics_of(name, None).deleted += 1

    def _count_verification(self, record: AuditRecord) -> None:
        """Count a backup that was deleted: existing backups are counted from their manifests."""
        began_at = self._began_at.get(record.backup or "")
        if began_at is None or began_at > record.at:  # then the name was used again
            metrics = self._metrics_of(record.backup, None)
            at = record.at.timestamp()
            metrics.last_verified = max(metrics.last_verified or 0, at)
            if record.checked != Checked.STRUCTURE:
                metrics.last_content_verified = max(metrics.last_content_verified or 0, at)

    def _count_recorded_backup(self, record: AuditRecord) -> None:
        done = self._is_done(record)
        if done or record.outcome != Outcome.REFUSED:
            metrics = self._metrics_of(record.backup, record.database)
            metrics.errors += not done
        if done:
            metrics.backups += 1
            metrics.backup_seconds.append(record.duration_seconds or 0.0)
            metrics.deduplicated_bytes += record.reused_bytes or 0

    def _is_done(self, record: AuditRecord) -> bool:
        """Whether it succeeded in this store: another store may have failed, or only this one."""
        return record.outcome == Outcome.SUCCESS and self._content.url not in record.not_done_in

    def _metrics_of(self, backup: str | None, database: str | None) -> DatabaseMetrics:
        whose, kind = self._known.get(backup or "", (None, USUAL_KIND))
        whose = whose or self._named_after(backup or "") or database or self._database
        return self._databases.setdefault(Labels(whose, self._content.url, kind), DatabaseMetrics())

    def _named_after(self, backup: str) -> str | None:
        """Return the database from a backup's name, if nothing else is known."""
        time = default_name_time(backup)
        if time is None:
            return None
        databases = sorted({database for database, _ in self._known.values() if database})
        return next((d for d in databases if backup.startswith(default_name(d, time, ""))), None)


def _missing(
    content: StoreContent, others: Iterable[StoreContent], now: datetime
) -> Iterator[Manifest]:
    """Yield the good backups that others have, and that this store's policy would keep."""
    own = {entry.backup.name: entry.backup for entry in content.entries}
    elsewhere = {
        entry.backup.name: entry.backup
        for other in others
        for entry in other.entries
        if entry.backup.good and not (entry.backup.name in own and own[entry.backup.name].good)
    }
    there = [evolve(each, status=Status.GOOD, problem="") for each in elsewhere.values()]
    everything = [*(b for b in own.values() if b.name not in elsewhere), *there]
    for decision in plan_retention(everything, content.policy, now, database=None):
        manifest = decision.backup.manifest
        if decision.keep and decision.backup.name in elsewhere and manifest:
            yield manifest
