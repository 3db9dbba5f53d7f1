"""The blobs that one store is known to have, during a run."""

import threading
from collections.abc import Iterable, Mapping

from brownie_backup.errors import KeyExists, KeyNotFound
from brownie_backup.format.layout import BLOBS, blob_in, blob_key
from brownie_backup.model import Backup
from brownie_backup.protocols import ObjectUse, Store, StoredObject, SupportsObjectLock
from brownie_backup.repository.blobs.suspects import SuspectFinder
from brownie_backup.repository.catalogue.sizes import not_for_long, size_of


class BlobIndex:
    """The blobs of one store, found one by one or by one listing of all. Thread-safe.

    A blob that a run has seen or put stays there while the run holds its lease: no other process
    removes blobs then.

    Args:
        store: where they are.
        suspect_blobs: names of blobs in it that are known to be damaged.
    """

    def __init__(self, store: Store, suspect_blobs: Iterable[str] = ()) -> None:
        self.store = store
        self.suspect_blobs = {*suspect_blobs}
        self.sizes: dict[str, int] = {}
        """The stored size of each blob that was seen or put, of suspect ones too."""
        self._finder = SuspectFinder()
        self._listed = False
        self._lock = threading.Lock()

    def expect(self, backup: Backup) -> None:
        """Take in a backup's record of its blobs, before they are looked up."""
        self._finder.add(backup)

    def list_blobs(self) -> None:
        """Take in all existing blobs by one listing, unless that was done."""
        if self._listed:
            return
        self._listed = True
        for found in self.store.list(BLOBS):
            if name := blob_in(found.key):
                self._see(name, found)
        self._finder = SuspectFinder()  # it knew every blob, and is no longer needed

    def whole(self, name: str) -> int | None:
        """Return the size of a blob that was seen or put; None if it is missing or suspect."""
        return None if name in self.suspect_blobs else self.sizes.get(name)

    def find(self, name: str) -> int | None:
        """Return a blob's size; None if it is missing, 0 if the existing one must be replaced."""
        if name in self.suspect_blobs:
            return 0
        size = self.sizes.get(name)
        if size is not None:
            return size
        found = self._look(name)
        return None if found is None else self._see(name, found)

    def put(self, name: str, packed: bytes, *, replace: bool) -> tuple[int, bool]:
        """Store a blob; return its size, and whether we stored it, not another client."""
        try:
            self.store.put(blob_key(name), packed, if_absent=not replace, use=ObjectUse.BACKUP)
        except KeyExists:
            found = self._look(name)
            size, ours = size_of(found) if found else len(packed), False
        else:
            size, ours = len(packed), True
        with self._lock:
            self.sizes[name] = size
            self.suspect_blobs.discard(name)
        return size, ours

    def keep(self, name: str) -> None:
        """Lock a blob that is reused for as long as a new one would be."""
        if isinstance(self.store, SupportsObjectLock):
            try:
                self.store.extend_lock(blob_key(name))
            except KeyNotFound:
                self.sizes.pop(name, None)
                raise

    def take_sizes(self) -> Mapping[str, int]:
        """Return the known sizes, and forget them: the caller keeps them."""
        taken = {}
        while self.sizes:
            name, size = self.sizes.popitem()
            taken[name] = size
        return taken

    def _see(self, name: str, found: StoredObject) -> int:
        """Take in an existing blob, and return its size, or 0 if it must be replaced.

        A size that is already known takes precedence: the blob may have been put since we looked.
        """
        with self._lock:
            if name not in self.sizes:
                if not_for_long(found) or self._finder.suspects(found):
                    self.suspect_blobs.add(name)
                self.sizes[name] = size_of(found)
            return 0 if name in self.suspect_blobs else self.sizes[name]

    def _look(self, name: str) -> StoredObject | None:
        key = blob_key(name)
        return next((found for found in self.store.list(key) if found.key == key), None)
