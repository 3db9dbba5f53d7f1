"""A cache in one SQLite file for each store, below a folder of the user's own."""

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TypeVar

from brownie_backup.caches.private_folder import ensure_private
from brownie_backup.protocols import StoredObject

_log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_BYTES = 1 << 30
"""The size limit of the file. Objects that no longer fit are read from the store each time."""

_PATIENCE_SECONDS = 0.2
"""How long to wait, once, for another process that has the file locked."""
_SEAL_BYTES = 16
_BATCH = 500
_BATCH_BYTES = 1 << 20
_TABLE = "CREATE TABLE IF NOT EXISTS objects (key BLOB PRIMARY KEY, version TEXT, data BLOB)"
_ABSURD = (ValueError, OverflowError, MemoryError)
"""Other effects of a damaged file: text that is not UTF-8, lengths of many gigabytes."""
_Row = tuple[object, ...]
_NONE: Sequence[_Row] = ()
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}


def open_cache(folder: Path, store_url: str, *, most_bytes: int = MOST_BYTES) -> "SqliteCache":
    """Return the cache of a store. Nothing is read or written before it is used.

    Args:
        folder: created when needed. The file is in a folder of its own in it, for its owner alone.
        store_url: identifies the store; it is not written to the file.
        most_bytes: the size limit of the file.
    """
    name = hashlib.sha256(store_url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return SqliteCache(folder / "catalogues" / f"{name}.sqlite", most_bytes)


class SqliteCache:
    """Keeps objects in a file; after an error it works without the file, as far as necessary.

    The file may be removed at any time. It has a rollback journal and no write-ahead log, because
    the log's files would outlive the removed file.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._writable = True
        self._pending: dict[str, tuple[str, bytes]] = {}
        self._pending_bytes = 0

    @property
    def works(self) -> bool:
        """Whether there has been no error yet."""
        return self._usable and self._writable

    def close(self) -> None:
        """Close the file; unwritten objects are lost."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None
            self._usable = self._writable = False
            self._pending.clear()

    def get(self, found: StoredObject) -> bytes | None:
        """Return the data cached for exactly this key, size and time, or None."""
        return self.get_many((found,)).get(found.key)

    def get_many(self, found: Collection[StoredObject]) -> Mapping[str, bytes]:
        """Return the data cached for exactly these keys, sizes and times, as far as it is there."""
        wanted = {_bytes(each.key): each for each in found}

        def look(connection: sqlite3.Connection) -> Mapping[str, bytes]:
            return dict(_found(connection, wanted))

        return self._try(look, {})

    def put(self, found: StoredObject, data: bytes) -> None:
        """Cache `data`; it is written later, together with other objects."""
        if not self._writable:
            return
        version = _version(found)
        sealed = _seal(data, _bytes(found.key), version) + data

        def add(connection: sqlite3.Connection) -> None:
            self._pending[found.key] = (version, sealed)
            self._pending_bytes += len(sealed)
            if len(self._pending) >= _BATCH or self._pending_bytes >= _BATCH_BYTES:
                self._flush(connection)

        self._try(add, None)

    def known(self) -> frozenset[str]:
        """Return the keys of all cached objects."""

        def look(connection: sqlite3.Connection) -> Sequence[_Row]:
            self._flush(connection)
            return connection.execute("SELECT key FROM objects").fetchall()

        rows = self._try(look, _NONE)
        return frozenset(_text(key) for (key,) in rows if isinstance(key, bytes))

    def forget(self, keys: Iterable[str]) -> None:
        """Forget the objects cached under these keys."""
        rows = [(_bytes(key),) for key in keys]

        def remove(connection: sqlite3.Connection) -> None:
            self._flush(connection)
            self._write(connection, "DELETE FROM objects WHERE key = ?", rows)

        if rows:
            self._try(remove, None)

    def _flush(self, connection: sqlite3.Connection) -> None:
        rows = [(_bytes(key), *value) for key, value in self._pending.items()]
        self._pending.clear()
        self._pending_bytes = 0
        if rows and self._writable:
            self._write(connection, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", rows)

    def _write(self, connection: sqlite3.Connection, statement: str, rows: Sequence[_Row]) -> None:
        """Run it for all rows or for none. After a failure only reading goes on.

        This happens when the disk is full, or another process writes for a long time.
        """
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(statement, rows)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # some errors end it by themselves
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if _is_broken(error):
                raise
            self._writable = False
            _log.info("nothing more is put into the cache %s: %s", self._path, error)

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Return the result of `work` on the connection; after an error, `otherwise`."""
        with self._lock:
            if not self._usable:
                return otherwise
            try:
                if self._connection is None:
                    self._connection = self._connect()
                return work(self._connection)
            except (sqlite3.Error, OSError, *_ABSURD) as error:
                self._give_up(error)
                return otherwise

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ensure_private(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        os.close(os.open(self._path, flags, 0o600))
        self._path.chmod(0o600)
        connection = sqlite3.connect(
            self._path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            # Damage after a power loss is noticed, so writes need not reach the disk.
            for pragma in ("journal_mode = DELETE", "synchronous = OFF"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            ((page_bytes,),) = connection.execute("PRAGMA page_size").fetchall()
            limit = f"PRAGMA max_page_count = {self._most_bytes // page_bytes}"
            connection.execute(limit).fetchall()
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        weakref.finalize(self, connection.close)
        return connection

    def _give_up(self, error: Exception) -> None:
        _log.info("the cache %s is not used: %s", self._path, error)
        self._usable = self._writable = False
        self._pending.clear()
        with contextlib.suppress(sqlite3.Error):
            if self._connection:
                self._connection.close()
        self._connection = None
        if _is_broken(error):
            with contextlib.suppress(OSError):
                self._path.unlink()


def _bytes(key: str) -> bytes:
    """Return a key as stored in the file. A local folder may hold names that are not UTF-8."""
    return key.encode("utf-8", "surrogateescape")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _version(found: StoredObject) -> str:
    return f"{found.size_bytes} {found.modified_at.astimezone(UTC).isoformat()}"


def _found(
    connection: sqlite3.Connection, wanted: Mapping[bytes, StoredObject]
) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and data of the wanted objects that are cached, several by one statement."""
    keys = [*wanted]
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        marks = ", ".join("?" * len(some))
        query = f"SELECT key, version, data FROM objects WHERE key IN ({marks})"  # noqa: S608 - marks
        for key, version, sealed in connection.execute(query, some):
            found = wanted.get(key)
            if found and isinstance(sealed, bytes) and version == _version(found):
                seal, data = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
                if seal == _seal(data, key, version):
                    yield found.key, data


def _seal(data: bytes, key: bytes, version: str) -> bytes:
    """Return a checksum. A damaged index leads to the data of another key, and SQLite has none."""
    seal = hashlib.blake2b(data, digest_size=_SEAL_BYTES)
    seal.update(b"\0".join((key, version.encode())))
    return seal.digest()


def _is_broken(error: Exception) -> bool:
    """Whether the file itself is bad, so that a new file is the remedy."""
    code = getattr(error, "sqlite_errorcode", 0)
    return (code & 0xFF) in _BROKEN or isinstance(error, _ABSURD)
