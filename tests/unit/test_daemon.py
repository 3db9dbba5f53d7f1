"""A program in the background: whose process id is believed."""

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest

from brownie_backup.errors import BackupError, Busy
from brownie_backup_cli.daemon import Daemon

STRANGER = os.getpid()


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """One that has left its file behind; somebody else has that process id now."""
    found = Daemon(tmp_path, "schedule")
    found.pid_file.write_text(f"{STRANGER}\n", encoding="utf-8")
    return found


def lock(daemon: Daemon, kind: int) -> int:
    descriptor = os.open(daemon.pid_file, os.O_RDWR)
    fcntl.flock(descriptor, kind)
    return descriptor


def test_who_looks_is_not_taken_for_the_program(daemon: Daemon) -> None:
    another = lock(daemon, fcntl.LOCK_SH)
    assert daemon.pid() is None
    assert daemon.stop() is None
    os.close(another)
    runner = lock(daemon, fcntl.LOCK_EX)
    assert daemon.pid() == STRANGER
    os.close(runner)


def test_no_old_id_is_in_a_file_that_is_held(daemon: Daemon, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        daemon.start([str(tmp_path / "missing")], lambda _: True)
    assert not daemon.pid_file.read_text(encoding="utf-8")


def test_who_looks_does_not_keep_it_from_starting(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = [lock(daemon, fcntl.LOCK_SH)]
    sleep = time.sleep

    def stop_looking(seconds: float) -> None:
        if looking:
            os.close(looking.pop())
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", stop_looking)
    with pytest.raises(BackupError, match="with status 7"):  # so it has been started
        daemon.start([sys.executable, "-c", "raise SystemExit(7)"], lambda _: False)


def test_a_second_one_is_refused(daemon: Daemon) -> None:
    runner = lock(daemon, fcntl.LOCK_EX)
    with pytest.raises(Busy, match=f"as process {STRANGER}"):
        daemon.start([sys.executable, "-c", ""], lambda _: True)
    os.ftruncate(runner, 0)
    with pytest.raises(Busy, match="just starting"):
        daemon.start([sys.executable, "-c", ""], lambda _: True)
    os.close(runner)
