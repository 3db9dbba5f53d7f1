"""Many tables, partitions or large objects, and huge values, against pg_dump and pg_restore.

Both write to the same disk, in turns, neither compresses nor encrypts, and the ratio of the medians
is what counts. `BROWNIE_BENCH_SCALE` makes fewer objects, and then only the start is measured.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.databases import SCALE
from tests.benchmarks.measuring import print_table
from tests.servers.running import Server

ROUNDS = 3
MOST, BESIDE_SECONDS = 1.5, 0.5
"""The target: this many times as long as pg_dump, and this many seconds for our own start."""
RESTORE_MOST = 1.15
"""The target for a restore, in times of pg_restore with as many jobs."""
JOBS = 2
ROOM = 1.5
"""How much more it may be before it fails; machines are noisy."""
SETTINGS = {"max_locks_per_transaction": "1024", "fsync": "off"}
STEP = 500

SHAPES = {
    "tables": (
        20_000,
        "",
        "CREATE TABLE t%s (id int PRIMARY KEY, name text, at timestamptz DEFAULT now())",
    ),
    "partitions": (
        5_000,
        "CREATE TABLE p (id int, name text) PARTITION BY RANGE (id); CREATE INDEX ON p (id)",
        "CREATE TABLE p_%1$s PARTITION OF p FOR VALUES FROM (%1$s) TO (%1$s + 1)",
    ),
    "large objects": (100_000, "", "SELECT lo_from_bytea(0, 'x%s')"),
}

# One value takes up to 1 GB, as text of two characters a byte while it is written or read.
HUGE = {
    "a value of 500 MiB": "SELECT 1 AS id, repeat(md5(random()::text), 500 << 15) AS text",
    "20 values of 25 MiB": """
      SELECT i AS id, repeat(md5(random()::text), 25 << 15) AS text FROM generate_series(1, 20) i
    """,
}

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(18, SETTINGS)
    yield server
    server.close()


@pytest.mark.parametrize("what", SHAPES)
def test_a_backup_of_many_objects(server: Server, tmp_path: Path, what: str) -> None:
    count, before, each = SHAPES[what]
    name = what.replace(" ", "_")
    server.create(name)
    make(server, name, round(count * SCALE), before, each)
    took: dict[str, list[float]] = {"pg_dump": [], "ours": []}
    for number in range(ROUNDS):
        took["pg_dump"].append(seconds(server, pg_dump(server, name, tmp_path / "dump"), {}))
        took["ours"].append(seconds(server, *ours(server, name, tmp_path / str(number))))
    own, other = (statistics.median(took[key]) for key in ("ours", "pg_dump"))
    limit = MOST * other + BESIDE_SECONDS
    said = "pass" if own <= limit else "miss"
    row = (what, f"{other:.1f}", f"{own:.1f}", f"{own / other:.2f}", said)
    print_table(("", "pg_dump, s", "ours, s", "ratio", "target"), [row])
    assert SCALE < 1 or own < ROOM * limit


@pytest.mark.parametrize("what", SHAPES)
def test_a_restore_of_many_objects(server: Server, tmp_path: Path, what: str) -> None:
    count, before, each = SHAPES[what]
    name = f"{what.replace(' ', '_')}_to_restore"
    server.create(name)
    make(server, name, round(count * SCALE), before, each)
    compare_restores(server, name, tmp_path, what)


@pytest.mark.parametrize("what", HUGE)
def test_a_restore_of_huge_values(server: Server, tmp_path: Path, what: str) -> None:
    server.create("huge")
    server.sql("huge", "CREATE TABLE t (id int, text text)")
    server.sql("huge", "ALTER TABLE t ALTER text SET STORAGE EXTERNAL")
    server.sql("huge", f"INSERT INTO t {HUGE[what]}")
    compare_restores(server, "huge", tmp_path, what)


def compare_restores(server: Server, database: str, folder: Path, what: str) -> None:
    """Restore a database in turns by pg_restore and by us, and drop it."""
    seconds(server, pg_dump(server, database, folder / "dump"), {})
    command, settings = ours(server, database, folder)
    seconds(server, command, settings)
    command = [*command[:3], "restore", "latest", "--target-db", "restored", "--quiet"]
    settings["BACKUP_PARALLEL_JOBS"] = str(JOBS)
    took: dict[str, list[float]] = {"pg_restore": [], "ours": []}
    for _ in range(ROUNDS):
        server.create("restored")
        took["pg_restore"].append(seconds(server, pg_restore(server, folder / "dump"), {}))
        server.drop("restored")
        took["ours"].append(seconds(server, command, settings))
        server.drop("restored")
    server.drop(database)
    own, other = (statistics.median(took[key]) for key in ("ours", "pg_restore"))
    limit = RESTORE_MOST * other + BESIDE_SECONDS
    said = "pass" if own <= limit else "miss"
    row = (what, f"{other:.1f}", f"{own:.1f}", f"{own / other:.2f}", said)
    print_table(("", "pg_restore, s", "ours, s", "ratio", "target"), [row])
    assert SCALE < 1 or own < ROOM * limit


def pg_restore(server: Server, file: Path) -> list[str]:
    """Return the command that restores an archive into a fresh database."""
    program = str(server.client / "pg_restore")
    return [program, f"-j{JOBS}", "-d", server.url("restored"), str(file)]


def make(server: Server, database: str, count: int, before: str, each: str) -> None:
    """Make objects, some at a time: each takes a lock until its transaction ends."""
    if before:
        server.sql(database, before)
    for first in range(0, count, STEP):
        last = min(first + STEP, count) - 1
        loop = f"FOR i IN {first} .. {last} LOOP EXECUTE format($x${each}$x$, i); END LOOP;"
        server.sql(database, f"DO $$ BEGIN {loop} END $$")
    server.sql(database, "VACUUM pg_catalog.pg_class, pg_catalog.pg_attribute")


def pg_dump(server: Server, database: str, file: Path) -> list[str]:
    """Return the command that writes an archive like ours."""
    program = str(server.client / "pg_dump")
    return [program, "-Fc", "-Z0", "-f", str(file), "-d", server.url(database)]


def ours(server: Server, database: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return our command, and its settings."""
    settings = {
        "BACKUP_DATABASE_URL": server.url(database),
        "BACKUP_DESTINATION": str(folder / "store"),
        "BACKUP_CACHE_DIR": str(folder / "cache"),
        "BACKUP_PG_BIN": str(server.client),
        "BACKUP_ENCRYPTION": "false",
        "BACKUP_COMPRESSION": "none",
    }
    return [sys.executable, "-m", "brownie_backup_cli", "backup", "--quiet"], settings


def seconds(server: Server, command: list[str], settings: dict[str, str]) -> float:
    """Run a command; return how long it took."""
    # As installed: without byte code, importing would be most of what is measured.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environ |= settings | {"PGPASSWORD": server.password.reveal()}
    started = time.perf_counter()
    subprocess.run(command, check=True, env=environ)
    return time.perf_counter() - started
