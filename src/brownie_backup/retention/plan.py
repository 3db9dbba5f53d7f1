"""Which backups to keep: a pure function of the catalogue, a policy and the time."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from brownie_backup.model import Backup, BackupSet, DatabaseId, Manifest, Status, is_ahead
from brownie_backup.model.reports import RetentionDecision
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.retention.rules import span_text

_TWO_DAYS = timedelta(days=2)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_PERIODS: tuple[tuple[str, Callable[[datetime], object], str], ...] = (
    ("hourly", lambda at: (at.toordinal(), at.hour), "%Y-%m-%d %H:00"),
    ("daily", datetime.toordinal, "%Y-%m-%d"),
    ("weekly", lambda at: (at.toordinal() - 1) // 7, "%G-W%V"),  # day 1 was a Monday
    ("monthly", lambda at: (at.year, at.month), "%Y-%m"),
    ("yearly", lambda at: at.year, "%Y"),
)
"""The rules by periods: name, function that identifies a period, and wording."""

_NEWER = "a newer version made it, in a form that this version cannot read"
_UNREADABLE = "its manifest cannot be read: look at it, then delete it by name"


class RetentionGroup(NamedTuple):
    """Backups that count together: of one database and kind, all encrypted or none.

    A client without a key can add unencrypted backups. If these counted with encrypted ones, the
    encrypted ones would be deleted in favour of them.
    """

    backup_set: BackupSet
    encrypted: bool

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the group of a backup."""
        return cls(manifest.backup_set, manifest.encrypted)


Placed = tuple[int, Backup, Manifest]
"""A backup whose manifest can be read, and its place in the plan."""


def plan_retention(
    backups: Iterable[Backup],
    policy: RetentionPolicy,
    now: datetime,
    *,
    database: DatabaseId | None,
) -> tuple[RetentionDecision, ...]:
    """Decide for each backup whether to keep it, with the reason, newest first.

    A backup is kept if any rule of the policy keeps it, if it is held, or if its manifest can't be
    read or is of a kind that this version does not know: then its value is unknown. Only good
    backups count, separately for each `RetentionGroup`, so a database that is no longer backed up
    keeps its last backups for ever. A damaged backup is kept only by its age, a label or a hold.
    But while there are fewer good ones than `policy.keep_min`, all damaged ones are kept too: the
    next backup may repair them.

    Args:
        backups: the catalogue.
        policy: which backups to keep of each kind and database.
        now: the time.
        database: the database whose backups may be deleted; None for all databases.
    """
    newest_first = sorted(backups, key=_finished, reverse=True)
    kept: dict[int, str] = {}
    for group, placed in _grouped(newest_first, kept):
        if database is None or group.backup_set.is_of(database):
            kept.update(reasons_to_keep(placed, policy, now))
        else:
            kept.update(_all(placed, _other(group.backup_set, database)))
    gone = _reasons_to_go(policy, now)
    return tuple(
        RetentionDecision(backup, keep=True, reason=kept[place])
        if place in kept
        else RetentionDecision(backup, keep=False, reason=gone(backup))
        for place, backup in enumerate(newest_first)
    )


def _finished(backup: Backup) -> tuple[datetime, str]:
    return backup.manifest.finished_at if backup.manifest else _LONG_AGO, backup.name


def _grouped(
    newest_first: Sequence[Backup], kept: dict[int, str]
) -> list[tuple[RetentionGroup, list[Placed]]]:
    """Group the backups; keep those whose group is unknown."""
    groups: dict[RetentionGroup, list[Placed]] = defaultdict(list)
    for place, backup in enumerate(newest_first):
        manifest = backup.manifest
        if manifest is None:
            newer = backup.status is Status.UNSUPPORTED
            kept[place] = _NEWER if newer else _UNREADABLE
        elif not manifest.known:
            kept[place] = f"kind '{manifest.kind}' is not known to this version"
        else:
            groups[RetentionGroup.of(manifest)].append((place, backup, manifest))
    return list(groups.items())


