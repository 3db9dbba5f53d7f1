"""The sweep: removes blobs that no manifest names."""

from datetime import datetime, timedelta

from attrs import frozen

from brownie_backup.model import Manifest
from brownie_backup.protocols import Store
from brownie_backup.repository.layout import BLOB_LISTS, BLOBS, name_in
from brownie_backup.repository.leases import Lease, remove_expired

SWEEP_MARGIN = timedelta(hours=24)
"""A blob younger than this stays, whatever the manifests say: a second line behind the leases."""

_CHECK_EVERY = 100


@frozen
class Swept:
    """What a sweep removed, or would remove."""

    blobs: int
    size_bytes: int


def sweep(
    store: Store,
    manifests: tuple[Manifest, ...],
    *,
    lease: Lease | None,
    now: datetime,
    margin: timedelta = SWEEP_MARGIN,
) -> Swept:
    """Remove unnamed blobs older than `margin`; with no `lease`, only count them.

    The caller read every manifest after it got the lease, or gives none.
    """
    lists = {name for m in manifests for part in m.parts for name in part.blob_lists}
    live = {blob.name for manifest in manifests for blob in manifest.blobs}
    count = size = 0
    for prefix, keep in ((BLOBS, live), (BLOB_LISTS, lists)):
        for found in store.list(prefix):
            if name_in(found.key) in keep or now - found.modified_at < margin:
                continue
            if lease:
                if count % _CHECK_EVERY == 0:
                    lease.ensure_held()
                lease.ensure_fresh()
                store.delete(found.key)
            count += 1
            size += found.size_bytes
    if lease:
        remove_expired(store, now)
    return Swept(count, size)
