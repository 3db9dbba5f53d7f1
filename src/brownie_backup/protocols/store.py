"""Where objects are kept."""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import frozen


@frozen
class StoredObject:
    """An entry of a store's listing."""

    key: str
    size_bytes: int
    modified_at: datetime


@frozen
class Page:
    """A part of a store's listing, and what to ask for the next part with."""

    objects: tuple[StoredObject, ...]
    next_token: str | None
    """None after the last page."""


class ObjectUse(StrEnum):
    """What an object is stored for: a store may treat each use in its own way."""

    BACKUP = "backup"
    """A part of a backup: never changed, and seldom read. A store with object lock locks it, and
    one with storage classes puts it into the class that is configured."""
    RECORD = "record"
    """A record of the audit trail: never changed, and read often. Object lock locks it too."""
    STATE = "state"
    """It is replaced or removed soon, such as a lease: never locked."""


class Store(Protocol):
    r"""Holds objects under keys.

    A key is one or more segments joined by ``/``; a segment is 1 to 200 printable ASCII
    characters other than ``/`` and ``\``, and does not begin with a dot. Every method may be
    called from several threads at once, and raises nothing but `StoreError` and `KeyExists`.
    It tries once: `StoreUnavailable` says that the same call may succeed later, and
    `brownie_backup.stores.RetryingStore` repeats it.
    """

    @property
    def url(self) -> str:
        """Where this store is, for people; without any secret."""
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` under `key`, whole or not at all, durable when this returns.

        With `if_absent`, exactly one of any number of racing calls wins, and the others raise
        `KeyExists`; without, it replaces what is there. With object lock, the object is locked
        when this returns unless its `use` is `ObjectUse.STATE`.
        """
        ...

    def get(self, key: str) -> bytes:
        """Return the bytes under `key`, or raise `KeyNotFound`."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with `prefix`, in no particular order.

        What is created or deleted meanwhile may or may not appear; all else appears exactly once,
        what is replaced too: as it was, or as it is. Otherwise a lease that is renewed just then
        would be overlooked.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; succeeds when there is none; `ObjectLocked` if it must stay."""
        ...


@runtime_checkable
class SupportsObjectLock(Protocol):
    """What a store adds that can keep objects from being deleted before a date (object lock)."""

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be; does nothing if locks are off."""
        ...


@runtime_checkable
class SupportsPaging(Protocol):
    """What a store adds whose listings come in pages: then only the page that failed is repeated.

    With a listing of hundreds of pages and an unreliable network, one from the beginning might
    never end.
    """

    def list_page(self, prefix: str, token: str | None) -> Page:
        """Return the first page of what `list` yields, or with a `token` the one after it."""
        ...


@runtime_checkable
class SupportsRetry(Protocol):
    """What a store adds that repeats calls by itself: then they may take long and be well."""

    @property
    def repeats_for_seconds(self) -> float:
        """For how long a call that fails is repeated."""
        ...


@runtime_checkable
class SupportsClose(Protocol):
    """What a store adds that holds something between calls, such as connections."""

    def close(self) -> None:
        """Let go of what no call uses at the moment; a later call makes it anew."""
        ...


@runtime_checkable
class HasFreeSpace(Protocol):
    """What a store adds that can run full; `brownie-backup doctor` asks for it."""

    def free_bytes(self) -> int:
        """Return how many bytes can still be stored."""
        ...


Clock = Callable[[], datetime]
"""Returns the time now, UTC-aware."""
