"""Which backups to keep: a pure function of the catalogue, a policy and the time."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from brownie_backup.model import Backup, RetentionDecision, RetentionPolicy


def plan_retention(
    backups: Iterable[Backup], policy: RetentionPolicy, now: datetime
) -> tuple[RetentionDecision, ...]:
    """Decide for each backup whether it stays, with the reason, newest first.

    Only good backups count towards the floor `policy.keep_min`, for each database by itself:
    a database that is no longer backed up keeps its last ones for ever. A backup whose manifest
    can't be read is kept: nobody knows what it is.
    """
    seen_good: dict[tuple[str, str], int] = {}
    decisions = []
    for backup in sorted(backups, key=_finished, reverse=True):
        rank = None
        if backup.good and backup.manifest:
            database = backup.manifest.database
            key = (database.system_identifier, database.name)
            rank = seen_good[key] = seen_good.get(key, 0) + 1
        keep, reason = _decide(backup, rank, policy, now)
        decisions.append(RetentionDecision(backup, keep, reason))
    return tuple(decisions)


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
        return True, f"good backup number {rank} of its database, {policy.keep_min} always stay"
    return False, f"{_days(age)} old, over {_days(policy.keep_within)}"


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.4g} days"
