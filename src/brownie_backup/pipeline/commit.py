"""The commit: the moment from which on a backup exists."""

from functools import partial

from brownie_backup.errors import Busy, DamagedError, KeyNotFound, LeaseLost
from brownie_backup.hints import BackupHint
from brownie_backup.model import Manifest
from brownie_backup.protocols import Store, keep_reserve
from brownie_backup.repository import Lease, Repository
from brownie_backup.repository.catalogue.manifests import add_as_is, copy_lists


def commit(
    repository: Repository, manifest: Manifest, lease: Lease, source: Store | None = None
) -> None:
    """Make a backup exist after all its blobs were stored, or found, under a lease.

    A sweep that runs while the manifest is being written does not see it. That can only happen if
    the machine or the network stops just then for longer than the lease lives. So the clock is
    checked once more afterwards.

    Args:
        repository: where the backup is stored.
        manifest: the manifest with all its blobs.
        lease: held since before the blobs were stored.
        source: a store from which the manifest is copied as it is, and not written anew.

    Raises:
        BackupExists: the name is taken.
        LeaseLost: a sweep may have removed blobs meanwhile. The backup does not exist, or may be
            incomplete.
    """
    if source is None:
        add = partial(repository.add, repository.add_lists(manifest))
    else:
        data = copy_lists(repository.store, manifest, source)
        add = partial(add_as_is, repository.store, manifest.name, data)
    lease.ensure_held()
    with lease.outlasting():
        add()
    try:
        lease.ensure_fresh()
    except LeaseLost:
        _confirm(repository, manifest)
    keep_reserve(repository.store)


def _confirm(repository: Repository, manifest: Manifest) -> None:
    """Check that no blob of a backup was swept, while no sweep runs; or remove the backup again."""
    name = manifest.name
    lost = f"the lease on {repository.store.url} was lost while '{name}' was being finished"
    try:
        with repository.shared_lease(f"check of '{name}'") as lease:
            if not _lacks_blobs(repository, manifest):
                lease.ensure_fresh()
                return
            lease.ensure_held()
            with lease.outlasting():
                repository.remove(name)
    except Busy:
        msg = f"{lost}: it exists, but a cleanup may have deleted blobs of it"
        raise LeaseLost(msg, hint=BackupHint.LIST_AND_RUN_AGAIN) from None
    raise LeaseLost(
        f"{lost}, and a cleanup deleted blobs of it: it was removed", hint=BackupHint.RUN_AGAIN
    )


def _lacks_blobs(repository: Repository, manifest: Manifest) -> bool:
    """Whether the backup is there and not whole.

    Such a backup is of no use, so it may be removed.
    """
    try:
        ours = repository.manifest(manifest.name).id == manifest.id
    except KeyNotFound:
        return False  # another process has deleted it since
    except DamagedError:
        return True  # its lists of blobs were swept too
    return ours and not {blob.name for blob in manifest.blobs} <= repository.blob_sizes().keys()
