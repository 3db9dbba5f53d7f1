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
"""A blob younger than this stays, whatever the roots say: a second line behind the leases."""

_CHECK_EVERY = 100
_NAME = re.compile(r"[0-9a-f]{64}")


class Roots(Protocol):
    """What the objects of one kind refer to; manifests are one kind.

    It is asked while the sweep holds the store alone.
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
    """What a sweep removed, or would remove."""

    blobs: int = 0
    size_bytes: int = 0
    locked_blobs: int = 0
    """Those that no root names either, but that the store keeps until a date."""
    problem: str = ""
    """Why nothing was removed: a root could not be read."""


@define
class ReferencedBlobs:
    """The names that roots hold, of blobs and of lists of blobs alike.

    Of each only the hash is kept, a fifth of the memory. Should the hashes of two names be the
    same, a blob stays that could go.
    """

    _names: set[int] = field(factory=set, init=False)

    def add(self, names: Iterable[str]) -> None:
        """Take in what a root names."""
        self._names.update(map(hash, names))

    def others(self, store: Store, before: datetime) -> Iterator[StoredObject]:
        """Yield the blobs and lists of blobs that are older and not named.

        What else is below their prefixes is not ours to judge: a later version may keep it there.
        """
        for prefix, key_of in ((BLOBS, blob_key), (BLOB_LISTS, blob_list_key)):
            for found in store.list(prefix):
                name = name_in(found.key)
                ours = _NAME.fullmatch(name) and found.key == key_of(name)
                if ours and found.modified_at <= before and hash(name) not in self._names:
                    yield found


def sweep(
    store: Store,
    roots: Iterable[Roots],
    *,
    lease: Lease | None,
    now: datetime,
    margin: timedelta = SWEEP_MARGIN,
    on_progress: OnCount | None = None,
) -> Swept:
    """Remove blobs older than `margin` that no root names; with no `lease`, only count them.

    The caller got the lease before: what the roots say now stays so until the end.
    """
    live = ReferencedBlobs()
    try:
        for root in roots:
            live.add(root(store))
    except (DamagedError, UnsupportedFormat) as error:
        return Swept(problem=error.message)
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
