"""A store that takes nothing before it has a repository: an unmounted disk is an empty folder."""

from collections.abc import Iterator

from brownie_backup.errors import BucketNotFound
from brownie_backup.format.layout import IDENTITY, MANIFESTS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import (
    HasFreeSpace,
    ObjectUse,
    Store,
    StoredObject,
    SupportsClose,
    SupportsObjectLock,
    SupportsReserve,
    SupportsRetry,
)


def require_existing(store: Store) -> "ExistingStore":
    """Return a store to which nothing is written unless it has a repository already."""
    return _MeasuredStore(store) if isinstance(store, HasFreeSpace) else ExistingStore(store)


class ExistingStore:
    """Passes calls on to another store, and refuses the first write if it has no repository.

    It looks once, so each operation has one of its own.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._exists = False

    @property
    def url(self) -> str:
        """The address of the inner store."""
        return self._inner.url

    @property
    def repeats_for_seconds(self) -> float:
        """For how long the inner store repeats a failed call."""
        return self._inner.repeats_for_seconds if isinstance(self._inner, SupportsRetry) else 0.0

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` in the inner store, if that has a repository."""
        if not self._exists and not _has_repository(self._inner):
            msg = f"{self.url} has no repository, and one is required"
            raise BucketNotFound(msg, hint=StoreHint.MOUNT_OR_ALLOW_NEW)
        self._exists = True
        self._inner.put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the object from the inner store."""
        return self._inner.get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object from the inner store."""
        self._inner.delete(key)

    def extend_lock(self, key: str) -> None:
        """Lock the object for longer, if the inner store has locks."""
        if isinstance(self._inner, SupportsObjectLock):
            self._inner.extend_lock(key)

    def release_reserve(self) -> None:
        """Give the reserved space of the inner store back, if it has any."""
        if isinstance(self._inner, SupportsReserve):
            self._inner.release_reserve()

    def keep_reserve(self) -> None:
        """Let the inner store reserve space again."""
        if isinstance(self._inner, SupportsReserve):
            self._inner.keep_reserve()

    def close(self) -> None:
        """Let the inner store release the resources that it holds between calls."""
        if isinstance(self._inner, SupportsClose):
            self._inner.close()


class _MeasuredStore(ExistingStore):
    """The same, for a store that knows its free space."""

    def free_bytes(self) -> int:
        """Return the free space of the inner store."""
        return self._inner.free_bytes() if isinstance(self._inner, HasFreeSpace) else 0


def _has_repository(store: Store) -> bool:
    """Whether there is an identity or a backup."""
    return any(True for prefix in (IDENTITY, MANIFESTS) for _ in store.list(prefix))
