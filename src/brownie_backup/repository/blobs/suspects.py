"""Blobs that the next backup must not reuse, although they are there."""

from datetime import datetime, timedelta

from brownie_backup.format.layout import name_in
from brownie_backup.model import Backup
from brownie_backup.protocols import StoredObject

SURELY_LATER = timedelta(hours=1)
"""A blob written this long after a verification is not the one that the verification found, even if
the clocks of store and clients differ. A blob stored again sooner is stored once more, which does
no harm."""


class SuspectFinder:
    """Finds, from the catalogue, the blobs that the next backup has to store again.

    These are blobs that a verification found damaged, unless they have been stored again since; and
    blobs whose size differs from a manifest's record, unless another manifest agrees with it.
    """

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        # few: a set for each blob would take too much memory
        self._others: dict[str, set[int]] = {}
        self._damaged: dict[str, datetime] = {}

    def add(self, backup: Backup) -> None:
        """Take in the record of a backup and its verification about its blobs."""
        verification = backup.verification
        if verification:
            at = verification.verified_at
            for name in verification.damaged_blobs:
                self._damaged[name] = max(at, self._damaged.get(name, at))
        if backup.manifest is None:
            return
        first = self._first
        for part in backup.manifest.parts:
            for blob in part.blobs:
                if first.setdefault(blob.name, blob.stored_bytes) != blob.stored_bytes:
                    self._others.setdefault(blob.name, set()).add(blob.stored_bytes)
        for name, size in verification.resized.items() if verification else ():
            if first.get(name, size) != size:
                self._others.setdefault(name, set()).add(size)

    def suspects(self, blob: StoredObject) -> bool:
        """Whether a blob in the store must be stored again."""
        name = name_in(blob.key)
        verified_at = self._damaged.get(name)
        if verified_at and blob.modified_at < verified_at + SURELY_LATER:
            return True
        first = self._first.get(name, blob.size_bytes)
        return first != blob.size_bytes and blob.size_bytes not in self._others.get(name, ())
