"""Whatever goes wrong, the store lists only good backups, and all of them can be restored."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.integration.cli import Cli, children, cli_for, finish
from tests.integration.waiting import wait_until
from tests.servers.running import BULK, Server, Servers

pytestmark = pytest.mark.once

POINTS = (0, 1, 3, 4)
"""After how many blobs in the store a run is disturbed; the bulky database has seven and more."""


PROGRAMS = {"pg_dump": "1G", "psql": "8M"}
"""The programs that read rows, and the size of a large table with which they read most of them."""
PROBLEMS = {"pg_dump": "pg_dump failed", "psql": "the connection of psql was lost"}


def backup_disturbed(cli: Cli, blobs: int, program: str = "pg_dump") -> subprocess.Popen[str]:
    """Start a backup whose rows a program reads; return when that many blobs of it are stored."""
    size = PROGRAMS[program]
    process = cli.start("backup", "--name", "disturbed", BACKUP_BULK_TABLE_BYTES=size)
    wait_until(
        lambda: len(cli.blobs()) >= blobs and any(children(process, program)),
        what=f"{blobs} blobs and {program} at work",
    )
    return process


def assert_unharmed(cli: Cli, server: Server, expected: set[str]) -> None:
    """Only good backups are listed, no session is left on the server, and one can be restored."""
    assert cli.backups() == dict.fromkeys(expected, "good")
    wait_until(lambda: server.sessions("bulky") == 0, what="no session is left")
    for name in expected:
        assert cli.json("verify", name)["good"]


@pytest.mark.parametrize("blobs", POINTS)
def test_sigterm_ends_all_and_leaves_nothing_visible(
    cli: Cli, servers: Servers, blobs: int
) -> None:
    process = backup_disturbed(cli, blobs)
    process.terminate()
    assert finish(process).status == 128 + signal.SIGTERM
    assert_unharmed(cli, servers.get(18), set())
    assert not list(cli.store.glob("leases/*"))
    assert not list(cli.store.glob(".unfinished/*"))
    assert not list(Path(cli.env["TMPDIR"]).iterdir())


def test_sigint_ends_with_its_own_status(cli: Cli, servers: Servers) -> None:
    process = backup_disturbed(cli, 2)
    process.send_signal(signal.SIGINT)
    assert finish(process).status == 128 + signal.SIGINT
    assert_unharmed(cli, servers.get(18), set())


@pytest.mark.parametrize("blobs", POINTS[1:])
def test_after_a_sigkill_the_next_run_stores_only_what_is_missing(
    cli: Cli, servers: Servers, blobs: int
) -> None:
    process = backup_disturbed(cli, blobs)
    process.kill()
    finish(process)
    there = cli.blobs()
    assert_unharmed(cli, servers.get(18), set())
    size = PROGRAMS["pg_dump"]
    document = cli.json("backup", "--name", "resumed", BACKUP_BULK_TABLE_BYTES=size)
    # The archive's head holds the time of the dump, and the roles' dump a random key.
    assert document["reused_blobs"] >= len(there) - 2
    assert document["reused_bytes"] >= sum(there.values()) - 4096
    written = sum(cli.blobs().values()) - sum(there.values())
    assert document["new_bytes"] == written
    assert_unharmed(cli, servers.get(18), {"resumed"})


@pytest.mark.parametrize("blobs", POINTS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_program_is_a_failed_backup(
    cli: Cli, servers: Servers, blobs: int, program: str
) -> None:
    process = backup_disturbed(cli, blobs, program)
    for child in children(process, program):
        child.send_signal(signal.SIGKILL)
    result = finish(process)
    assert result.status == 1, result.err
    assert PROBLEMS[program] in result.err
    assert_unharmed(cli, servers.get(18), set())


def test_a_server_that_stops_in_the_middle_is_a_failed_backup(tmp_path: Path) -> None:
    server = Server(18)
    try:
        server.create("bulky")
        server.sql("bulky", BULK)
        cli = cli_for(server, "bulky", tmp_path)
        cli.json("backup", "--name", "before")
        shutil.rmtree(cli.store / "blobs", ignore_errors=True)
        (cli.store / "manifests" / "before.json").unlink()
        process = backup_disturbed(cli, 2)
        server.stop("immediate")
        assert finish(process).status == 1
        server.start()
        assert_unharmed(cli, server, set())
        cli.json("backup", "--name", "after")
        assert_unharmed(cli, server, {"after"})
    finally:
        server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs takes root")
def test_a_full_disk_is_a_failed_backup_and_the_earlier_ones_stay(
    cli: Cli, servers: Servers, small: str
) -> None:
    server = servers.get(18)
    cli.store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(cli.store)], check=True)
    try:
        cli.json("backup", "--name", "small", BACKUP_DATABASE_URL=server.url(small))
        result = cli.run("backup", "--name", "too-big")
        assert result.status == 1
        assert "No space left" in result.err
        assert not list(cli.store.glob(".unfinished/*"))
        assert_unharmed(cli, server, {"small"})
    finally:
        subprocess.run(["umount", str(cli.store)], check=True)


def test_two_backups_of_one_name_at_once_make_one(cli: Cli, servers: Servers) -> None:
    both = [cli.start("backup", "--name", "twin") for _ in range(2)]
    statuses = sorted(finish(process).status for process in both)
    assert statuses in ([0, 1], [0, 11])
    assert_unharmed(cli, servers.get(18), {"twin"})
