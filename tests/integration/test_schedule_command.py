"""``brownie-backup schedule``: real commands, and a real process in the background."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.integration.cli import Cli

from brownie_backup.hints import install_command

pytestmark = pytest.mark.once


@pytest.fixture
def options(small_cli: Cli, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """A folder and a port of its own; whatever is started there is ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = ("--directory", str(tmp_path / "state"), "--port", str(port))
    yield found
    small_cli.run("schedule", "--stop", *found)


def test_start_status_and_stop(small_cli: Cli, options: tuple[str, ...]) -> None:
    before = small_cli.json("schedule", "--status", *options)
    assert (before["running"], before["last_good"]) == (False, None)
    small_cli.json("backup", "--name", "first")

    started = small_cli.json("schedule", "--start", *options)
    process = psutil.Process(started["pid"])
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path("/dev/null")
    again = small_cli.run("schedule", "--start", *options)
    assert again.status == 11
    assert f"as process {process.pid}" in again.err

    status = small_cli.json("schedule", "--status", *options, BACKUP_TIMEZONE="Asia/Kolkata")
    assert (status["running"], status["pid"]) == (True, process.pid)
    assert status["next_backup"].endswith("T02:00:00+05:30")
    assert (status["last_good"], status["backup_failed"]) == ("first", False)
    assert "02:00 Asia/Kolkata" in small_cli.run("status", BACKUP_TIMEZONE="Asia/Kolkata").out
    lines = small_cli.run("schedule", "--status", *options).out
    assert f"as process {process.pid}" in lines

    stopped = small_cli.json("schedule", "--stop", *options)
    assert stopped["pid"] == process.pid
    # Whoever inherits it may not have asked for its status yet.
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert "ended by SIGTERM" in Path(stopped["log_file"]).read_text(encoding="utf-8")
    assert small_cli.json("schedule", "--stop", *options)["pid"] is None
    assert not small_cli.json("schedule", "--status", *options)["running"]


def test_a_file_that_was_left_behind_counts_for_nothing(
    small_cli: Cli, options: tuple[str, ...]
) -> None:
    # Somebody else has that id now.
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        file = Path(options[1]) / "schedule.pid"
        file.parent.mkdir()
        file.write_text(f"{other.pid}\n", encoding="utf-8")
        assert not small_cli.json("schedule", "--status", *options)["running"]
        assert small_cli.json("schedule", "--stop", *options)["pid"] is None
        pid = small_cli.json("schedule", "--start", *options)["pid"]
        assert pid != other.pid
        # Killed outright, it leaves its file; that is stale then.
        psutil.Process(pid).kill()
        end = time.monotonic() + 10
        while small_cli.json("schedule", "--status", *options)["running"]:
            assert time.monotonic() < end
        assert file.read_text(encoding="utf-8").strip() == str(pid)
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_what_ends_at_once_says_why(small_cli: Cli, options: tuple[str, ...]) -> None:
    without_key = small_cli.by_passphrase()
    failed = without_key.run("schedule", "--start", *options, BACKUP_PASSPHRASE="")
    assert failed.status == 1
    assert "no key is given" in failed.err
    assert not small_cli.json("schedule", "--status", *options)["running"]


def test_without_the_runner_it_says_what_to_install(
    small_cli: Cli, options: tuple[str, ...]
) -> None:
    without = "import sys; sys.modules['brownie_backup_cron'] = None; sys.argv[0] = 'x'; "
    run = "from brownie_backup_cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", without + run, "schedule", "--start", *options, "--json"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=small_cli.env,
    )
    assert done.returncode == 2
    assert (
        install_command("brownie-backup-cli[schedule]") in json.loads(done.stdout)["error"]["hint"]
    )


@pytest.mark.parametrize("kind", ["crontab", "systemd", "kubernetes"])
def test_what_is_printed(small_cli: Cli, kind: str) -> None:
    printed = small_cli.run("schedule", "--print", kind)
    assert printed.status == 0
    assert small_cli.env["BACKUP_PASSPHRASE"] not in printed.out
    assert small_cli.env["BACKUP_DATABASE_URL"] not in printed.out
    assert "BACKUP_PASSPHRASE_FILE" in printed.out
    assert small_cli.json("schedule", "--print", kind)["files"]
