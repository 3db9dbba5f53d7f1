"""The moment from which on a backup exists."""

from functools import partial

from brownie_backup.errors import Busy, DamagedError, KeyNotFound, LeaseLost
from brownie_backup.hints import BackupHint
from brownie_backup.model import Manifest
from brownie_backup.protocols import Store
from brownie_backup.repository import Lease, Repository
from brownie_backup.repository.catalogue.manifests import add_as_is, copy_lists


def commit(
    repository: Repository, manifest: Manifest, lease: Lease, source: Store | None = None
) -> None:
    """Make a backup exist, all of whose blobs were stored, or found, under a lease.

    Whoever sweeps while the manifest is on its way does not see it. That takes a machine, or a
    network, that stands still just then for longer than the lease lives; so the clock is asked
    afterwards once more.

    Args:
        repository: where to.
        manifest: with all its blobs.
        lease: held since before the blobs were stored.
        source: a store from which the manifest is copied as it is, and not written anew.

    Raises:
        BackupExists: the name is taken.
        LeaseLost: a sweep may have taken blobs meanwhile. There is no such backup, or none that
            is known to be whole.
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


def _confirm(repository: Repository, manifest: Manifest) -> None:
    """See that nothing of a backup was swept, while nobody sweeps; or take the backup back."""
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
    """Whether it is there and not whole. Nobody counts on such a one, so it may go."""
    try:
        ours = repository.manifest(manifest.name).id == manifest.id
    except KeyNotFound:
        return False  # somebody has deleted it since
    except DamagedError:
        return True  # its lists of blobs were swept as well
    return ours and not {blob.name for blob in manifest.blobs} <= repository.blob_sizes().keys()
