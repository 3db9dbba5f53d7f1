"""PostgreSQL's client programs: where they are, and which version fits a server."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from attrs import frozen

from brownie_backup.errors import ProgramMissing
from brownie_backup.hints import DatabaseHint

NEEDED = ("psql", "pg_dump", "pg_dumpall", "pg_restore")

# The folders where Debian, Red Hat's PGDG packages, Homebrew and Postgres.app install several
# majors.
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)

SAFE_MINORS = {13: 23, 14: 23, 15: 19, 16: 15, 17: 11, 18: 6}
"""The newest minor release of each major when this was written. Older pg_dump, psql and pg_restore
have known vulnerabilities (CVE-2025-8714, CVE-2025-8715, CVE-2026-6477, …)."""


@frozen(order=True)
class Version:
    """A PostgreSQL version."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@frozen
class Programs:
    """One set of client programs of the same version."""

    folder: Path
    version: Version

    def path(self, program: str) -> str:
        """Return the full path of a program."""
        return str(self.folder / program)

    @property
    def vulnerable(self) -> bool:
        """Whether a newer minor release has security fixes for these programs."""
        return self.version.minor < SAFE_MINORS.get(self.version.major, 0)


def parse_version(text: str) -> Version:
    """Parse a version from ``--version`` or ``server_version`` (``18.6 (Debian …)``)."""
    match = re.search(r"(\d+)(?:\.(\d+)|beta|rc|devel)", text)
    if not match:
        msg = f"'{text.strip()[:80]}' is not a PostgreSQL version"
        raise ProgramMissing(msg, hint=DatabaseHint.INSTALL_PROGRAMS)
    return Version(int(match[1]), int(match[2] or 0))


@cache
def installed_programs(folder: str | None = None) -> tuple[Programs, ...]:
    """Return the installed sets of programs, oldest first.

    Args:
        folder: look only there (``BACKUP_PG_BIN``).
    """
    found = {}
    for candidate in [Path(folder)] if folder else _candidates():
        if all((candidate / program).exists() for program in NEEDED):
            version = _version_of(candidate / "pg_dump")
            if version and version not in found:
                found[version] = Programs(candidate, version)
    return tuple(found[version] for version in sorted(found))


def choose_programs(needed: Version, folder: str | None = None, *, to: str = "dump") -> Programs:
    """Return the oldest programs that are new enough for a server: they fit it best.

    Raises:
        ProgramMissing: none is new enough; the message has both versions and the package to
            install.
    """
    available = installed_programs(folder)
    for programs in available:
        if programs.version.major >= needed.major:
            return programs
    newest = (
        f"the newest installed is {available[-1].version}" if available else "none is installed"
    )
    where = f" in {folder}" if folder else ""
    msg = f"PostgreSQL {needed} needs client programs of {needed.major} or newer to {to}{where}; "
    hint = DatabaseHint.INSTALL_PROGRAMS_OF(major=str(needed.major))
    raise ProgramMissing(msg + newest, hint=hint)


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("pg_dump")
    if on_path:
        # Debian's /usr/bin/pg_dump is a link to a wrapper that chooses for itself; we choose below.
        yield Path(on_path).resolve().parent
    for pattern in _FOLDERS:
        root, _, rest = pattern.partition("*")
        base = Path(root).parent if not root.endswith("/") else Path(root)
        prefix = "" if root.endswith("/") else Path(root).name
        if base.is_dir():
            yield from sorted(base.glob(f"{prefix}*{rest}"))


def _version_of(program: Path) -> Version | None:
    try:
        done = subprocess.run(
            [program, "--version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
            env={k: v for k, v in os.environ.items() if not k.startswith("BACKUP_")},
        )
        return parse_version(done.stdout)
    except (OSError, subprocess.SubprocessError, ProgramMissing):
        return None
