"""Copy backups between stores, as far as each store's policy keeps them."""

from collections.abc import Sequence

from brownie_backup.model.reports import StoreSync
from brownie_backup.pipeline.catch_up import catch_up
from brownie_backup.pipeline.progress import Meter, OnProgress
from brownie_backup.pipeline.replicas import open_replicas
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.retention.policy import RetentionPolicy


def sync_backups(
    repositories: Sequence[Repository],
    *,
    policies: Sequence[RetentionPolicy] | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[StoreSync, ...]:
    """Copy to each store the backups that it lacks and its policy keeps, and replace bad blobs.

    Nothing is read from a database, nothing is decrypted, and nothing is deleted. A store that
    fails does not affect the others; the report says which stores failed.

    Args:
        repositories: all stores, in the order in which they are read.
        policies: which backups each of them keeps, in the same order; by default, the default
            policy.
        on_progress: called with stored bytes.

    Raises:
        BackupError: every store failed.
    """
    with open_replicas(with_deadlines(repositories)) as replicas:
        return catch_up(replicas, policies, Meter(on_progress, "sync", None))
