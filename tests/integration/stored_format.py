"""Copies of the repositories of `tests/data/stored-format-1`, which earlier versions stored.

`tests/data/make_stored_format_1` made them, and says what is in them.
"""

import json
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from attrs import field, frozen
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server

DATA = Path(__file__).parents[1] / "data" / "stored-format-1"
EXPECTED: dict[str, Any] = json.loads((DATA / "expected.json").read_bytes())
REPOSITORIES: dict[str, dict[str, Any]] = EXPECTED["repositories"]
DATABASE: str = EXPECTED["database"]
PASSPHRASE: str = EXPECTED["passphrase"]
PRIVATE_KEY = DATA / "private.asc"
DUMPS = {
    ("by-public-key", "first"): "first",
    ("by-public-key", "second"): "second",
    ("by-public-key", "listed"): "listed",
    ("by-passphrase", "only"): "listed",
    ("in-clear", "resized"): "older",
    ("in-clear", "uncompressed"): "older",
}
"""For the good backups, but for one, the plain dump of the same data."""

_KEYS = {
    "by-public-key": {"BACKUP_GPG_PRIVATE_KEY_FILE": str(PRIVATE_KEY)},
    "by-passphrase": {"BACKUP_PASSPHRASE": PASSPHRASE},
    "in-clear": {"BACKUP_ENCRYPTION": "false", "BACKUP_COMPRESSION": "gzip"},
}
_OTHER_KEYS = ("BACKUP_GPG_PRIVATE_KEY_FILE", "BACKUP_PASSPHRASE")
_AGE_SECONDS = 3 * 24 * 3600
_OF_REST = ("operations/", "cancellations/", "claims/")


@frozen
class Stored:
    """A copy of a repository, and the command line for it."""

    name: str
    cli: Cli
    before: dict[str, bytes] = field()

    @before.default
    def _now(self) -> dict[str, bytes]:
        return contents(self.cli.store)

    @property
    def expected(self) -> dict[str, Any]:
        """What must be found in it."""
        return REPOSITORIES[self.name]

    def changed(self) -> set[str]:
        """Return the keys of the objects that have been changed or removed since it was copied."""
        now = contents(self.cli.store)
        return {key for key, data in self.before.items() if now.get(key) != data}

    def added(self) -> set[str]:
        """Return the keys of the objects that were not in it."""
        return contents(self.cli.store).keys() - self.before.keys()


def copy_of(name: str, server: Server, folder: Path) -> Stored:
    """Copy a repository; the database has the name that it had, on another server."""
    shutil.copytree(DATA / name, folder / "store")
    _date(folder / "store")
    env = cli_for(server, DATABASE, folder).env
    ours = {key: value for key, value in env.items() if key not in _OTHER_KEYS}
    return Stored(name, Cli(ours | {"BACKUP_PARALLEL_JOBS": "1"} | _KEYS[name]))


def contents(store: Path) -> dict[str, bytes]:
    """Return all objects of a store in a folder."""
    found = {str(path.relative_to(store)): path for path in store.rglob("*") if path.is_file()}
    return {key: path.read_bytes() for key, path in found.items() if not key.startswith(".")}


def prefixes(keys: Collection[str]) -> set[str]:
    """Return the first segments of keys, with their slashes."""
    return {key[: key.find("/") + 1] or key for key in keys}


def subset(expected: object, found: object) -> bool:
    """Whether all that is expected is there; objects may have further fields."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and subset(expected[key], found[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(subset, expected, found))
    return expected == found


def _date(store: Path) -> None:
    """Date the files, as Git does not: the store's clock says whether leases have expired.

    Records of REST operations are removed when they are 30 days old: they get the present date.
    """
    now = time.time()
    for key in contents(store):
        at = now if key.startswith(_OF_REST) else now - _AGE_SECONDS
        os.utime(store / key, (at, at))
