"""Everything is killed again and again, while a database changes; every backup still restores.

`nox -s soak` runs it. BROWNIE_TEST_ITERATIONS says how many blows, BROWNIE_TEST_SEED which ones.
"""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from brownie_backup_cli.exit_codes import DONE, USAGE, WARNINGS
from tests.integration.cli import Cli, Result, cli_for, finish
from tests.integration.test_under_fire import EXPECTED, INVARIANTS, SETUP, writers
from tests.servers.objects import S3Server
from tests.servers.running import Server

ITERATIONS = int(os.environ.get("BROWNIE_TEST_ITERATIONS", "112"))
SEED = int(os.environ.get("BROWNIE_TEST_SEED", secrets.randbelow(1 << 32)))
LONGEST_SECONDS = 180.0


@frozen
class Place:
    """What is struck: a server, a store in a service with a copy in a folder, and the command."""

    server: Server
    s3: S3Server
    cli: Cli
    copy: Path

    def backup(self) -> subprocess.Popen[str]:
        """Start a backup."""
        return self.cli.start("backup", "--quiet")


Blow = Callable[[Place, random.Random], list[Result]]


def ended(number: signal.Signals) -> Blow:
    """Return the blow that ends a backup by a signal."""

    def blow(place: Place, rng: random.Random) -> list[Result]:
        process = place.backup()
        while process.poll() is None and not catches_sigterm(process.pid):
            time.sleep(0.02)  # Python itself is starting
        time.sleep(rng.random() * 4)
        process.send_signal(number)
        return [finish(process, LONGEST_SECONDS)]

    blow.__name__ = f"backup_gets_{number.name}"
    return blow


def catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGTERM."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def server_dies(place: Place, rng: random.Random) -> list[Result]:
    """Stop the server without a checkpoint, and start it again."""
    process = place.backup()
    time.sleep(rng.random() * 4)
    place.server.stop("immediate")
    place.server.start()
    return [finish(process, LONGEST_SECONDS)]


def store_dies(place: Place, rng: random.Random) -> list[Result]:
    """Kill the store, and start it again a little later."""
    process = place.backup()
    time.sleep(rng.random() * 4)
    place.s3.kill()
    time.sleep(rng.random() * 5)
    place.s3.start()
    return [finish(process, LONGEST_SECONDS)]


def disk_is_full(place: Place, _: random.Random) -> list[Result]:
    """Fill the disk of the copy."""
    held = place.copy / "hold"
    free = os.statvfs(place.copy)
    with held.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    try:
        return [finish(place.backup(), LONGEST_SECONDS)]
    finally:
        held.unlink()


def two_clients(place: Place, rng: random.Random) -> list[Result]:
    """Make two backups at once."""
    first = place.backup()
    time.sleep(rng.random())
    return [finish(each, LONGEST_SECONDS) for each in (first, place.backup())]


def cleanup_beside(place: Place, rng: random.Random) -> list[Result]:
    """Clean up while a backup runs, and kill one of the two."""
    processes = [place.backup(), place.cli.start("cleanup", "--yes-delete-many", "--quiet")]
    time.sleep(rng.random() * 3)
    rng.choice(processes).kill()
    return [finish(each, LONGEST_SECONDS) for each in processes]


BLOWS: tuple[Blow, ...] = (
    ended(signal.SIGKILL),
    ended(signal.SIGTERM),
    ended(signal.SIGINT),
    server_dies,
    store_dies,
    disk_is_full,
    two_clients,
    cleanup_beside,
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    copy = tmp_path / "copy"
    copy.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(copy)]
    if subprocess.run(small, check=False, capture_output=True).returncode:
        pytest.skip("a disk that is full needs the right to mount one: run this as root")
    server = Server(18, settings={"summarize_wal": "on"})
    try:
        server.create("bank")
        server.sql("bank", SETUP)
        with S3Server() as s3:
            cli = cli_for(server, "bank", tmp_path)
            settings = {
                "BACKUP_DESTINATION": f"s3://{s3.new_bucket()}",
                "BACKUP_ENDPOINT_URL": s3.endpoint_url,
                "BACKUP_REGION": "us-east-1",
                "BACKUP_ACCESS_KEY": s3.access_key,
                "BACKUP_SECRET_KEY": s3.secret_key,
                "BACKUP_COPY_TO": copy.as_uri(),
                "BACKUP_RETRY_SECONDS": "20",
                "BACKUP_BULK_TABLE_BYTES": "256K",
                "BACKUP_KEEP_LAST": "4",
            }
            yield Place(server, s3, Cli(cli.env | settings), copy)
    finally:
        server.close()
        subprocess.run(["umount", str(copy)], check=True)


@pytest.mark.timeout(8 * 3600)
def test_whatever_is_killed_every_listed_backup_restores(place: Place) -> None:
    rng = random.Random(SEED)  # noqa: S311 - the same again, by its seed
    made = struck = 0
    for number in range(ITERATIONS):
        blow = BLOWS[number % len(BLOWS)]
        with writers(place.server.url("bank")):
            results = blow(place, rng)
        told = f"BROWNIE_TEST_SEED={SEED}, blow {number}, {blow.__name__}"
        for result in results:
            assert "Traceback" not in result.err, (told, result)
            assert result.status != USAGE, (told, result)
        good = sum(result.status in {DONE, WARNINGS} for result in results)
        made, struck = made + good, struck + len(results) - good
        listed = place.cli.json("list")["backups"]
        assert all(backup["status"] == "good" for backup in listed), (told, listed)
        check_restored(place, [b["name"] for b in listed[: 1 if number < ITERATIONS - 1 else None]])
    assert made, "it strikes too early to prove anything"
    assert struck, "it strikes too late to prove anything"


def check_restored(place: Place, names: list[str]) -> None:
    """Restore these backups, one after the other, and count the money."""
    for name in names:
        done = place.cli.run("restore", name, "--target-db", "again", "--quiet")
        assert done.status in {DONE, WARNINGS}, (name, done)
        assert place.server.sql("again", INVARIANTS).strip() == EXPECTED, name
        place.server.drop("again")
