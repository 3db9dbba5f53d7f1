"""Which blobs one store has, as far as a run knows."""

import threading
from collections.abc import Iterable, Mapping

from brownie_backup.errors import KeyExists, KeyNotFound
from brownie_backup.format.layout import BLOBS, blob_key, name_in
from brownie_backup.model import Backup
from brownie_backup.protocols import ObjectUse, Store, StoredObject, SupportsObjectLock
from brownie_backup.repository.blobs.suspects import SuspectFinder


class BlobIndex:
    """The blobs of one store, looked for one by one or by one listing of all. Thread-safe.

    What a run has seen or put stays there while it holds its lease: nobody removes a blob then.

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
        """Take in what a backup says of its blobs, before they are looked for."""
        self._finder.add(backup)

    def list_blobs(self) -> None:
        """Take in what is there, by one listing of all blobs, unless that was done."""
        if self._listed:
            return
        self._listed = True
        for found in self.store.list(BLOBS):
            self._see(name_in(found.key), found)
        self._finder = SuspectFinder()  # which knows every blob, and is no longer needed

    def whole(self, name: str) -> int | None:
        """Return the size of a blob that was seen, or put; None if it is missing or suspect."""
        return None if name in self.suspect_blobs else self.sizes.get(name)

    def find(self, name: str) -> int | None:
        """Return a blob's size; None if it is not there, 0 if what is there is to be replaced."""
        if name in self.suspect_blobs:
            return 0
        size = self.sizes.get(name)
        if size is not None:
            return size
        found = self._look(name)
        return None if found is None else self._see(name, found)

    def put(self, name: str, packed: bytes, *, replace: bool) -> tuple[int, bool]:
        """Store a blob; return its size and whether we did, or another client since we looked."""
        try:
            self.store.put(blob_key(name), packed, if_absent=not replace, use=ObjectUse.BACKUP)
        except KeyExists:
            found = self._look(name)
            size, ours = found.size_bytes if found else len(packed), False
        else:
            size, ours = len(packed), True
        with self._lock:
            self.sizes[name] = size
            self.suspect_blobs.discard(name)
        return size, ours

    def keep(self, name: str) -> None:
        """Lock a blob that is used again for as long as a new one would be."""
        if isinstance(self.store, SupportsObjectLock):
            try:
                self.store.extend_lock(blob_key(name))
            except KeyNotFound:
                self.sizes.pop(name, None)
                raise

    def take_sizes(self) -> Mapping[str, int]:
        """Return the sizes that are known, and forget them: somebody else remembers them."""
        taken = {}
        while self.sizes:
            name, size = self.sizes.popitem()
            taken[name] = size
        return taken

    def _see(self, name: str, found: StoredObject) -> int:
        """Take in a blob that is there, and return its size, or 0 if it is to be replaced.

        What is known of it counts for more: it may have been put since we looked.
        """
        with self._lock:
            if name not in self.sizes:
                if self._finder.suspects(found):
                    self.suspect_blobs.add(name)
                self.sizes[name] = found.size_bytes
            return 0 if name in self.suspect_blobs else self.sizes[name]

    def _look(self, name: str) -> StoredObject | None:
        key = blob_key(name)
        return next((found for found in self.store.list(key) if found.key == key), None)
