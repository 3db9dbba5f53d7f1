"""The protocols on which everything is built, and what each guarantees.

They are small on purpose: a method is here only if an operation calls it. Implementations prove
that they keep these promises by joining the contract tests of `brownie_backup.testing`.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import Factory, frozen

from brownie_backup.model import Database, DatabaseId, Manifest, PartSpec, Relation, WalPosition
from brownie_backup.reports import Finding, RestoredTable, RestoreOptions


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

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Store `data` under `key`, whole or not at all, durable when this returns.

        With `if_absent`, exactly one of any number of racing calls wins, and the others raise
        `KeyExists`; without, it replaces what is there.
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
class CanLock(Protocol):
    """What a store adds that can keep objects from being deleted before a date (object lock)."""

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be; does nothing if locks are off."""
        ...


@runtime_checkable
class HasPages(Protocol):
    """What a store adds whose listings come in pages: then only the page that failed is repeated.

    With a listing of hundreds of pages and an unreliable network, one from the beginning might
    never end.
    """

    def list_page(self, prefix: str, token: str | None) -> Page:
        """Return the first page of what `list` yields, or with a `token` the one after it."""
        ...


@runtime_checkable
class Repeats(Protocol):
    """What a store adds that repeats calls by itself: then they may take long and be well."""

    @property
    def repeats_for_seconds(self) -> float:
        """For how long a call that fails is repeated."""
        ...


@runtime_checkable
class HasFreeSpace(Protocol):
    """What a store adds that can run full; `brownie-backup doctor` asks for it."""

    def free_bytes(self) -> int:
        """Return how many bytes can still be stored."""
        ...


class Cache(Protocol):
    """Remembers small objects of stores on this machine, so that they need not be got again.

    It may forget anything at any time, and never raises: whoever asks it can always ask the store.
    Every method may be called from several threads at once.
    """

    def get(self, found: StoredObject) -> bytes | None:
        """Return what was put for exactly this key, size and time, or None."""
        ...

    def put(self, found: StoredObject, data: bytes) -> None:
        """Remember `data`, in place of what was put for that key."""
        ...

    def known(self) -> frozenset[str]:
        """Return the keys that something is remembered for."""
        ...

    def forget(self, keys: Iterable[str]) -> None:
        """Forget what was put for these keys."""
        ...


class Compressor(Protocol):
    """Maps bytes to fewer bytes and back. One call is one blob, so nothing streams.

    ``decompress(compress(x)) == x``. A cut tail always raises `DamagedError`, and no change makes
    `decompress` return other bytes than the original ones (``none`` can't promise either: there
    the blob's name does). Thread-safe, and releases the GIL for the bulk of the work.
    """

    @property
    def name(self) -> str:
        """What the manifest calls it: ``zstd``, ``gzip``, ``none``."""
        ...

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data` compressed, in memory of its own: that of `data` is used again."""
        ...

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return the original bytes, or raise `DamagedError`; more than `size_limit` is damage."""
        ...


class Encryptor(Protocol):
    """Maps bytes to bytes that only the key's owner can read, and back. Thread-safe.

    Fails closed: `encrypt` returns ciphertext or raises `EncryptionError`. A wrong key, a changed
    byte or a cut tail makes `decrypt` raise `DecryptionError` or `DamagedError`.
    """

    @property
    def method(self) -> str:
        """What the manifest calls it: ``gpg``, ``none``."""
        ...

    def identity(self, salt: bytes) -> str:
        """Name the key, not reveal it: equal for equal keys, and hard to guess a passphrase from.

        It enters the names of blobs, so that a changed key never meets blobs of the old one.
        """
        ...

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` encrypted, or raise `EncryptionError`."""
        ...

    def decrypt(self, data: bytes) -> bytes:
        """Return the authenticated plaintext, all of it, or raise."""
        ...


@frozen
class Unchanged:
    """What is known to be as an earlier backup has it, without reading it again."""

    ranges: Mapping[int, frozenset[int]] = Factory(dict)
    """For the oid of a table, the first blocks of ranges."""
    why_not: str = ""
    """Why nothing is known."""


class Snapshot(Protocol):
    """One consistent state of a database, held while its parts are read."""

    @property
    def database(self) -> Database:
        """What the manifest says of the database."""
        ...

    @property
    def parts(self) -> tuple[PartSpec, ...]:
        """What there is to read."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not in the backup although somebody may expect it, and why."""
        ...

    def unchanged_since(self, base: Manifest) -> Unchanged:
        """Say which ranges of bulk tables have the same bytes as in an earlier backup.

        It may take a while, and another thread may read parts meanwhile. What it does not know
        for certain it leaves out.
        """
        ...

    def wal(self) -> WalPosition | None:
        """Return from where on the next backup can know what has changed; None if it can't."""
        ...