def reasons_to_keep(
    placed: Sequence[Placed], policy: RetentionPolicy, now: datetime
) -> dict[int, str]:
    """Return the places of the backups of one group to keep, each with all reasons.

    Args:
        placed: all backups of the group, newest first.
        policy: which of them to keep.
        now: the time.
    """
    if not policy.deletes:
        return _all(placed, "no rule lets a backup go")
    good = [e for e in placed if e[1].good and not is_ahead(e[2].finished_at, now)]
    reasons: dict[int, list[str]] = defaultdict(list)
    for place, reason in itertools.chain(
        _held(placed, now),
        _ahead(placed, now),
        _labelled(placed, policy),
        _young(placed, policy, now),
        _counted(good, policy),
    ):
        reasons[place].append(reason)
    kept = {place: ", ".join(texts) for place, texts in reasons.items()}
    for number, (place, _, _) in enumerate(good[: policy.keep_min], 1):
        kept.setdefault(place, f"good backup number {number}: {policy.keep_min} always stay")
    if len(good) < policy.keep_min:
        kept = _all(placed, f"there are fewer good ones than {policy.keep_min}") | kept
    return kept


def _all(placed: Sequence[Placed], reason: str) -> dict[int, str]:
    return dict.fromkeys((place for place, _, _ in placed), reason)


def _held(placed: Sequence[Placed], now: datetime) -> Iterator[tuple[int, str]]:
    for place, backup, _ in placed:
        if backup.hold is not None and backup.hold.counts(now):
            yield place, str(backup.hold)


def _ahead(placed: Sequence[Placed], now: datetime) -> Iterator[tuple[int, str]]:
    """Yield good backups whose age is not known: they neither go nor count."""
    for place, backup, manifest in placed:
        if backup.good and is_ahead(manifest.finished_at, now):
            yield place, "its time lies in the future"


def _labelled(placed: Sequence[Placed], policy: RetentionPolicy) -> Iterator[tuple[int, str]]:
    for label in policy.keep_labels:
        key, equals, value = label.partition("=")
        for place, _, manifest in placed:
            found = manifest.labels.get(key)
            if found is not None and (not equals or found == value):
                yield place, f"label {label}"


def _young(
    placed: Sequence[Placed], policy: RetentionPolicy, now: datetime
) -> Iterator[tuple[int, str]]:
    if policy.keep_within is not None:
        reason = f"younger than {span_text(policy.keep_within)}"
        for place, _, manifest in placed:
            if now - manifest.finished_at > policy.keep_within:
                return
            yield place, reason


def _counted(good: Sequence[Placed], policy: RetentionPolicy) -> Iterator[tuple[int, str]]:
    """Yield the backups that counting rules keep, and the reason."""
    for number, (place, _, _) in enumerate(good[: policy.keep_last], 1):
        yield place, f"last ({number} of {policy.keep_last})"
    for name, period_of, form in _PERIODS:
        most: int = getattr(policy, f"keep_{name}")
        number, last = 0, None
        for place, _, manifest in good if most else ():
            at = manifest.finished_at.astimezone(UTC)
            period = period_of(at)
            if period != last:
                number, last = number + 1, period
                yield place, f"{name} {at.strftime(form)} ({number} of {most})"
                if number == most:
                    break


def _other(each: BackupSet, chosen: DatabaseId) -> str:
    if each.database is None:
        return f"of a whole cluster: {each}"
    if each.database == chosen.name:
        return f"of a database in another cluster: {each}"
    return f"of another database: {each}"


def _reasons_to_go(policy: RetentionPolicy, now: datetime) -> Callable[[Backup], str]:
    over = "kept by no rule"
    if policy.keep_within is not None and not policy.counts:
        over = f"over {span_text(policy.keep_within)}"
    text_of = functools.cache(lambda age: f"{span_text(age)} old, {over}")

    def reason(backup: Backup) -> str:
        manifest = backup.manifest
        age = now - manifest.finished_at if manifest else timedelta(0)
        # Share the texts: even a hundred thousand backups have only a few different ones.
        text: str = text_of(age if age < _TWO_DAYS else timedelta(age.days))
        return text if backup.good else f"damaged, {text}"

    return reason
