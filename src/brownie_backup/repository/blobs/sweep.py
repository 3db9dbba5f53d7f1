"""The sweep: removes blobs that no manifest names."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from attrs import define, field, frozen

from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import ObjectLocked
from brownie_backup.format.layout import BLOB_LISTS, BLOBS, name_in
from brownie_backup.model import Manifest
from brownie_backup.model.reports import CountProgress, OnCount
from brownie_backup.protocols import Store, StoredObject
from brownie_backup.repository.coordination.leases import Lease, remove_expired

SWEEP_MARGIN = timedelta(hours=24)
"""A blob younger than this stays, whatever the manifests say: a second line behind the leases."""

_CHECK_EVERY = 100


@frozen
class Swept:
    """What a sweep removed, or would remove."""

    blobs: int = 0
    size_bytes: int = 0
    locked_blobs: int = 0
    """Those that no backup names either, but that the store keeps until a date."""


@define
class ReferencedBlobs:
    """The names that manifests hold.

    Of each only the hash is kept, a fifth of the memory. Should the hashes of two names be the
    same, a blob stays that could go.
    """

    _blobs: set[int] = field(factory=set, init=False)
    _lists: set[int] = field(factory=set, init=False)

    def add(self, manifest: Manifest) -> None:
        """Take in what a manifest names."""
        for part in manifest.parts:
            self._lists.update(map(hash, part.blob_lists))
            self._blobs.update(hash(blob.name) for blob in part.blobs)

    def others(self, store: Store, before: datetime) -> Iterator[StoredObject]:
        """Yield the blobs and lists of blobs that are older and not named."""
        for prefix, named in ((BLOBS, self._blobs), (BLOB_LISTS, self._lists)):
            for found in store.list(prefix):
                if found.modified_at <= before and hash(name_in(found.key)) not in named:
                    yield found


def sweep(
    store: Store,
    live: ReferencedBlobs,
    *,
    lease: Lease | None,
    now: datetime,
    margin: timedelta = SWEEP_MARGIN,
    on_progress: OnCount | None = None,
) -> Swept:
    """Remove unnamed blobs older than `margin`; with no `lease`, only count them.

    The caller took the names from every manifest, and read those after it got the lease.
    """
    rubbish = live.others(store, now - margin)
    # Nobody tries whether a blob is locked when nothing is to be removed.
    outcomes = _delete(store, rubbish, lease) if lease else ((found, True) for found in rubbish)
    blobs = size = locked = 0
    for found, gone in outcomes:
        if gone:
            blobs += 1
            size += found.size_bytes
        else:
            locked += 1
        if on_progress:
            on_progress(CountProgress("sweep", blobs))
    if lease:
        remove_expired(store, now)
    return Swept(blobs, size, locked)


def _delete(
    store: Store, rubbish: Iterator[StoredObject], lease: Lease
) -> Iterator[tuple[StoredObject, bool]]:
    """Delete several at once; yield each, and whether it is gone.

    Before every batch, when no delete is on its way, the lease is looked at in the store; before
    every single one, the clock.
    """

    def delete(found: StoredObject) -> tuple[StoredObject, bool]:
        lease.ensure_fresh()
        try:
            with lease.outlasting():
                store.delete(found.key)
        except ObjectLocked:
            return found, False
        return found, True

    with thread_pool() as threads:
        while batch := tuple(islice(rubbish, _CHECK_EVERY)):
            lease.ensure_held()
            yield from threads.each(delete, batch)
