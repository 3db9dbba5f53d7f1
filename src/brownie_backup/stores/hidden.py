"""File systems that hide a file which is open while its name goes to another file.

Most FUSE file systems and NFS clients rename such a file to a hidden name first, and then the new
file to its name. So for a moment there is no file of that name: a hold that is being replaced would
not be found.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

_HIDDEN = (".fuse_hidden", ".nfs")
_LOOK_SECONDS = 0.005
_LOOKS = 40
"""A hidden file may stay for as long as another process has it open."""


def read_replaced(path: Path, read: Callable[[Path], bytes | None]) -> bytes | None:
    """Return what `read` returns; if there is no such file for a moment, try again."""
    for _ in range(_LOOKS):
        try:
            return read(path)
        except FileNotFoundError:
            if not _hides(path.parent):
                break
            time.sleep(_LOOK_SECONDS)
    return read(path)


def scan_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder by name, those too that had no name for a moment."""
    entries = {entry.name: entry for entry in os.scandir(folder)}
    if any(name.startswith(_HIDDEN) for name in entries):
        time.sleep(_LOOK_SECONDS)
        entries |= {entry.name: entry for entry in os.scandir(folder)}
    return [entries[name] for name in sorted(entries)]


def _hides(folder: Path) -> bool:
    try:
        return any(each.name.startswith(_HIDDEN) for each in folder.iterdir())
    except OSError:
        return False
