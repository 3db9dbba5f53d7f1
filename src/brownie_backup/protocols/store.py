"""Where objects are kept."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import frozen

from brownie_backup.errors import DamagedError, StoreError
from brownie_backup.format.limits import MOST_OBJECT_BYTES, most_bytes_of
from brownie_backup.hints import BackupHint


class Availability(StrEnum):
    """Whether an object can be read, as far as a listing shows it."""

    READABLE = "readable"
    FOR_A_TIME = "for a time"
    """It is in an archive class, and was retrieved: a copy of it can be read for some days."""
    ARCHIVED = "archived"
    """It was moved to an archive class, and must be retrieved with the service's own tools."""


@frozen
class StoredObject:
    """An entry of a store's listing."""

    key: str
    size_bytes: int
    modified_at: datetime
    availability: Availability = Availability.READABLE


@frozen
class Page:
    """A page of a store's listing, and the token for the next page."""

    objects: tuple[StoredObject, ...]
    next_token: str | None
    """None after the last page."""


class ObjectUse(StrEnum):
    """The use of an object: a store may treat each use in its own way."""

    BACKUP = "backup"
    """A part of a backup: never changed, and rarely read. A store with object lock locks it, and a
    store with storage classes puts it into the configured class."""
    RECORD = "record"
    """A record of the audit trail: never changed, and often read. Object lock locks it too."""
    STATE = "state"
    """An object that is replaced or removed soon, such as a lease: never locked."""


class Store(Protocol):
    r"""Holds objects under keys.

    A key is one or more segments joined by ``/``; a segment is 1 to 200 printable ASCII characters
    other than ``/`` and ``\``, and does not begin with a dot. Every method may be called from
    several threads at once, and raises nothing but `StoreError`, `KeyExists` and, from `get`,
    `DamagedError`. A call tries once: `StoreUnavailable` says that the same call may succeed later,
    and `brownie_backup.stores.RetryingStore` repeats it.
    """

    @property
    def url(self) -> str:
        """The store's address in messages; it holds no secret."""
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` under `key` atomically; it is durable when this returns.

        With `if_absent`, exactly one of any number of racing calls wins, and the others raise
        `KeyExists`. Without it, the call replaces any existing object. With object lock, the object
        is locked when this returns unless its `use` is `ObjectUse.STATE`.
        """
        ...

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`, or raise `KeyNotFound`.

        An object with more than `most_bytes` raises `DamagedError` (see `too_large`) before it is
        in memory: others may be able to write to the store.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with `prefix`, in no particular order.

        An object created or deleted meanwhile may or may not appear. All others appear exactly
        once. An object replaced meanwhile appears once too, in its old or its new state; otherwise
        a lease that is being renewed could be overlooked.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; succeed if there is none; raise `ObjectLocked` if it must stay."""
        ...


@runtime_checkable
class SupportsObjectLock(Protocol):
    """A store that can keep objects from being deleted before a date (object lock)."""

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be; does nothing if locks are off."""
        ...


@runtime_checkable
class SupportsPaging(Protocol):
    """A store whose listings come in pages: after a failure only the failed page is repeated.

    On an unreliable network, a listing of hundreds of pages that restarts from the beginning might
    never end.
    """

    def list_page(self, prefix: str, token: str | None) -> Page:
        """Return the first page of the listing, or with a `token` the page after it."""
        ...


@runtime_checkable
class SupportsRetry(Protocol):
    """A store that repeats failed calls itself: its calls may take long without hanging."""

    @property
    def repeats_for_seconds(self) -> float:
        """For how long a failed call is repeated."""
        ...


@runtime_checkable
class SupportsClose(Protocol):
    """A store that holds resources between calls, such as connections."""

    def close(self) -> None:
        """Release resources that no call is using; a later call acquires them again."""
        ...


@runtime_checkable
class HasFreeSpace(Protocol):
    """A store that can fill up; `brownie-backup doctor` asks for its free space."""

    def free_bytes(self) -> int:
        """Return how many more bytes can be stored."""
        ...


@runtime_checkable
class SupportsReserve(Protocol):
    """A store that can fill up, and keeps a little space for what a deletion itself writes."""

    def release_reserve(self) -> None:
        """Give the reserved space back, since a deletion begins; never fails."""
        ...

    def keep_reserve(self) -> None:
        """Reserve space again, as far as there is any; never fails for a lack of it."""
        ...


@contextlib.contextmanager
def with_reserve(stores: Iterable[Store]) -> Iterator[None]:
    """Let the block use the reserved space of the stores; a deletion writes before it frees."""
    reserves = [store for store in stores if isinstance(store, SupportsReserve)]
    for each in reserves:
        with contextlib.suppress(StoreError):
            each.release_reserve()
    try:
        yield
    finally:
        for each in reserves:
            keep_reserve(each)


def keep_reserve(store: object) -> None:
    """Reserve space in a store, if it supports that and has any."""
    if isinstance(store, SupportsReserve):
        with contextlib.suppress(StoreError):
            store.keep_reserve()


Clock = Callable[[], datetime]
"""Returns the time now, UTC-aware."""


def get_object(store: Store, key: str) -> bytes:
    """Return an object, if it is no larger than an object of ours under such a key can be.

    Raises:
        KeyNotFound: there is none.
        DamagedError: it is larger, or cannot be an object.
    """
    return store.get(key, most_bytes_of(key))


def too_large(url: str, key: str, most_bytes: int) -> DamagedError:
    """Return the error for an object with more bytes than the caller of `get` accepts."""
    msg = f"'{key}' in {url} has more than {most_bytes} bytes: it was not written by brownie-backup"
    return DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)
