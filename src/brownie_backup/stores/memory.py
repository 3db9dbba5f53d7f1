"""A store in memory: for unit tests, and for injecting faults. Its content is lost at the end."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from brownie_backup.errors import KeyExists, KeyNotFound
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import Clock, ObjectUse, StoredObject, too_large


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """A dict with a lock."""

    def __init__(self, clock: Clock = _utc_now) -> None:
        self._clock = clock
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The store's URL."""
        return "memory:"

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` under `key`."""
        del use  # there are no locks here
        with self._lock:
            if if_absent and key in self._objects:
                msg = f"'{key}' exists in {self.url}"
                raise KeyExists(msg)
            self._objects[key] = (bytes(data), self._clock())

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`."""
        try:
            data = self._objects[key][0]
        except KeyError:
            msg = f"there is no '{key}' in {self.url}"
            raise KeyNotFound(msg) from None
        if len(data) > most_bytes:
            raise too_large(self.url, key, most_bytes)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`."""
        with self._lock:
            found = [(k, v) for k, v in self._objects.items() if k.startswith(prefix)]
        for key, (data, modified_at) in found:
            yield StoredObject(key, len(data), modified_at)

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        with self._lock:
            self._objects.pop(key, None)
