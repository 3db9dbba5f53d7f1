"""Apply a retention policy."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve

from brownie_backup.errors import DeletionRefused, ObjectLocked
from brownie_backup.hints import BackupHint
from brownie_backup.model import Backup, DatabaseId
from brownie_backup.model.reports import OnCount, RetentionDecision, RetentionReport
from brownie_backup.operations import guards
from brownie_backup.protocols import with_reserve
from brownie_backup.repository import Lease, Repository, Swept
from brownie_backup.retention import RetentionGroup, plan_retention
from brownie_backup.retention.policy import RetentionPolicy

_log = logging.getLogger(__name__)


def apply_retention(
    repository: Repository,
    policy: RetentionPolicy,
    *,
    database: DatabaseId | None,
    dry_run: bool = False,
    yes_delete_many: bool = False,
    on_deleted: Callable[[str], None] | None = None,
    on_progress: OnCount | None = None,
) -> RetentionReport:
    """Delete the backups that the policy does not keep, then the blobs that nothing names.

    The plan is made while no other process writes, deletes or reads, so backups that are good then
    stay good.

    Args:
        repository: where the backups are.
        policy: which backups to keep.
        database: the database whose backups may be deleted, from `Dumper.database_id`; None for all
            databases. The policy counts each kind separately.
        dry_run: change nothing, take no lease, and report what would happen.
        yes_delete_many: delete although it is a larger share of a database's backups than
            `policy.most_deleted_share`.
        on_deleted: called with the name of each backup as soon as it is deleted, even if a later
            step fails.
        on_progress: called with the number of backups read, then of blobs removed.

    Raises:
        Busy: a backup, a restore or another cleanup is running.
        DeletionRefused: too many would be deleted at once, or the last backup failed.
        ClockSkew: the clocks of this host and the store are too far apart.
    """
    if dry_run:
        return _rehearse(
            repository, policy, database, yes_delete_many=yes_delete_many, on_progress=on_progress
        )
    with with_reserve([repository.store]), repository.exclusive_lease("cleanup") as lease:
        guards.refuse_skew(lease.clock_offset)
        decisions = _plan(repository, policy, database, on_progress)
        many = () if yes_delete_many else tuple(guards.too_many(decisions, policy))
        failed = tuple(guards.failed(repository, decisions))
        if failed or many:
            hint = BackupHint.BACK_UP_FIRST if failed else BackupHint.MANY_DELETED
            msg = f"nothing was deleted: {'; '.join((*failed, *many))}"
            raise DeletionRefused(msg, hint=hint)
        done = tuple(_carry_out(repository, lease, decisions, on_deleted))
        swept = repository.sweep(lease, on_progress=on_progress)
    locked = tuple(
        after.backup.name
        for before, after in zip(decisions, done, strict=True)
        if after.keep and not before.keep
    )
    return RetentionReport(
        done,
        dry_run,
        swept.blobs,
        swept.size_bytes,
        tuple(_notes(swept, done)),
        locked=locked,
        locked_blobs=swept.locked_blobs,
        young_blobs=swept.young_blobs,
        young_bytes=swept.young_bytes,
    )


def _plan(
    repository: Repository,
    policy: RetentionPolicy,
    database: DatabaseId | None,
    on_progress: OnCount | None,
) -> tuple[RetentionDecision, ...]:
    """Decide; confirm the last good backups in the store if they came from the cache."""

    def plan(by: Repository) -> tuple[RetentionDecision, ...]:
        backups = by.backups(on_progress=on_progress)
        return plan_retention(backups, policy, by.clock(), database=database)

    decisions = plan(repository)
    if all(repository.confirms(backup) for backup in _last_good(decisions, policy)):
        return decisions
    return plan(evolve(repository, cache=None))


def _last_good(decisions: Sequence[RetentionDecision], policy: RetentionPolicy) -> Iterator[Backup]:
    """Yield the newest good backups of each group that loses any."""
    losing = {_group(decision.backup) for decision in decisions if not decision.keep}
    seen: Counter[RetentionGroup | None] = Counter()
    for backup in (decision.backup for decision in decisions if decision.backup.good):
        each = _group(backup)
        if each in losing and seen[each] < policy.keep_min:
            seen[each] += 1
            yield backup


def _group(backup: Backup) -> RetentionGroup | None:
    return RetentionGroup.of(backup.manifest) if backup.manifest else None


def _rehearse(
    repository: Repository,
    policy: RetentionPolicy,
    database: DatabaseId | None,
    *,
    yes_delete_many: bool,
    on_progress: OnCount | None,
) -> RetentionReport:
    decisions = _plan(repository, policy, database, on_progress)
    gone = frozenset(d.backup.name for d in decisions if not d.keep)
    would = repository.sweep(None, without=gone, on_progress=on_progress)
    many = () if yes_delete_many else tuple(guards.too_many(decisions, policy))
    return RetentionReport(
        decisions,
        dry_run=True,
        swept_blobs=would.blobs,
        swept_bytes=would.size_bytes,
        notes=tuple(_notes(would, decisions)),
        refusals=(*guards.failed(repository, decisions), *many),
        young_blobs=would.young_blobs,
        young_bytes=would.young_bytes,
    )


def _carry_out(
    repository: Repository,
    lease: Lease,
    decisions: Iterable[RetentionDecision],
    on_deleted: Callable[[str], None] | None,
) -> Iterator[RetentionDecision]:
    """Delete the backups that are not kept; yield the outcome of each backup."""
    for decision in decisions:
        if decision.keep:
            yield decision
            continue
        lease.ensure_held()
        name = decision.backup.name
        try:
            with lease.outlasting():
                repository.remove(name)
        except ObjectLocked as error:
            _log.info("kept '%s': %s", name, error.message)
            yield evolve(decision, keep=True, reason=f"locked: {error.message}")
        else:
            if on_deleted:
                on_deleted(name)
            _log.info("deleted '%s': %s", name, decision.reason)
            yield decision


def _notes(swept: Swept, decisions: Sequence[RetentionDecision]) -> Iterator[str]:
    if swept.problem:
        yield f"no blob was removed: {swept.problem}"
    manifests = (decision.backup.manifest for decision in decisions)
    unknown = Counter(manifest.kind for manifest in manifests if manifest and not manifest.known)
    for kind, count in sorted(unknown.items()):
        yield f"kept regardless of the policy, because this version does not know '{kind}': {count}"
