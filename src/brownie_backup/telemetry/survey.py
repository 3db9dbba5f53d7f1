"""What the metrics say, computed from what the stores have. Pure.

Totals never fall while the audit trail is there, whatever retention deletes: they count what the
trail records, and of the catalogue only what the trail does not know.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import Factory, evolve, field, frozen, mutable

from brownie_backup.audit import AuditRecord, Outcome, Phase
from brownie_backup.model import Manifest, Status
from brownie_backup.repository.leases import LIFETIME
from brownie_backup.retention import plan_retention
from brownie_backup.telemetry.sources import Entry, StoreContent

USUAL_KIND = "logical"
"""Of what only the audit trail knows."""
UNKNOWN = "unknown"
"""What the database is called while nothing says its name."""
_DIED_AFTER = LIFETIME + timedelta(minutes=5)
"""An operation that has not ended after so long, and holds no lease, has died."""
_LEASE_WITHIN = timedelta(minutes=5)
"""How soon after it begins an operation has its lease, and its backup its beginning."""


@frozen
class Labels:
    """What a line of metrics is about."""

    database: str
    store: str
    kind: str


@mutable
class Line:
    """The numbers of one database in one store; None if there is none.

    A time is Unix time. It is 0, for never, only of the database that is backed up here: of another
    one that has no good backup left, nobody waits for the next.
    """

    backups: int = 0
    errors: int = 0
    deleted: int = 0
    deduplicated_bytes: int = 0
    backup_seconds: list[float] = field(factory=list)
    """Of each backup."""
    restore_seconds: list[float] = field(factory=list)
    """Of each restore."""
    last_success: float | None = None
    last_verified: float | None = None
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
    """None if it was never read; as in `lease_age_seconds`."""
    lease_age_seconds: float | None


@frozen
class Survey:
    """All numbers."""

    database: str
    """The one that is backed up here."""
    interval_seconds: float
    began_at: datetime
    """When the first thing happened that is counted."""
    lines: Mapping[Labels, Line] = Factory(dict)
    stores: tuple[StoreLine, ...] = ()


def survey(
    contents: Sequence[StoreContent], database: str | None, interval: timedelta, now: datetime
) -> Survey:
    """Return the numbers.

    Args:
        contents: of each store.
        database: the one that is backed up here; None for that of the newest backup. It has its
            line, with no backups yet if need be: an error must not be the first that is heard of
            it.
        interval: how often it should be backed up.
        now: the time.
    """
    lines: dict[Labels, Line] = {}
    database = database or _newest_database(contents) or UNKNOWN
    for content in contents:
        if content.known:
            lines |= _Counting(content, database, now).lines()
    for content in contents:
        others = [other for other in contents if other is not content and other.known]
        for manifest in _missing(content, others, now) if content.known else ():
            labels = Labels(manifest.database.name, content.url, manifest.kind)
            lines.setdefault(labels, Line()).missing += 1
    stores = tuple(_store_line(content, now) for content in contents)
    began_at = min((at for content in contents for at in _times(content)), default=now)
    return Survey(database, interval.total_seconds(), began_at, lines, stores)


def _newest_database(contents: Sequence[StoreContent]) -> str | None:
    manifests = [m for content in contents for e in content.entries if (m := e.backup.manifest)]
    newest = max(manifests, key=lambda manifest: manifest.finished_at, default=None)
    return newest.database.name if newest else None


def _times(content: StoreContent) -> Iterator[datetime]:
    yield from (record.at for record in content.records)
    yield from (m.started_at for e in content.entries if (m := e.backup.manifest))


def _store_line(content: StoreContent, now: datetime) -> StoreLine:
    if not content.known:
        return StoreLine(content.url, content.reachable, None, None)
    ages = ((now - lease.acquired_at).total_seconds() for lease in content.leases)
    oldest = max(0.0, *ages, 0.0)
    return StoreLine(content.url, content.reachable, content.stored_bytes, oldest)


def _once(records: Iterable[AuditRecord]) -> tuple[AuditRecord, ...]:
    """Return records of one phase, each once.

    A record whose put timed out though it was carried out is put again, by a new writer.
    """
    found: dict[tuple[str, str], AuditRecord] = {}
    for record in records:
        found.setdefault((record.operation, record.action), record)
    return tuple(found.values())


class _Counting:
    """Counts what one store has."""

    def __init__(self, content: StoreContent, database: str, now: datetime) -> None:
        self._content = content
        self._database = database
        self._now = now
        self._lines: dict[Labels, Line] = {}
        self._known = {
            entry.backup.name: (manifest.database.name, manifest.kind)
            for entry in content.entries
            if (manifest := entry.backup.manifest)
        }
        ended = _once(record for record in content.records if record.phase == Phase.END)
        self._ended = [record for record in ended if not record.dry_run]
        self._recorded = Counter(
            record.backup
            for record in self._ended
            if record.action == "backup" and self._is_done(record)
        )

    def lines(self) -> dict[Labels, Line]:
        """Return the line of each database."""
        own = self._line(None, self._database)
        own.last_success = own.last_verified = 0
        # Those that are gone by now: later records about them may not say whose they were.
        for record in self._ended:
            if record.action == "backup" and record.backup and record.database:
                self._known.setdefault(record.backup, (record.database, USUAL_KIND))
        for entry in reversed(self._content.entries):  # the newest one has the last word
            if entry.backup.manifest:
                self._count_backup(entry, entry.backup.manifest)
        for record in self._ended:
            self._count_record(record)
        for record in self._died():
            self._line(record.backup, record.database).errors += 1
        for line in self._lines.values():
            if line.last_success is None:
                line.last_verified = None
        return self._lines

    def _count_backup(self, entry: Entry, manifest: Manifest) -> None:
        line = self._line(manifest.name, manifest.database.name)
        if manifest.name not in self._recorded:
            line.backups += 1
            line.backup_seconds.append(manifest.duration.total_seconds())
            line.deduplicated_bytes += max(0, entry.stored_bytes - manifest.new_bytes)
        verification = entry.backup.verification
        if verification and verification.good:
            verified = verification.verified_at.timestamp()
            line.last_verified = max(line.last_verified or 0, verified)
        if entry.backup.good:
            line.last_success = manifest.finished_at.timestamp()
            line.last_size_bytes = entry.size_bytes
            line.last_stored_bytes = entry.stored_bytes

    def _count_record(self, record: AuditRecord) -> None:
        if record.action == "backup":
            self._count_recorded_backup(record)
        elif record.action == "restore" and record.outcome == Outcome.SUCCESS:
            # A restore's own database is its target, which may have a new name each time.
            line = self._line(record.backup, None)
            line.restore_seconds.append(record.duration_seconds or 0.0)
        elif record.action == "delete" and record.outcome == Outcome.SUCCESS:
            self._line(record.backup, None).deleted += 1
        for name in record.deleted:
            self._line(name, None).deleted += 1

    def _count_recorded_backup(self, record: AuditRecord) -> None:
        done = self._is_done(record)
        if done or record.outcome != Outcome.REFUSED:
            line = self._line(record.backup, record.database)
            line.errors += not done
        if done:
            line.backups += 1
            line.backup_seconds.append(record.duration_seconds or 0.0)
            line.deduplicated_bytes += record.reused_bytes or 0

    def _is_done(self, record: AuditRecord) -> bool:
        """Whether it was done in this store: another one may have failed, or this one alone."""
        return record.outcome == Outcome.SUCCESS and self._content.url not in record.not_done_in

    def _died(self) -> Iterator[AuditRecord]:
        """Yield what was begun and will not end: its process was killed, or its host."""
        ended = {record.operation for record in self._content.records if record.phase == Phase.END}
        for record in _once(each for each in self._content.records if each.phase == Phase.BEGIN):
            if (
                record.action == "backup"
                and record.operation not in ended
                and self._now - record.at > _DIED_AFTER
                and not self._has_lease(record)
                and not self._has_manifest(record)
            ):
                yield record

    def _has_lease(self, record: AuditRecord) -> bool:
        return any(
            record.at <= lease.acquired_at <= record.at + _LEASE_WITHIN
            and not lease.expired(self._now)
            for lease in self._content.leases
        )

    def _has_manifest(self, record: AuditRecord) -> bool:
        """Whether a backup came of it: copying it to other stores may take hours more."""
        return any(
            record.at <= manifest.started_at <= record.at + _LEASE_WITHIN
            for entry in self._content.entries
            if (manifest := entry.backup.manifest)
        )

    def _line(self, backup: str | None, database: str | None) -> Line:
        whose, kind = self._known.get(backup or "", (database or self._database, USUAL_KIND))
        return self._lines.setdefault(Labels(whose, self._content.url, kind), Line())


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
