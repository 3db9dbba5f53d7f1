"""Running the command as a user does: a process of its own, with an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from attrs import frozen
from tests.integration import forked
from tests.servers.running import Server
from tests.unit.keys import plain_pair

PASSPHRASE = "planted-passphrase-Zü7"


@frozen
class Result:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@frozen
class Cli:
    """The command ``brownie-backup`` with a store, a database and a key."""

    env: dict[str, str]

    def run(self, *arguments: str, **more: str) -> Result:
        """Run a command to its end."""
        env = self.env | more
        if forked.can_run(env):
            return Result(*forked.run(arguments, env))
        done = subprocess.run(
            self._argv(arguments), check=False, capture_output=True, encoding="utf-8", env=env
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, **more: str) -> dict[str, Any]:
        """Run a command that must succeed; return its document. What only reads may warn."""
        result = self.run(*arguments, "--json", **more)
        may_warn = arguments[0] in {"list", "status"}
        assert result.status in ({0, 3} if may_warn else {0}), (arguments, result)
        return result.json

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            self._argv(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=self.env | more,
        )

    def backups(self) -> dict[str, str]:
        """Return each backup's status."""
        return {b["name"]: b["status"] for b in self.json("list")["backups"]}

    def by_passphrase(self) -> "Cli":
        """Return the same that encrypts by its passphrase."""
        key = "BACKUP_GPG_PRIVATE_KEY_FILE"
        return Cli({name: value for name, value in self.env.items() if name != key})

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return Path(self.env["BACKUP_DESTINATION"])

    def blobs(self) -> dict[Path, int]:
        """Return the sizes of the blobs in the store."""
        return {path: path.stat().st_size for path in self.store.glob("blobs/*/*")}

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "brownie_backup_cli", *arguments]


def cli_for(server: Server, database: str, folder: Path) -> Cli:
    """Return a command line with a store, a home and a temporary folder below `folder`.

    It encrypts for a key, which costs little: a passphrase is stretched anew for each blob.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BACKUP_", "GNUPG"))}
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    key = folder / "private.asc"
    key.write_text(plain_pair().private.reveal())
    settings = {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "BACKUP_DESTINATION": str(folder / "store"),
        "BACKUP_GPG_PRIVATE_KEY_FILE": str(key),
        "BACKUP_PASSPHRASE": PASSPHRASE,
        "BACKUP_DATABASE_URL": server.url(database),
        "BACKUP_PG_BIN": str(server.client),
    }
    return Cli(kept | settings)


def finish(process: subprocess.Popen[str], limit: float = 60) -> Result:
    """Wait for a command to end; return how it did."""
    out, err = process.communicate(timeout=limit)
    return Result(process.returncode, out, err)


def children(process: subprocess.Popen[str], name: str) -> Iterator[psutil.Process]:
    """Yield the programs of that name which a command has started, at work on a database."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            # Not those that are only asked for their version.
            if child.name() == name and "--version" not in child.cmdline():
                yield child
        except psutil.Error:
            continue
