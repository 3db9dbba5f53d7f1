"""Folders that only our user can write to."""

import os
import stat
from pathlib import Path


def ensure_private(folder: Path) -> None:
    """Raise unless we alone can put a file there: what is in it is trusted."""
    found = folder.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & others:
        msg = f"{folder} is not a folder that only we can write to"
        raise PermissionError(msg)
