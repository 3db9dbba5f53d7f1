"""Installs Prometheus's promtool, which checks rules, queries and metrics, into the tests' cache.

It is that of the machine's own distribution: there is no wheel of it. apt checks its signature, and
offers one version at a time, so that none can be pinned.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.cache import cached

_PACKAGE = "prometheus"


class AptMissing(Exception):
    """This machine has no apt, from which promtool comes."""


def promtool() -> Path:
    """Return the program, after installing it if need be; nothing of the machine's is changed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        message = "promtool comes from Debian's package 'prometheus', and there is no apt here"
        raise AptMissing(message)
    return cached("promtool/apt", _build) / "promtool"


def _build(fresh: Path, home: Path) -> None:
    del home
    with tempfile.TemporaryDirectory(dir=fresh) as temporary:
        folder = Path(temporary)
        try:
            _apt(folder, "download", _PACKAGE)
        except subprocess.CalledProcessError:  # a container's lists of packages may be removed
            lists = folder / "lists" / "partial"
            lists.mkdir(parents=True)
            own = (f"-oDir::State::Lists={lists.parent}", f"-oDir::Cache={folder}")
            _apt(folder, *own, "update")
            _apt(folder, *own, "download", _PACKAGE)
        (package,) = folder.glob(f"{_PACKAGE}_*.deb")
        subprocess.run(["dpkg", "-x", str(package), str(folder / "x")], check=True)
        (folder / "x" / "usr" / "bin" / "promtool").rename(fresh / "promtool")


def _apt(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["apt-get", "-qq", "-oAPT::Sandbox::User=", *arguments],
        cwd=folder,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )


if __name__ == "__main__":
    sys.stdout.write(f"{promtool()}\n")
