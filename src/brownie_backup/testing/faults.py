"""A store that fails when it is told to."""

import threading
from collections.abc import Iterator

from brownie_backup.errors import StoreUnavailable
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, Store, StoredObject


class FaultyStore:
    """Passes calls on to another store, counts them, and fails one of them.

    Args:
        inner: the store that does the work.
        fail_at: which call fails, counted from 1; None lets all of them pass.
        error: the exception that the call raises.
        after: whether it raises after the inner call has taken effect, like a lost response; a
            listing then fails at its end, not at its beginning.
    """

    def __init__(
        self,
        inner: Store,
        fail_at: int | None = None,
        error: BaseException | None = None,
        *,
        after: bool = False,
    ) -> None:
        self.calls: list[tuple[str, str]] = []
        """Method and key (or prefix) of every call so far, the failed one too."""
        self.put_bytes = 0
        """How many bytes the inner store has taken."""
        self.failed = False
        """Whether the error has been raised."""
        self._inner = inner
        self._fail_at = fail_at
        self._error = error or StoreUnavailable("this call fails on purpose")
        self._after = after
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address of the inner store."""
        return self._inner.url

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` in the inner store."""
        chosen = self._begin("put", key)
        self._fail_if(chosen and not self._after)
        self._inner.put(key, data, if_absent=if_absent, use=use)
        with self._lock:
            self.put_bytes += len(data)
        self._fail_if(chosen)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the object from the inner store."""
        chosen = self._begin("get", key)
        self._fail_if(chosen and not self._after)
        data = self._inner.get(key, most_bytes)
        self._fail_if(chosen)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store. The call counts at once; it fails while it is iterated."""
        return self._listing(prefix, chosen=self._begin("list", prefix))

    def delete(self, key: str) -> None:
        """Remove an object from the inner store."""
        chosen = self._begin("delete", key)
        self._fail_if(chosen and not self._after)
        self._inner.delete(key)
        self._fail_if(chosen)

    def _listing(self, prefix: str, *, chosen: bool) -> Iterator[StoredObject]:
        self._fail_if(chosen and not self._after)
        yield from self._inner.list(prefix)
        self._fail_if(chosen)

    def _begin(self, method: str, key: str) -> bool:
        """Count a call; return whether it is the one that fails."""
        with self._lock:
            self.calls.append((method, key))
            return len(self.calls) == self._fail_at

    def _fail_if(self, now: bool) -> None:  # noqa: FBT001 - its name says what it means
        if now:
            self.failed = True
            raise self._error
