"""A file of this host that says which repository a store had: one line with its id."""

import contextlib
import hashlib
import logging
import os
import secrets
from pathlib import Path

_log = logging.getLogger(__name__)

_MOST_BYTES = 200


def open_record(folder: Path, store_url: str) -> "RepositoryFile":
    """Return the record of a store. Nothing is read or written before it is used."""
    name = hashlib.sha256(store_url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return RepositoryFile(folder / "repositories" / name)


class RepositoryFile:
    """Keeps the id of a repository in a file. Without the file, nothing is known.

    The file is no secret and nothing is trusted because of it: at worst it gives a wrong warning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    def read(self) -> str | None:
        """Return the id, or None if none is known."""
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                text = file.read(_MOST_BYTES).decode("ascii", "replace").strip()
        except OSError:
            return None
        return text or None

    def write(self, identifier: str) -> None:
        """Keep the id; if that fails, it is not known at the next run."""
        new = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(f"{identifier}\n", encoding="ascii")
            new.replace(self._path)
        except (OSError, ValueError) as error:
            _log.info("the id of the repository is not kept in %s: %s", self._path, error)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
