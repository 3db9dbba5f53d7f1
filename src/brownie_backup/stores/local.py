"""A store in a folder: on a local disk, or on a network file system."""

import contextlib
import errno
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from attrs import field, frozen

from brownie_backup.errors import (
    AccessDenied,
    DamagedError,
    KeyExists,
    KeyNotFound,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import BackupHint, StoreHint
from brownie_backup.protocols import ObjectUse, StoredObject, too_large
from brownie_backup.stores import reserve
from brownie_backup.stores.claims import name_once
from brownie_backup.stores.hidden import read_replaced, scan_folder
from brownie_backup.stores.location import Location
from brownie_backup.stores.regular import NotRegularError, read_regular
from brownie_backup.stores.store_type import StoreType

# Segments of keys never begin with a dot, so nothing in here can be confused with an object.
_UNFINISHED = ".unfinished"
_OF_SYSTEMS = {"@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that NAS devices and Windows make in any folder, often not readable for us."""
_RESERVE = ".reserve"
_STALE_SECONDS = 24 * 3600
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""The answers of file systems that sync by themselves, or never: SMB shares, FUSE, VM folders."""

_log = logging.getLogger(__name__)


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


@frozen
class LocalStore:
    """Objects are files, keys are paths below `root`, which is created at the first write.

    A put writes a temporary file, syncs it, renames it in one step, and syncs the folder. Files and
    folders are readable by their owner only.
    """

    root: Path = field(converter=_absolute)
    _warned: threading.Event = field(factory=threading.Event, init=False, eq=False, repr=False)

    @property
    def url(self) -> str:
        """The store's URL."""
        return self.root.as_uri()

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` under `key`."""
        del use  # a folder has no locks
        path = self._path(key)
        with self._errors(f"cannot write '{key}'"):
            if if_absent and path.exists():
                raise FileExistsError
            self._make_folder(path.parent)
            unfinished = self._write_unfinished(data)
            try:
                if if_absent:
                    self._name_once(unfinished, path)
                else:
                    unfinished.replace(path)
            finally:
                with contextlib.suppress(OSError):
                    unfinished.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`."""
        with self._errors(f"cannot read '{key}'"):
            try:
                data = read_replaced(self._path(key), partial(read_regular, most_bytes=most_bytes))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                msg = f"there is no '{key}' in {self.url}"
                raise KeyNotFound(msg) from None
            except NotRegularError as error:
                msg = f"'{key}' in {self.url} is {error}, not a file"
                raise DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY) from None
        if data is None:
            raise too_large(self.url, key, most_bytes)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`.

        What is no regular file, such as a link, is listed as well, so that it is not overlooked;
        `get` refuses it.
        """
        folder, _, _ = prefix.rpartition("/")
        start = self._path(folder) if folder else self.root
        with self._errors("cannot list"):
            yield from self._walk(start, f"{folder}/" if folder else "", prefix)

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        path = self._path(key)
        with self._errors(f"cannot delete '{key}'"):
            with contextlib.suppress(NotADirectoryError, IsADirectoryError):
                path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)

    def free_bytes(self) -> int:
        """Return the free space of the file system."""
        with self._errors("cannot measure free space"):
            return shutil.disk_usage(self.root).free

    def release_reserve(self) -> None:
        """Give the reserved space back to the disk."""
        reserve.release(self.root / _RESERVE)

    def keep_reserve(self) -> None:
        """Reserve space again, as far as there is any."""
        if self.root.is_dir():
            reserve.keep(self.root / _RESERVE, self.free_bytes())

    def _walk(self, folder: Path, at: str, prefix: str) -> Iterator[StoredObject]:
        try:
            entries = scan_folder(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        all_begin_so = at.startswith(prefix)
        for entry in entries:
            name = entry.name
            if not _can_be_key(name):
                continue
            key = at + name
            # Compared up to the shorter of the two: a folder may lead to the prefix.
            if not all_begin_so and not (key + "/").startswith(prefix[: len(key) + 1]):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(folder / name, key + "/", prefix)
            elif all_begin_so or key.startswith(prefix):
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield StoredObject(key, stat.st_size, modified)

    def _path(self, key: str) -> Path:
        if any(s in {"", ".", ".."} or s.startswith(".") or "\0" in s for s in key.split("/")):
            msg = f"'{key}' cannot be a key"
            raise StoreError(msg)
        return self.root / key

    def _write_unfinished(self, data: bytes) -> Path:
        folder = self.root / _UNFINISHED
        self._make_folder(folder)
        _remove_stale(folder)
        path = folder / secrets.token_hex(16)
        try:
            with open(path, "xb", buffering=0, opener=_private) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                _sync(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return path

    def _name_once(self, unfinished: Path, path: Path) -> None:
        if not name_once(unfinished, path) and not self._warned.is_set():
            self._warned.set()
            _log.warning(
                "the file system of %s has no hard links, so names are claimed by files. That is "
                "safe if it creates a file for one process only. If it is one that stores files "
                "elsewhere, such as in a bucket, let only one host back up to it",
                self.url,
            )

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        try:
            if folder != self.root:
                self._make_folder(folder.parent)
                folder.mkdir(mode=0o700, exist_ok=True)
            else:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder") from None
        _sync_folder(folder.parent)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn the operating system's errors into ours."""
        try:
            yield
        except FileExistsError:
            msg = f"{what} in {self.url}: it exists"
            raise KeyExists(msg) from None
        except OSError as error:
            raise _store_error(what, self.url, error) from None


def _open(location: Location) -> LocalStore:
    return LocalStore(location.path)


LOCAL = StoreType(
    scheme="file",
    name="a local folder",
    open=_open,
    provider="local",
    hint=StoreHint.OMIT_OR_OTHER_STORE,
    in_buckets=False,
    retried=False,
)


def _store_error(what: str, url: str, error: OSError) -> StoreError:
    msg = f"{what} in {url}: {error.strerror or error}"
    match error.errno:
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return AccessDenied(msg, hint=StoreHint.RIGHT_TO_WRITE)
        case errno.ENOSPC | errno.EDQUOT:
            return StoreFull(msg, hint=StoreHint.FREE_SPACE)
        case errno.EIO | errno.ESTALE | errno.ENXIO | errno.ETIMEDOUT:
            return StoreUnavailable(msg, hint=StoreHint.CHECK_DISK)
        case _:
            return StoreError(msg, hint=StoreHint.CHECK_FOLDER)


def _can_be_key(name: str) -> bool:
    """Whether a file's name can be part of a key; other files are not ours."""
    usable = name.isascii() and name.isprintable() and name[0] != "."
    return usable and name not in _OF_SYSTEMS


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(descriptor: int) -> None:
    """Write a file or a folder to the disk, where the file system can be asked for that."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        _log.debug("the file system does not sync: %s", error)


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return  # a folder above the store, in which we may make folders and not list them
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _remove_stale(folder: Path) -> None:
    """Remove temporary files that a killed client left behind long ago."""
    now = datetime.now(UTC).timestamp()
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            if now - entry.stat().st_mtime > _STALE_SECONDS:
                Path(entry.path).unlink(missing_ok=True)
