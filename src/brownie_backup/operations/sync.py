"""Bring several stores to have the same backups, as far as each one's policy keeps them."""

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
    """Copy to each store the backups that others have and its policy keeps, and bad blobs.

    Nothing is read from a database, nothing is decrypted, and nothing is deleted. A store that
    fails does not keep the others from what they lack: the report says which.

    Args:
        repositories: all stores, in the order in which they are read from.
        policies: which backups each of them keeps, in the same order; by default, the default
            policy.
        on_progress: called with stored bytes.

    Raises:
        BackupError: not even one store could be worked in.
    """
    with open_replicas(with_deadlines(repositories)) as replicas:
        return catch_up(replicas, policies, Meter(on_progress, "sync", None))
