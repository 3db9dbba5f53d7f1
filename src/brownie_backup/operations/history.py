"""What the store knows of the last backups of a database: when one succeeded, and what failed."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from brownie_backup.errors import DamagedError, StoreError
from brownie_backup.model import Attempt, Backup
from brownie_backup.operations.guards import made_good
from brownie_backup.repository import Repository
from brownie_backup.repository.holds import read_attempt


@frozen
class History:
    """How the last backups of a database went. Instants are in UTC; None for never."""

    last_good: Backup | None = None
    """The newest backup that is good."""
    attempt: Attempt | None = None
    """The last one that was begun."""
    backup_failed: bool = False
    """Whether that has not become a good backup (yet)."""
    last_verified_at: datetime | None = None
    verification_failed: bool = False
    """Whether the last verification found damage."""

    @property
    def last_success_at(self) -> datetime | None:
        """When the last good backup was finished."""
        manifest = self.last_good.manifest if self.last_good else None
        return manifest.finished_at if manifest else None


def read_history(repositories: Sequence[Repository], database: str | None) -> History:
    """Return how the last backups went, by the first store that answers.

    Args:
        repositories: the primary one first.
        database: the name of the database; None for any.

    Raises:
        StoreError: none answers.
    """
    problem: StoreError | None = None
    for repository in repositories:
        try:
            return _read(repository, database)
        except StoreError as error:
            problem = problem or error
    raise problem or AssertionError


def _read(repository: Repository, database: str | None) -> History:
    backups = [
        backup
        for backup in repository.backups(check_blobs=False)
        if backup.manifest and database in {None, backup.manifest.database.name}
    ]
    last_good = next((backup for backup in backups if backup.good), None)
    known = last_good.manifest.database.name if last_good and last_good.manifest else None
    attempt = _attempt(repository, database or known)
    verifications = [backup.verification for backup in backups if backup.verification]
    last = max(verifications, key=lambda each: each.verified_at, default=None)
    return History(
        last_good,
        attempt,
        attempt is not None and not any(made_good(attempt, backup) for backup in backups),
        last.verified_at if last else None,
        last is not None and not last.good,
    )


def _attempt(repository: Repository, database: str | None) -> Attempt | None:
    if database is None:
        return None
    try:
        return read_attempt(repository.store, database)
    except DamagedError:
        return None
