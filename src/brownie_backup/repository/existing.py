"""A store that takes nothing before it has a repository: an unmounted disk is an empty folder."""

from brownie_backup.errors import BucketNotFound
from brownie_backup.format.layout import IDENTITY, MANIFESTS
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import HasFreeSpace, ObjectUse, Store
from brownie_backup.repository.passing import PassingStore


def require_existing(store: Store) -> "ExistingStore":
    """Return a store to which nothing is written unless it has a repository already."""
    return _MeasuredStore(store) if isinstance(store, HasFreeSpace) else ExistingStore(store)


class ExistingStore(PassingStore):
    """Passes calls on to another store, and refuses the first write if it has no repository.

    It looks once, so each operation has one of its own.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._exists = False

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
        super().put(key, data, if_absent=if_absent, use=use)


class _MeasuredStore(ExistingStore):
    """The same, for a store that knows its free space."""

    def free_bytes(self) -> int:
        """Return the free space of the inner store."""
        return self._inner.free_bytes() if isinstance(self._inner, HasFreeSpace) else 0


def _has_repository(store: Store) -> bool:
    """Whether there is an identity or a backup."""
    return any(True for prefix in (IDENTITY, MANIFESTS) for _ in store.list(prefix))
