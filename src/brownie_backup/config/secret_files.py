"""The files that settings came from, which may change under a running process: secrets rotate."""

import os

from brownie_backup.config.settings import Settings

Stamp = tuple[int, int, int, int] | None
"""What changes when a file is replaced or written; None if there is no such file."""


def file_stamps(settings: Settings) -> tuple[Stamp, ...]:
    """Return the stamps of the files that ``BACKUP_…_FILE`` variables name."""
    sources = (source.partition("_FILE=") for source in settings.sources.values())
    return tuple(_stamp(path) for path in sorted({path for _, file, path in sources if file}))


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - it follows links: Kubernetes exchanges one
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
