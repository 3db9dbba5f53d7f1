"""What the next backup must not reuse, although it is there."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from brownie_backup.format.layout import BLOBS, name_in
from brownie_backup.model import Backup
from brownie_backup.protocols import Store

SURELY_LATER = timedelta(hours=1)
"""A blob that was written so long after a verification was not what that found, whatever the
clocks of store and clients are apart. One stored again sooner is stored once more, no harm."""


def suspect_blobs(store: Store, backups: Iterable[Backup]) -> frozenset[str]:
    """Return the names of the blobs that the next backup has to store again.

    Those that a verification found damaged, unless they have been stored since; and those that
    have another size than a manifest says, unless another manifest agrees with it.
    """
    sizes = _Sizes()
    damaged: dict[str, datetime] = {}
    for backup in backups:
        sizes.add(backup)
        if found := backup.verification:
            for name in found.damaged_blobs:
                damaged[name] = max(found.verified_at, damaged.get(name, found.verified_at))
    bad = set()
    for blob in store.list(BLOBS):
        name = name_in(blob.key)
        verified_at = damaged.get(name)
        if sizes.contradict(name, blob.size_bytes) or (
            verified_at and blob.modified_at < verified_at + SURELY_LATER
        ):
            bad.add(name)
    return frozenset(bad)


class _Sizes:
    """The sizes that blobs have by the manifests and their verifications."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._others: dict[str, set[int]] = {}  # few: a set for each blob would be much

    def add(self, backup: Backup) -> None:
        """Take in what a backup says of its blobs."""
        if backup.manifest is None:
            return
        resized = backup.verification.resized if backup.verification else {}
        for blob in backup.manifest.blobs:
            for size in {blob.stored_bytes, resized.get(blob.name, blob.stored_bytes)}:
                if self._first.setdefault(blob.name, size) != size:
                    self._others.setdefault(blob.name, set()).add(size)

    def contradict(self, name: str, size_bytes: int) -> bool:
        """Whether a blob of that name should have another size."""
        first = self._first.get(name, size_bytes)
        return first != size_bytes and size_bytes not in self._others.get(name, ())
