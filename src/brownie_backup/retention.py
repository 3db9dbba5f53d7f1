"""Which backups to keep: a pure function of the catalogue, a policy and the time."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from brownie_backup.model import Backup, RetentionPolicy
from brownie_backup.reports import RetentionDecision


def plan_retention(
    backups: Iterable[Backup], policy: RetentionPolicy, now: datetime
) -> tuple[RetentionDecision, ...]:
    """Decide for each backup whether it stays, with the reason, newest first.

    Only good backups count towards the floor `policy.keep_min`, for each database by itself:
    a database that is no longer backed up keeps its last ones for ever. While there are fewer good
    ones than that, its damaged ones stay too: the next backup may heal them. A backup whose
    manifest can't be read is kept: nobody knows what it is.
    """
    newest_first = sorted(backups, key=_finished, reverse=True)
    good = Counter(_database(backup) for backup in newest_first if backup.good)
    seen: Counter[tuple[str, str]] = Counter()
    decisions = []
    for backup in newest_first:
        database = _database(backup)
        if backup.good:
            seen[database] += 1
        rank = seen[database] if backup.good or good[database] < policy.keep_min else None
        keep, reason = _decide(backup, rank, policy, now)
        decisions.append(RetentionDecision(backup, keep, reason))
    return tuple(decisions)


def _database(backup: Backup) -> tuple[str, str]:
    if backup.manifest is None:
        return ("", "")
    return (backup.manifest.database.system_identifier, backup.manifest.database.name)


def _finished(backup: Backup) -> tuple[float, str]:
    finished = backup.manifest.finished_at.timestamp() if backup.manifest else 0.0
    return finished, backup.name


def _decide(
    backup: Backup, rank: int | None, policy: RetentionPolicy, now: datetime
) -> tuple[bool, str]:
    if backup.manifest is None:
        return True, "its manifest cannot be read: look at it, then delete it by name"
    age = now - backup.manifest.finished_at
    if age <= policy.keep_within:
        return True, f"younger than {_days(policy.keep_within)}"
    if rank is not None and rank <= policy.keep_min:
        if not backup.good:
            return True, f"its database has fewer good backups than {policy.keep_min}"
        return True, f"good backup number {rank} of its database, {policy.keep_min} always stay"
    return False, f"{_days(age)} old, over {_days(policy.keep_within)}"


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.4g} days"
