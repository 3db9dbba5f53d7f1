"""Reading regular files, and nothing else: another user of the folder may put other things there.

A named pipe would make its reader wait for ever, a device may have any effect, and a link leads to
a file that is not in the folder.
"""

import errno
import os
import stat
from pathlib import Path

# Without waiting for the writer of a pipe; a terminal does not become ours.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_IRREGULAR = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class NotRegularError(Exception):
    """It is not a regular file; the message says what it is."""


def read_regular(path: Path, most_bytes: int) -> bytes | None:
    """Return a file's bytes; None if it has more than `most_bytes`.

    Raises:
        NotRegularError: it is neither a regular file nor a folder.
        IsADirectoryError: it is a folder.
    """
    try:
        opened = os.open(path, _FLAGS)
    except OSError as error:
        # A link, a socket, or a device that is not there: none of them is opened.
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP}:
            _refuse(path.lstat().st_mode)
        raise
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        _refuse(found.st_mode)
        if found.st_size > most_bytes:
            return None
        data = file.read(found.st_size + 1)  # one more, in case another process adds to it
    return data if len(data) <= most_bytes else None


def _refuse(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularError(_IRREGULAR.get(stat.S_IFMT(mode), "something else"))
