"""A backup's memory does not grow with the database, and stays below 300 MiB."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from attrs import frozen
from tests.integration.cli import Cli, cli_for, finish
from tests.servers.running import BULK, Server, Servers

pytestmark = pytest.mark.once

LIMIT_BYTES = 300 << 20


@frozen
class Peak:
    """The most that a command and its children have had at any moment."""

    memory_bytes: int
    temporary_bytes: int


def backup_measured(cli: Cli, **settings: str) -> Peak:
    """Run a backup with as many workers as it takes, and watch it.

    Memory is the proportional set size: pages that several processes share count once.
    """
    process = cli.start("backup", BACKUP_PARALLEL_JOBS="8", **settings)
    root = psutil.Process(process.pid)
    memory = temporary = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            family = [root, *root.children(recursive=True)]
            memory = max(memory, sum(_memory(member, root) for member in family))
        temporary = max(temporary, sum(_sizes(Path(cli.env["TMPDIR"]))))
    result = finish(process)
    assert result.status == 0, result.err
    return Peak(memory, temporary)


def _memory(process: psutil.Process, root: psutil.Process) -> int:
    try:
        if process.pid != root.pid and process.cmdline() == root.cmdline():
            return 0  # between vfork and exec it shows its parent's memory
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _sizes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                yield path.stat().st_size if path.is_file() else 0


@pytest.fixture(scope="module")
def bulkier(servers: Servers) -> Iterator[tuple[Server, str]]:
    """Four times the bulky database."""
    server = servers.get(18)
    server.create("bulkier")
    server.sql("bulkier", BULK.replace("10000", "40000"))
    yield server, "bulkier"
    server.drop("bulkier")


def test_memory_and_temporary_disk_stay_small_even_when_nothing_compresses(cli: Cli) -> None:
    for compression in ("zstd", "none"):
        peak = backup_measured(cli, BACKUP_COMPRESSION=compression)
        assert peak.memory_bytes < LIMIT_BYTES
        assert peak.temporary_bytes < 1 << 20


def test_three_stores_take_no_more_than_one(cli: Cli, tmp_path: Path) -> None:
    copies = ",".join((tmp_path / name).as_uri() for name in ("one", "two"))
    peak = backup_measured(cli, BACKUP_COMPRESSION="none", BACKUP_COPY_TO=copies)
    assert len([*tmp_path.glob("*/manifests/*")]) == 3
    assert peak.memory_bytes < LIMIT_BYTES


def test_four_times_the_data_stays_below_the_same_limit(
    bulkier: tuple[Server, str], tmp_path: Path
) -> None:
    peak = backup_measured(cli_for(*bulkier, tmp_path), BACKUP_COMPRESSION="none")
    assert peak.memory_bytes < LIMIT_BYTES
