"""Who backs up and restores, as the command lines that a user would type."""

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from tests.benchmarks.databases import SCALE
from tests.servers.running import Server

FLOOR = "two COPYs to nowhere"
CUSTOM = "pg_dump -Fc"
DIRECTORY = "pg_dump -Fd -j2, zstd"
PIPE = "pg_dump, zstd, gpg"
RESTIC = "pg_dump, restic"
OURS = "brownie-backup"
AGAIN = "brownie-backup again, with summaries"
AGAIN_READ = "brownie-backup again, without"
RESTIC_AGAIN = "pg_dump, restic again"
RESTORE = "brownie-backup restore"
RESTORE_TABLE = "brownie-backup restore, small table"
PG_RESTORE = "pg_restore -j2"
PGCOPYDB = "pgcopydb clone"

PUBLIC_KEY, PRIVATE_KEY = "brownie-backup-public.asc", "brownie-backup-private.asc"
RESTORED = "restored"
"""The database that is restored into."""

_PASSPHRASE = "of restic's repository"
_BULK_BYTES = 64 << 20
_SLOW, _SELDOM = 2, 5
_CREATE = f"psql -Xqc 'CREATE DATABASE {RESTORED} TEMPLATE template0'"
_DUMP = "pg_dump -Fc -Z0"


@frozen
class Contestant:
    """A command line, run in the folder of a round."""

    name: str
    command: str
    stores: str | None = None
    """The file or folder that it fills."""
    every: int = 1
    """Run in every how many rounds: those that take long need not be run often."""
    optional: bool = False
    """Others' program, which need not work with our server."""
    environ: dict[str, str] = field(factory=dict)

    def has_turn(self, number: int) -> bool:
        """Tell whether it is run in a round; the first is number 0."""
        return number % self.every == 0


def floor(pages: Mapping[str, int]) -> Contestant:
    """Return what no backup can be faster than: two sessions that read half of each table."""
    halves: tuple[list[str], list[str]] = [], []
    for table, count in pages.items():
        middle = count // 2
        for half, first, last in zip(halves, (0, middle), (middle, count), strict=True):
            rows = f"SELECT * FROM {table} WHERE ctid >= '({first},0)' AND ctid < '({last},0)'"
            half.append(f'-c "COPY ({rows}) TO STDOUT"')
    one, other = (f"psql -Xq {' '.join(half)} > /dev/null" for half in halves)
    serial = {"PGOPTIONS": "-c max_parallel_workers_per_gather=0"}
    return Contestant(FLOOR, f"{one} & first=$!; {other} && wait $first", environ=serial)


def first_backups() -> list[Contestant]:
    """Return who backs up everything."""
    # gpg would compress once more, which would take it longer than all the rest.
    gpg = "gpg --batch --trust-model always --compress-algo none -e -f $BACKUP_GPG_PUBLIC_KEY_FILE"
    directory = "pg_dump -Fd -j2 --compress=zstd:1 -f directory"
    return [
        Contestant(DIRECTORY, directory, "directory"),
        Contestant(OURS, "brownie-backup backup --quiet", "store"),
        Contestant(PIPE, f"{_DUMP} | zstd -q -1 -T0 | {gpg} > piped", "piped"),
        Contestant(CUSTOM, "pg_dump -Fc -f custom", "custom", every=_SLOW),
    ]


def restic(name: str = RESTIC) -> Contestant:
    """Return restic, which finds out itself what it has already."""
    into = "restic backup -q --stdin --stdin-filename dump"
    return Contestant(name, f"{_DUMP} | {into}", "restic", every=_SLOW)


def second_backups(copy: Path) -> tuple[Contestant, Contestant]:
    """Return ours once more: with WAL summaries, and into a copy of the store for without."""
    command = "brownie-backup backup --quiet"
    into = {"BACKUP_DESTINATION": str(copy)}
    return (
        Contestant(AGAIN, command, "store"),
        Contestant(AGAIN_READ, command, copy.name, environ=into),
    )


def restores(private_key: Path) -> list[Contestant]:
    """Return who restores all of it; the first is ours."""
    key = {"BACKUP_GPG_PRIVATE_KEY_FILE": str(private_key)}
    ours = f"brownie-backup restore latest --quiet --target-db {RESTORED}"
    return [
        Contestant(RESTORE, ours, every=_SLOW, environ=key),
        Contestant(PG_RESTORE, f"{_CREATE} && pg_restore -j2 -d {RESTORED} directory", every=_SLOW),
    ]


def table_restore(table: str, private_key: Path) -> Contestant:
    """Return ours, restoring one table only."""
    key = {"BACKUP_GPG_PRIVATE_KEY_FILE": str(private_key)}
    command = f"brownie-backup restore latest --quiet --table public.{table}"
    return Contestant(RESTORE_TABLE, f"{command} --target-db {RESTORED}", environ=key)


def pgcopydb(server: Server, database: str) -> Contestant:
    """Return the program that copies from a server to another, with nothing stored between."""
    clone = "pgcopydb clone --table-jobs 2 --index-jobs 2 --dir pgcopydb"
    ends = {
        "PGCOPYDB_SOURCE_PGURI": server.url(database),
        "PGCOPYDB_TARGET_PGURI": server.url(RESTORED),
    }
    return Contestant(PGCOPYDB, f"{_CREATE} && {clone}", every=_SELDOM, optional=True, environ=ends)


def environ(server: Server, database: str, place: Path, folder: Path) -> dict[str, str]:
    """Return the environment of all contestants.

    Args:
        server: where the database is.
        database: its name.
        place: has the home, the public key, and the programs that are not on PATH.
        folder: where the backups go.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BACKUP_", "GNUPG"))}
    # Scaled down, the tables would all be small ones.
    scaled = {"BACKUP_BULK_TABLE_BYTES": str(round(_BULK_BYTES * SCALE))} if SCALE < 1 else {}
    return kept | {
        "PATH": os.pathsep.join([str(place / "bin"), str(server.client), os.environ["PATH"]]),
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": server.password.reveal(),
        "PGDATABASE": database,
        "RESTIC_REPOSITORY": "restic",
        "RESTIC_PASSWORD": _PASSPHRASE,
        "BACKUP_DESTINATION": str(folder / "store"),
        "BACKUP_DATABASE_URL": server.url(database),
        "BACKUP_PG_BIN": str(server.client),
        "BACKUP_PARALLEL_JOBS": "2",
        "BACKUP_GPG_PUBLIC_KEY_FILE": str(place / PUBLIC_KEY),
        **scaled,
    }
