"""What stops a cleanup before it deletes anything: each guard yields why, or nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from brownie_backup.errors import ClockSkew, DamagedError
from brownie_backup.hints import SetupHint
from brownie_backup.model import Attempt, Backup
from brownie_backup.model.reports import RetentionDecision
from brownie_backup.repository import Repository
from brownie_backup.repository.catalogue.holds import read_attempt
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.wording import counted, written

CLOCK_MARGIN = timedelta(minutes=5)
"""How far the clocks of client and store may be apart: by ours backups are too old, by the store's
blobs are."""

FEW = 3
"""So many of a database's backups may go at once whatever share they are."""


def refuse_skew(offset: timedelta) -> None:
    """Raise `ClockSkew` if the store's clock is that much ahead of ours, or behind it."""
    if abs(offset) > CLOCK_MARGIN:
        way = "ahead of" if offset > timedelta(0) else "behind"
        minutes = counted(abs(offset) // timedelta(minutes=1), "minute")
        msg = f"the store's clock is {minutes} {way} ours: ages cannot be trusted"
        raise ClockSkew(msg, hint=SetupHint.SET_EITHER_CLOCK)


def too_many(decisions: Sequence[RetentionDecision], policy: RetentionPolicy) -> Iterator[str]:
    """Yield of which databases more would go at once than the policy takes for likely."""
    backups, going = Counter[str](), Counter[str]()
    for decision in decisions:
        if decision.backup.manifest:
            database = str(decision.backup.manifest.database.id)
            backups[database] += 1
            going[database] += not decision.keep
    for database, count in going.items():
        if count > FEW and count > policy.most_deleted_share * backups[database]:
            yield (
                f"{count} of {backups[database]} backups of {database} would be deleted at once, "
                f"more than {policy.most_deleted_share:.0%}"
            )


def failed(repository: Repository, decisions: Sequence[RetentionDecision]) -> Iterator[str]:
    """Yield of which databases the last backup failed, among those of which any would go.

    A backup that is begun writes that down first. Then a good one must have ended since: one that
    runs beside another is no failure, one that was found damaged is.
    """
    names = {_database(decision.backup) for decision in decisions if not decision.keep}
    for name in sorted(names):
        try:
            attempt = read_attempt(repository.store, name)
        except DamagedError as error:
            yield f"it is not known whether the last backup of '{name}' failed: {error.message}"
            continue
        if attempt and not any(made_good(attempt, decision.backup) for decision in decisions):
            yield (
                f"the last backup of '{name}', begun at {written(attempt.started_at)} as "
                f"'{attempt.backup}', is missing or not good"
            )


def made_good(attempt: Attempt, backup: Backup) -> bool:
    """Whether a backup is proof that the database was backed up since the attempt was begun."""
    if not backup.good or backup.manifest is None or _database(backup) != attempt.database:
        return False
    return backup.manifest.finished_at >= attempt.started_at


def _database(backup: Backup) -> str:
    return backup.manifest.database.name if backup.manifest else ""
