"""Guards that stop a cleanup before it deletes anything: each yields reasons, or nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from brownie_backup.errors import ClockSkew, DamagedError, ObjectArchived
from brownie_backup.hints import SetupHint
from brownie_backup.model import CLOCK_MARGIN, Attempt, Backup, Manifest
from brownie_backup.model.reports import RetentionDecision
from brownie_backup.repository import LeaseRecord, Repository
from brownie_backup.repository.catalogue.holds import read_attempt
from brownie_backup.retention import RetentionGroup
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.wording import counted, written

FEW = 3
"""This many of a database's backups may be deleted at once, regardless of their share."""


def refuse_skew(offset: timedelta) -> None:
    """Raise `ClockSkew` if the store's clock is far ahead of ours, or behind it.

    Backups are aged by our clock, blobs by the store's.
    """
    if abs(offset) > CLOCK_MARGIN:
        way = "ahead of" if offset > timedelta(0) else "behind"
        minutes = counted(abs(offset) // timedelta(minutes=1), "minute")
        msg = f"the store's clock is {minutes} {way} ours: ages cannot be trusted"
        raise ClockSkew(msg, hint=SetupHint.SET_EITHER_CLOCK)


def too_many(decisions: Sequence[RetentionDecision], policy: RetentionPolicy) -> Iterator[str]:
    """Yield the databases that would lose a larger share of backups than the policy allows."""
    backups, going = Counter[RetentionGroup](), Counter[RetentionGroup]()
    for decision in decisions:
        if decision.backup.manifest:
            each = RetentionGroup.of(decision.backup.manifest)
            backups[each] += 1
            going[each] += not decision.keep
    for each, count in going.items():
        if count > FEW and count > policy.most_deleted_share * backups[each]:
            share = f"{policy.most_deleted_share:.0%}"
            counts = f"{count} of {backups[each]} backups of {each.backup_set}"
            yield f"{counts} would be deleted at once, more than {share}"


def failed(repository: Repository, decisions: Sequence[RetentionDecision]) -> Iterator[str]:
    """Yield the databases that would lose backups although their last backup failed.

    Each backup records its start first. A good backup must have ended since that start. A backup
    that runs beside another is no failure; one that was found damaged is.
    """
    going = {
        (manifest.backup_set.name, manifest.kind)
        for decision in decisions
        if not decision.keep and (manifest := decision.backup.manifest)
    }
    for name, kind in sorted(going):
        try:
            attempt = read_attempt(repository.store, name, kind)
        except (DamagedError, ObjectArchived) as error:
            yield f"it is not known whether the last backup of '{name}' failed: {error.message}"
            continue
        backups = [decision.backup for decision in decisions]
        if attempt and not shows_success(attempt, backups, repository.codecs.expects):
            yield (
                f"the last backup of '{name}', begun at {written(attempt.started_at)} as "
                f"'{attempt.backup}', is missing or not good"
            )


def shows_success(
    attempt: Attempt, backups: Iterable[Backup], expects: Callable[[Manifest], bool]
) -> bool:
    """Whether a backup of ours was made since the attempt began.

    An unencrypted one does not count while new ones are encrypted: anyone who can write to the
    store can make it.
    """
    ours = (each for each in backups if each.manifest and expects(each.manifest))
    return any(made_good(attempt, each) for each in ours)


def made_good(attempt: Attempt, backup: Backup) -> bool:
    """Whether a backup shows that one of its kind was made since the attempt began."""
    manifest = backup.manifest
    if not backup.counts or manifest is None:
        return False
    same = (manifest.backup_set.name, manifest.kind) == (attempt.database, attempt.kind)
    return same and manifest.finished_at >= attempt.started_at


def is_running(attempt: Attempt | None, leases: Iterable[LeaseRecord], now: datetime) -> bool:
    """Whether the backup that was attempted is still being made."""
    if attempt is None:
        return False
    return any(lease.backup == attempt.backup and not lease.expired(now) for lease in leases)
