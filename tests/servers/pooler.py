"""Brings pgbouncer into the cache of the tests, where Debian's packages can be had."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.cache import cached

_APT = ("apt-get", "--quiet", "--yes", "--no-install-recommends")


def pgbouncer() -> tuple[str, str]:
    """Return the program, and the folder of libraries that it needs besides the system's.

    The system's own is taken if it has one; else the packages are unpacked, not installed.
    """
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found:
        return found, ""
    home = cached("pgbouncer", _build)
    (library,) = home.glob("usr/lib/*-linux-gnu*")
    return str(home / "usr" / "sbin" / "pgbouncer"), str(library)


def _build(fresh: Path, home: Path) -> None:
    del home
    packages = fresh / "packages"
    (packages / "partial").mkdir(parents=True)
    archives = f"Dir::Cache::archives={packages}"
    options = ("--reinstall", "--download-only", "--option", archives)
    download = (*_APT, *options, "install", "pgbouncer")
    if _run(*download).returncode != 0:  # a fresh container has no lists of packages
        _run(*_APT, "update")
        _run(*download).check_returncode()
    for package in packages.glob("*.deb"):
        _run("dpkg", "--extract", str(package), str(fresh)).check_returncode()
    (fresh / "usr" / "lib").mkdir(exist_ok=True)
    shutil.rmtree(packages)


def _run(*argv: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
