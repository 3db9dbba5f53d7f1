"""Packages of the machine's own distribution, unpacked into the tests' cache.

apt checks their signatures, and offers one version at a time, so that none can be pinned.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.servers.cache import cached


class AptMissing(Exception):
    """This machine has no apt."""


def unpacked(package: str, take: Callable[[Path, Path], None]) -> Path:
    """Return a folder with some files of a package; nothing of the machine's is changed.

    Args:
        package: its name.
        take: moves files from the unpacked package, its first argument, into its second.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        message = f"this needs files of Debian's package '{package}', and there is no apt here"
        raise AptMissing(message)

    def build(fresh: Path, _: Path) -> None:
        with tempfile.TemporaryDirectory(dir=fresh) as temporary:
            folder = Path(temporary)
            _download(package, folder)
            (archive,) = folder.glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", str(archive), str(folder / "x")], check=True)
            take(folder / "x", fresh)

    return cached(f"{package}/apt", build)


def _download(package: str, folder: Path) -> None:
    try:
        _apt(folder, "download", package)
    except subprocess.CalledProcessError:  # a container's lists of packages may be removed
        lists = folder / "lists" / "partial"
        lists.mkdir(parents=True)
        own = (f"-oDir::State::Lists={lists.parent}", f"-oDir::Cache={folder}")
        _apt(folder, *own, "update")
        _apt(folder, *own, "download", package)


def _apt(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["apt-get", "-qq", "-oAPT::Sandbox::User=", *arguments],
        cwd=folder,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )
