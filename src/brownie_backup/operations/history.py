"""The history of a database's last backups: when one succeeded, and what failed."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from brownie_backup.audit.reader import read_trail
from brownie_backup.audit.record import AuditRecord, Outcome, Phase
from brownie_backup.errors import Busy, DamagedError, StoreError
from brownie_backup.model import Attempt, Backup, Kind, is_ahead
from brownie_backup.operations.guards import is_running, shows_success
from brownie_backup.repository import Repository
from brownie_backup.repository.catalogue.holds import read_attempt

_RECORDS = 20
"""How far back the audit trail is read: a cleanup comes after each backup."""
_NO_FAILURES = (Busy.__name__, "TerminatedBySignal")
"""Reasons to postpone a cleanup: other running operations, and a signal."""


@frozen
class History:
    """The history of the last backups of one kind of a database.

    Instants are in UTC; None for never.
    """

    last_good: Backup | None = None
    """The newest good backup that is encrypted, if new ones are."""
    attempt: Attempt | None = None
    """The last backup that was started."""
    backup_failed: bool = False
    """Whether the last attempt has ended without a good backup."""
    backup_running: bool = False
    """Whether the last attempt still runs."""
    last_verified_at: datetime | None = None
    verification_failed: bool = False
    """Whether the last verification found damage."""
    retention_failed: bool = False
    """Whether the policy could not be applied the last time, in some store or in all of them."""

    @property
    def last_success_at(self) -> datetime | None:
        """When the last good backup was finished."""
        manifest = self.last_good.manifest if self.last_good else None
        return manifest.finished_at if manifest else None


def read_history(
    repositories: Sequence[Repository], database: str | None, kind: str = Kind.LOGICAL
) -> History:
    """Return the history of the last backups, from the first store that answers.

    Args:
        repositories: the primary one first.
        database: the name of the database; None for any.
        kind: the kind of backups.

    Raises:
        StoreError: no store answers.
    """
    problem: StoreError | None = None
    for repository in repositories:
        try:
            return _read(repository, database, kind)
        except StoreError as error:
            problem = problem or error
    raise problem or AssertionError


def _read(repository: Repository, database: str | None, kind: str) -> History:
    backups = [
        backup
        for backup in repository.backups(check_blobs=False)
        if (manifest := backup.manifest)
        and manifest.kind == kind
        and database in {None, manifest.backup_set.name}
    ]
    expects = repository.codecs.expects
    last_good = next((b for b in backups if b.counts and b.manifest and expects(b.manifest)), None)
    known = last_good.manifest.backup_set.name if last_good and last_good.manifest else None
    attempt = _attempt(repository, database or known, kind)
    made = attempt is None or shows_success(attempt, backups, expects)
    running = not made and is_running(attempt, repository.leases(), repository.clock())
    now = repository.clock()
    verifications = [
        found
        for backup in backups
        if (found := backup.verification) and not is_ahead(found.verified_at, now)
    ]
    last = max(verifications, key=lambda each: each.verified_at, default=None)
    return History(
        last_good,
        attempt,
        not made and not running,
        running,
        last.verified_at if last else None,
        last is not None and not last.good,
        _retention_failed(repository, database or known),
    )


def _retention_failed(repository: Repository, database: str | None) -> bool:
    """Ask the audit trail: nothing else in a store records work that was not done."""
    records = read_trail(repository.store, repository.clock(), limit=_RECORDS)
    last = next((each for each in reversed(records) if _is_cleanup(each, database)), None)
    return last is not None and (last.outcome != Outcome.SUCCESS or bool(last.not_done_in))


def _is_cleanup(record: AuditRecord, database: str | None) -> bool:
    """Whether it records the end of a cleanup that ran, and was not only postponed."""
    return (
        record.action == "cleanup"
        and record.phase == Phase.END
        and not record.dry_run
        and record.error_type not in _NO_FAILURES
        and record.database in {None, database}
    )


def _attempt(repository: Repository, database: str | None, kind: str) -> Attempt | None:
    if database is None:
        return None
    try:
        return read_attempt(repository.store, database, kind)
    except DamagedError:
        return None
