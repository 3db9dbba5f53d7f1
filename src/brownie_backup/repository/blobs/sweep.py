"""The sweep: removes blobs that no root names."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from attrs import define, field, frozen

from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.errors import DamagedError, ObjectLocked, UnsupportedFormat
from brownie_backup.format.layout import BLOB_LISTS, BLOBS, blob_key, blob_list_key, name_in
from brownie_backup.model.reports import CountProgress, OnCount
from brownie_backup.protocols import Store, StoredObject
from brownie_backup.repository.coordination.leases import Lease, remove_expired

SWEEP_MARGIN = timedelta(hours=24)
"""A younger blob stays, regardless of the roots: a second safeguard besides the leases."""

_CHECK_EVERY = 100
_NAME = re.compile(r"[0-9a-f]{64}")


class Roots(Protocol):
    """The references of one kind of objects; manifests are one kind.

    It is read while the sweep holds the exclusive lease.
    """

    def __call__(self, store: Store, /) -> Iterable[str]:
        """Return the names of blobs, and of lists of blobs, that must stay.

        Raises:
            DamagedError, UnsupportedFormat: one of the objects can't be read. It may refer to any
                blob, so nothing is swept.
        """
        ...


@frozen
class Swept:
    """The blobs that a sweep removed, or would remove."""

    blobs: int = 0
    size_bytes: int = 0
    locked_blobs: int = 0
    """Blobs that no root names either, but that the store keeps until a date."""
    problem: str = ""
    """Why nothing was removed: a root could not be read."""
    young_blobs: int = 0
    """Blobs that no root names either, but that are too young to be removed."""
    young_bytes: int = 0


@define
class ReferencedBlobs:
    """The names in the roots, of blobs and of lists of blobs.

    Only the hash of each name is kept, in a fifth of the memory. If two names have the same hash, a
    blob is kept that could be removed.
    """

    _names: set[int] = field(factory=set, init=False)
    young_blobs: int = field(default=0, init=False)
    """How many of the blobs that were looked through are not named, but too young."""
    young_bytes: int = field(default=0, init=False)

    def add(self, names: Iterable[str]) -> None:
        """Take in the names that a root refers to."""
        self._names.update(map(hash, names))

    def others(self, store: Store, before: datetime) -> Iterator[StoredObject]:
        """Yield the blobs and lists of blobs that are older and not named.

        Other objects below their prefixes are left alone: a later version may keep them there.
        """
        for prefix, key_of in ((BLOBS, blob_key), (BLOB_LISTS, blob_list_key)):
            for found in store.list(prefix):
                name = name_in(found.key)
                ours = _NAME.fullmatch(name) and found.key == key_of(name)
                if not ours or hash(name) in self._names:
                    continue
                if found.modified_at <= before:
                    yield found
                else:
                    self.young_blobs += 1
                    self.young_bytes += found.size_bytes


def sweep(
    store: Store,
    roots: Iterable[Roots],
    *,
    lease: Lease | None,
    now: datetime,
    margin: timedelta = SWEEP_MARGIN,
    on_progress: OnCount | None = None,
) -> Swept:
    """Remove blobs older than `margin` that no root names; without a `lease`, only count them.

    The caller already holds the lease, so the roots don't change until the end.
    """
    live = ReferencedBlobs()
    try:
        for root in roots:
            live.add(root(store))
    except (DamagedError, UnsupportedFormat) as error:
        return Swept(problem=error.message)
    rubbish = live.others(store, now - margin)
    # If nothing is to be removed, do not test whether a blob is locked.
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
    young = (live.young_blobs, live.young_bytes)
    return Swept(blobs, size, locked, "", *young)


def _delete(
    store: Store, rubbish: Iterator[StoredObject], lease: Lease
) -> Iterator[tuple[StoredObject, bool]]:
    """Delete several at once; yield each object, and whether it is gone.

    Before every batch, when no delete is running, check the lease in the store. Before every single
    delete, check the clock.
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
