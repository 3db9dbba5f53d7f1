"""Naming a file if the name is free, on file systems with hard links and on those without.

A hard link is made by one process only, however many race for its name. Where there are none, such
as on exFAT, some SMB shares and most FUSE file systems, a process first claims the name: it makes
an empty file beside it with `O_EXCL`, which one process only can make. It then looks whether the
name is free, renames its file to it, and gives the claim up. The claim is held for the moment of
one rename, since the file was written before.

A process that dies in that moment leaves its claim behind: another one breaks it after a minute.
A process that stood still for as long gives up, unless it stands still just between its last look
at its claim and the rename.
"""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_log = logging.getLogger(__name__)

CLAIM_SECONDS = 60.0
"""A claim that is older has been left behind."""
_WAIT_SECONDS = 10.0
"""How long to wait for another process to give up its claim."""
_LOOK_SECONDS = 0.02
_NOT_ABOUT_LINKS = {
    errno.EDQUOT,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EROFS,
    errno.ESTALE,
}
"""Errors that would be the same without hard links. File systems that have none answer with nearly
any other, such as EPERM, EACCES, EMLINK, EIO or EXDEV."""


def name_once(unfinished: Path, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Give a file its name if that is free; return whether that was done by a hard link.

    Args:
        unfinished: the file, with all its content; it may be gone afterwards.
        path: its name, in a folder that exists.
        sleep: waits while another process claims the name.

    Raises:
        FileExistsError: another process was first.
        OSError: it could not be done.
    """
    try:
        os.link(unfinished, path)
    except OSError as error:
        # Over a network, only the answer may have been lost.
        if _links(unfinished) > 1:
            return True
        if error.errno == errno.EEXIST or error.errno in _NOT_ABOUT_LINKS:
            raise
        _log.debug("no hard link at %s: %s", path, error)
    else:
        return True
    with _claim(unfinished, path, sleep) as ensure_held:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        ensure_held()
        unfinished.replace(path)
    return False


def _links(path: Path) -> int:
    try:
        return path.stat().st_nlink
    except OSError:
        return 0


@contextlib.contextmanager
def _claim(
    unfinished: Path, path: Path, sleep: Callable[[float], None]
) -> Iterator[Callable[[], None]]:
    """Hold the claim to a name; yield a function that raises if it was broken meanwhile."""
    claim = path.with_name(f".{path.name}.claim")
    began = time.monotonic()
    while True:
        try:
            descriptor = os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            break
        except FileExistsError:
            if _is_left(claim, unfinished):
                _break(claim, unfinished)
            elif time.monotonic() - began < _WAIT_SECONDS:
                sleep(_LOOK_SECONDS)
            else:
                raise OSError(errno.ETIMEDOUT, "another process is writing it") from None
    held = os.fstat(descriptor)
    os.close(descriptor)
    began = time.monotonic()

    def ensure_held() -> None:
        if time.monotonic() - began > CLAIM_SECONDS / 2 or not _is_same(claim, held):
            raise OSError(errno.ETIMEDOUT, "it took too long, and another process may write it")

    try:
        yield ensure_held
    finally:
        with contextlib.suppress(OSError):
            if _is_same(claim, held):
                claim.unlink()


def _is_left(claim: Path, unfinished: Path) -> bool:
    """Whether a claim was left behind, by the clock of the file system."""
    try:
        return unfinished.stat().st_mtime - claim.stat().st_mtime > CLAIM_SECONDS
    except FileNotFoundError:
        return False  # given up just now


def _break(claim: Path, unfinished: Path) -> None:
    """Remove a claim. Of several that do so, one may remove a new claim: its holder then fails."""
    aside = unfinished.with_name(f"{unfinished.name}.claim")
    with contextlib.suppress(FileNotFoundError):
        claim.replace(aside)
        aside.unlink()


def _is_same(claim: Path, held: os.stat_result) -> bool:
    try:
        now = claim.stat()
    except OSError:
        return False
    return (now.st_ino, now.st_mtime_ns) == (held.st_ino, held.st_mtime_ns)
