"""Apply a retention policy."""

import logging

from brownie_backup.model import RetentionPolicy
from brownie_backup.reports import OnTally, RetentionReport
from brownie_backup.repository import Repository
from brownie_backup.retention import plan_retention

_log = logging.getLogger(__name__)


def apply_retention(
    repository: Repository,
    policy: RetentionPolicy,
    *,
    dry_run: bool = False,
    on_progress: OnTally | None = None,
) -> RetentionReport:
    """Delete the backups that the policy does not keep, then the blobs that nothing names.

    The plan is made while nobody else writes, deletes or reads: what is good then, stays good.

    Args:
        repository: where the backups are.
        policy: which to keep.
        dry_run: change nothing, take no lease, and say what would happen.
        on_progress: called with how many backups are read, then how many blobs removed.

    Raises:
        Busy: a backup, a restore or another cleanup is running.
    """
    if dry_run:
        decisions = plan_retention(
            repository.backups(on_progress=on_progress), policy, repository.clock()
        )
        gone = frozenset(d.backup.name for d in decisions if not d.keep)
        would = repository.sweep(None, without=gone, on_progress=on_progress)
        return RetentionReport(decisions, dry_run, would.blobs, would.size_bytes)
    with repository.exclusive_lease("cleanup") as lease:
        decisions = plan_retention(
            repository.backups(on_progress=on_progress), policy, repository.clock()
        )
        for decision in decisions:
            if not decision.keep:
                lease.ensure_held()
                repository.remove(decision.backup.name)
                _log.info("deleted '%s': %s", decision.backup.name, decision.reason)
        swept = repository.sweep(lease, on_progress=on_progress)
    notes: tuple[str, ...] = ()
    if any(d.backup.manifest is None for d in decisions):
        notes = ("no blob was removed: a manifest that cannot be read may need any of them",)
    return RetentionReport(
        decisions, dry_run, swept.blobs, swept.size_bytes, notes, swept.locked_blobs
    )
