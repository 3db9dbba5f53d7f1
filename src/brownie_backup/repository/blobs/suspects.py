"""What the next backup must not reuse, although it is there."""

from datetime import datetime, timedelta

from brownie_backup.format.layout import name_in
from brownie_backup.model import Backup
from brownie_backup.protocols import StoredObject

SURELY_LATER = timedelta(hours=1)
"""A blob that was written so long after a verification was not what that found, whatever the
clocks of store and clients are apart. One stored again sooner is stored once more, no harm."""


class SuspectFinder:
    """Knows by the catalogue which blobs the next backup has to store again.

    Those that a verification found damaged, unless they have been stored since; and those that
    have another size than a manifest says, unless another manifest agrees with it.
    """

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._others: dict[str, set[int]] = {}  # few: a set for each blob would be much
        self._damaged: dict[str, datetime] = {}

    def add(self, backup: Backup) -> None:
        """Take in what a backup and its verification say of its blobs."""
        verification = backup.verification
        if verification:
            at = verification.verified_at
            for name in verification.damaged_blobs:
                self._damaged[name] = max(at, self._damaged.get(name, at))
        if backup.manifest is None:
            return
        resized = verification.resized if verification else {}
        for blob in backup.manifest.blobs:
            for size in {blob.stored_bytes, resized.get(blob.name, blob.stored_bytes)}:
                if self._first.setdefault(blob.name, size) != size:
                    self._others.setdefault(blob.name, set()).add(size)

    def suspects(self, blob: StoredObject) -> bool:
        """Whether a blob in the store is to be stored again."""
        name = name_in(blob.key)
        verified_at = self._damaged.get(name)
        if verified_at and blob.modified_at < verified_at + SURELY_LATER:
            return True
        first = self._first.get(name, blob.size_bytes)
        return first != blob.size_bytes and blob.size_bytes not in self._others.get(name, ())
