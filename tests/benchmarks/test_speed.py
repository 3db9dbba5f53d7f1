"""Backing up and restoring 1.5 GiB of tables, against other programs on the same server.

The contestants take turns, round by round. Nothing is asserted of times, which say as much of the
machine; the rows that are restored have to be the same.
"""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import asdict

from tests.benchmarks.chart import chart
from tests.benchmarks.databases import BALANCED, QUARTER, SCALE, SETTINGS, SKEWED, make
from tests.benchmarks.medians import median_table, medians
from tests.benchmarks.rounds import Arena
from tests.benchmarks.targets import target_table
from tests.servers.running import Server

ROUNDS = int(os.environ.get("BROWNIE_BENCH_ROUNDS") or 5)

pytestmark = pytest.mark.timeout(7200)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of its own, with the settings of one that has something to lose."""
    server = Server(18, SETTINGS)
    yield server
    server.close()


def test_speed(server: Server, tmp_path: Path) -> None:
    arena = Arena(server, tmp_path)
    for shape in (BALANCED, SKEWED, QUARTER):
        make(server, shape)
    for number in range(ROUNDS):
        arena.full_round(BALANCED, number)
        arena.backup_round(SKEWED, number)
        if number % 2 == 0:
            arena.own_round(QUARTER, number)
    report(arena, server, Path(os.environ.get("BROWNIE_BENCH_OUTPUT") or tmp_path / "report"))
    assert not arena.wrong


def report(arena: Arena, server: Server, folder: Path) -> None:
    """Write the tables, the picture and every single figure; print the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    found = medians(arena.runs)
    version = server.sql("postgres", "SHOW server_version").strip()
    heading = (
        f"PostgreSQL {version} and {os.cpu_count()} processors of {platform.machine()}; medians of"
        f" {ROUNDS} rounds, {(ROUNDS + 1) // 2} for the slow ones; scale {SCALE:g}.\n"
    )
    tables = f"{heading}\n{target_table(found)}\n{median_table(arena.runs)}"
    (folder / "performance.md").write_text(tables)
    (folder / "performance.svg").write_text(chart(found))
    (folder / "runs.json").write_text(json.dumps([asdict(run) for run in arena.runs], indent=1))
    print(f"\n{tables}\n{folder}")  # noqa: T201 - it is the result
