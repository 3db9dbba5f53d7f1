"""Several stores in memory, with names; some hang, some are away."""
# ruff: noqa: D102 - the methods are those of the protocol

import threading
from collections.abc import Callable, Iterator

from tests.unit.fakes import FakeClock, make_repository

from brownie_backup import Repository
from brownie_backup.errors import StoreUnavailable
from brownie_backup.format.layout import BLOB_LISTS, BLOBS, MANIFESTS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import Clock, ObjectUse, Store, StoredObject
from brownie_backup.stores import MemoryStore

Chosen = Callable[[str, str], bool]


class NamedStore(MemoryStore):
    """A store in memory that people can tell from others."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(clock)
        self._name = name

    @property
    def url(self) -> str:
        return f"memory:{self._name}"


class Wrapper:
    """Passes calls on to another store, after `before` has been told of each."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @property
    def url(self) -> str:
        return self.inner.url

    def before(self, method: str, key: str) -> None:
        """Do something before a call."""

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        self.before("put", key)
        self.inner.put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        self.before("get", key)
        return self.inner.get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.before("list", prefix)
        yield from self.inner.list(prefix)

    def delete(self, key: str) -> None:
        self.before("delete", key)
        self.inner.delete(key)


class HangingStore(Wrapper):
    """Does not answer the calls that are chosen, until it is released."""

    def __init__(self, inner: Store, chosen: Chosen) -> None:
        super().__init__(inner)
        self._chosen = chosen
        self.released = threading.Event()
        self.hanging = 0

    def before(self, method: str, key: str) -> None:
        if self._chosen(method, key) and not self.released.is_set():
            self.hanging += 1
            self.released.wait(60)


class AwayStore(Wrapper):
    """Is out of reach while it is said to be."""

    def __init__(self, inner: Store, *, away: bool = True) -> None:
        super().__init__(inner)
        self.away = away
        self.refused = 0

    def before(self, method: str, key: str) -> None:
        del method, key
        if self.away:
            self.refused += 1
            msg = f"{self.url} is out of reach"
            raise StoreUnavailable(msg)


def named(*names: str, clock: Clock | None = None) -> tuple[NamedStore, ...]:
    """Return stores of these names."""
    clock = clock or FakeClock()
    return tuple(NamedStore(name, clock) for name in names)


def repositories(*stores: Store, clock: Clock | None = None) -> tuple[Repository, ...]:
    """Return a repository in each store."""
    clock = clock or FakeClock()
    return tuple(make_repository(store, clock=clock) for store in stores)


def content(store: Store) -> dict[str, bytes]:
    """Return all that backups are made of."""
    prefixes = (BLOBS, BLOB_LISTS, MANIFESTS)
    return {found.key: store.get(found.key) for p in prefixes for found in store.list(p)}


def blob_puts(method: str, key: str) -> bool:
    """Choose the puts of blobs."""
    return method == "put" and key.startswith(BLOBS)
