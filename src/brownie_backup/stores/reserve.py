"""A file that keeps space free: on a full disk, deleting backups must be possible too.

A deletion is recorded in the audit trail before it begins, and takes a lease. Both need some space.
"""

import contextlib
import os
import secrets
from pathlib import Path

RESERVE_BYTES = 1 << 20
_LEFT_BYTES = 32 << 10
"""As much stays free beside the file, for the record of the end of the deletion."""


def release(path: Path) -> None:
    """Remove the file."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def keep(path: Path, free_bytes: int) -> None:
    """Make the file as large as it should be, or as the disk allows."""
    with contextlib.suppress(OSError):  # it is of use only sometimes
        size = path.lstat().st_size if path.exists() else 0
        lacking = min(RESERVE_BYTES - size, free_bytes - _LEFT_BYTES)
        if lacking <= 0:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as file:
            # File systems that compress would store zeros in no space.
            file.write(secrets.token_bytes(lacking))
