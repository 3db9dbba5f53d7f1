"""A random key of this host, in a file below the cache's folder. It is in no store."""

import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path

from brownie_backup.caches.private_folder import ensure_private
from brownie_backup.process.key import KEY_BYTES, process_key

_log = logging.getLogger(__name__)


def host_key(folder: Path | None) -> bytes:
    """Return this host's key; it is made when it is first needed.

    Where it can't be kept, it is a key of this process alone. A lost key costs one full reading.

    Args:
        folder: of the cache, or None if there is none.
    """
    if folder is None:
        return process_key()
    path = folder / "host" / "key"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ensure_private(path.parent)
        return _read(path) or _make(path)
    except OSError as error:
        _log.info("the key of this host cannot be kept in %s: %s", path, error)
        return process_key()


def _read(path: Path) -> bytes | None:
    """Return the key, or None if there is none, or none that is whole and ours alone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(file)
        shared = stat.S_IRWXG | stat.S_IRWXO
        ours = found.st_uid == os.geteuid() and not found.st_mode & shared
        key = os.read(file, KEY_BYTES + 1) if stat.S_ISREG(found.st_mode) and ours else b""
    finally:
        os.close(file)
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> bytes:
    """Make the key. Of two processes that do so at once, one reads its own key for one run."""
    key = secrets.token_bytes(KEY_BYTES)
    handle, name = tempfile.mkstemp(dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return key