class Reader(Protocol):
    """One worker's way to read parts, one after the other."""

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Yield the part's bytes; return how many rows they are, where rows are counted.

        It raises `DumpFailed` *inside* the iteration when the dump fails, so that no failure can
        look like the end of the data. Closing the iterator ends the work.
        """
        ...


class Target(Protocol):
    """A database being restored. Left by an exception, it leaves the server as it was."""

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Say what is missing, before anything is changed. `archive_bytes` may need room here."""
        ...

    def receive(self, parts: Iterable[tuple[PartSpec, Iterable[bytes]]]) -> tuple[Finding, ...]:
        """Take the parts that are no tables, and say what would be loaded; change nothing.

        What an iterable yields has been authenticated; an exception that it raises is passed on.
        """
        ...

    def load(
        self, tables: Mapping[int, Iterator[tuple[PartSpec, Iterable[bytes]]]]
    ) -> tuple[Finding, ...]:
        """Make a fresh database and load everything; `RestoreFailed` has all that went wrong.

        `tables` has, for the oid of each bulk table, the ranges of its rows, in order. Any thread
        may take the next one from an iterator, but no two at once, and may then read it beside
        others. What is not taken is not fetched.
        """
        ...

    def finish(self) -> tuple[Finding, ...]:
        """Check what was loaded, analyse it, and put it into its place."""
        ...

    @property
    def relations(self) -> Mapping[int, Relation]:
        """What the bulk tables to load are called, by their oids.

        They are known after `preflight`, or if not everything was asked for, after `receive`.
        """
        ...

    @property
    def replaced_database(self) -> str | None:
        """The name under which the database that was in the way is kept, after `finish`."""
        ...

    @property
    def created_roles(self) -> tuple[str, ...]:
        """The roles that were created on the server."""
        ...

    @property
    def tables(self) -> tuple[RestoredTable, ...]:
        """The tables that were asked for, after `load`; none, if everything was."""
        ...


class Dumper(Protocol):
    """Reads a database, part by part, and loads its own parts back."""

    @property
    def kind(self) -> str:
        """What kind of backup this makes: ``logical``."""
        ...

    def database_name(self) -> str:
        """Return the name of the database, asking the server when nothing else says it."""
        ...

    def database_id(self) -> DatabaseId:
        """Return which database it is, by asking the server: as the manifest will say."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a consistent snapshot; leaving it ends every session and child process."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Begin to read parts of any snapshot that is held, in this process or another.

        Several may read at once, each with a reader of its own.
        """
        ...

    def check(self, part: PartSpec, chunks: Iterable[bytes]) -> None:
        """Read a stored part to its end without loading it; raise `DamagedError` if it is bad."""
        ...

    def restoring(
        self, source: Database, target_database: str, options: RestoreOptions, token: str
    ) -> AbstractContextManager[Target]:
        """Begin a restore into `target_database`; `token` makes temporary names unique."""
        ...

    def diagnose(self) -> Iterator[Finding]:
        """Yield what would make a backup fail or be incomplete, and what is fine."""
        ...


Clock = Callable[[], datetime]
"""Returns the time now, UTC-aware."""
