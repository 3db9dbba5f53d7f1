"""Backups with a start but no end in the trail: their process was killed, or its host.

Some of these backups exist anyway: their process was killed afterwards, while it copied them or
cleaned up. They are no failures, neither while they exist nor when they are deleted later.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from brownie_backup.audit.record import AuditRecord, Outcome, Phase
from brownie_backup.format.names import default_name_time
from brownie_backup.repository.coordination.leases import LIFETIME
from brownie_backup.telemetry.sources import StoreContent

_DIED_AFTER = LIFETIME + timedelta(minutes=5)
"""An operation that has not ended after this long, and holds no lease, has died."""
_SOON = timedelta(minutes=5)
"""The longest time from an operation's start until its lease exists, and its backup is started."""


@frozen
class InterruptedBackups:
    """The outcomes of the backups of one store that were started and will not end."""

    deleted: tuple[str, ...]
    """The names of those that existed, and are deleted by now."""
    died: tuple[AuditRecord, ...]
    """The start records of those that never became a backup."""


def once(records: Iterable[AuditRecord], phase: Phase) -> tuple[AuditRecord, ...]:
    """Return the records of one phase, each once.

    A record whose put timed out although it was carried out is put again, by a new writer.
    """
    found: dict[tuple[str, str], AuditRecord] = {}
    for record in records:
        if record.phase == phase:
            found.setdefault((record.operation, record.action), record)
    return tuple(found.values())


def deleted_by(record: AuditRecord) -> tuple[str, ...]:
    """Return the names of the backups that an operation has deleted, from its end record."""
    if record.action == "delete" and record.outcome == Outcome.SUCCESS and record.backup:
        return (*record.deleted, record.backup)
    return record.deleted


def killed_in(
    content: StoreContent, ended: Sequence[AuditRecord], now: datetime
) -> InterruptedBackups:
    """Return the outcomes of the backups that were started and will not end.

    Args:
        content: the content of the store.
        ended: the end records in its trail, each once, without dry runs.
        now: the time.
    """
    done = _by_name((record.backup, record) for record in ended if _made(record))
    deletions = _by_name((name, record) for record in ended for name in deleted_by(record))
    deleted: set[tuple[str, datetime]] = set()
    died = []
    for begin in _begins(content, now):
        if _has_lease(content, begin, now) or _has_manifest(content, begin, done):
            continue
        deletion = _deletion(begin, deletions, done)
        if deletion:
            deleted.add(deletion)
        else:
            died.append(begin)
    return InterruptedBackups(tuple(name for name, _ in sorted(deleted)), tuple(died))


_Named = Mapping[str, Sequence[AuditRecord]]
"""The ends of operations by the name of the backup that they made, or deleted."""


def _by_name(found: Iterable[tuple[str | None, AuditRecord]]) -> _Named:
    named = defaultdict(list)
    for name, record in found:
        if name:
            named[name].append(record)
    return named


def _made(record: AuditRecord) -> bool:
    return record.action == "backup" and record.outcome == Outcome.SUCCESS


def _begins(content: StoreContent, now: datetime) -> Iterator[AuditRecord]:
    ended = {record.operation for record in content.records if record.phase == Phase.END}
    for record in once(content.records, Phase.BEGIN):
        late = now - record.at > _DIED_AFTER
        if record.action == "backup" and record.operation not in ended and late:
            yield record


def _has_lease(content: StoreContent, begin: AuditRecord, now: datetime) -> bool:
    return any(
        _fits(begin, lease.acquired_at) and not lease.expired(now) for lease in content.leases
    )


def _has_manifest(content: StoreContent, begin: AuditRecord, done: _Named) -> bool:
    """Whether it became a backup: copying that to other stores may take hours more."""
    return any(
        _fits(begin, manifest.started_at)
        # A backup made by another operation soon after does not count for this one.
        and not any(end.at >= manifest.started_at for end in done.get(manifest.name, ()))
        for entry in content.entries
        if (manifest := entry.backup.manifest)
    )


def _deletion(begin: AuditRecord, deletions: _Named, done: _Named) -> tuple[str, datetime] | None:
    """Return the name of the backup that it became, and when that was deleted, if it was."""
    for name in [begin.backup] if begin.backup else _names_since(begin, deletions):
        at = min((each.at for each in deletions.get(name, ()) if each.at >= begin.at), default=None)
        # Otherwise it belongs to another operation for which the name was free.
        if at and not any(begin.at <= end.at <= at for end in done.get(name, ())):
            return name, at
    return None


def _names_since(begin: AuditRecord, names: Iterable[str]) -> Iterator[str]:
    """Yield the names with a time at which a backup may have started, since it is named then."""
    for name in names:
        time = default_name_time(name)
        # The time in the name is truncated to the second.
        if time and begin.at - timedelta(seconds=1) < time <= begin.at + _SOON:
            yield name


def _fits(begin: AuditRecord, at: datetime) -> bool:
    return begin.at <= at <= begin.at + _SOON
