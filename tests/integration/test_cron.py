"""The runner as a real process, against a real server."""

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.cli import Cli, Result, children, finish
from tests.integration.receiver import Receiver, Request

from brownie_backup.audit.operation import Actor
from brownie_backup.config import load_settings
from brownie_backup.service import Service

ROOT = Path(__file__).parents[2]
PLANTED = "planted-t0ken-in-the-url"
HUSH = "planted-hmac-secret"
EVERY_MINUTE = {"BACKUP_SCHEDULE": "* * * * *", "BACKUP_VERIFY_SCHEDULE": "none"}

pytestmark = pytest.mark.once


@define
class Started:
    """A runner at work, whose log goes to a file."""

    process: subprocess.Popen[str]
    log: Path
    port: int

    @property
    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str) -> str:
        """Return what it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def health(self) -> dict[str, Any]:
        """Return its health."""
        document: dict[str, Any] = json.loads(self.get("/health"))
        return document

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its status."""
        self.process.send_signal(number)
        return self.process.wait(40)


class Runners:
    """Starts runners for a store and a database, and leaves none behind."""

    module = "tests.integration.fast_runner"

    def __init__(self, cli: Cli, folder: Path) -> None:
        self.cli = cli
        self._folder = folder
        self._started: list[Started] = []

    def start(self, *arguments: str, **more: str) -> Started:
        """Start one, and wait until it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = self._folder / f"runner{len(self._started)}.log"
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--port", str(port), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                text=True,
                env=self.cli.env | {"PYTHONPATH": path} | EVERY_MINUTE | more,
            )
        started = Started(process, log, port)
        self._started.append(started)

        def answers() -> bool:
            assert process.poll() is None, started.said
            try:
                return bool(started.health())
            except OSError:
                return False

        wait_until(answers)
        return started

    def once(self, *arguments: str, **more: str) -> Result:
        """Run a runner with --once to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "brownie_backup_cron", "--once", *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env=self.cli.env | more,
            timeout=100,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        """End all."""
        for each in self._started:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()


def wait_until(so: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def runners(small_cli: Cli, tmp_path: Path) -> Iterator[Runners]:
    made = Runners(small_cli.by_passphrase(), tmp_path)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def told(receiver: Receiver) -> dict[str, str]:
    return {
        "BACKUP_PING_URL": f"{receiver.url}/ping/{PLANTED}",
        "BACKUP_WEBHOOK_URL": f"{receiver.url}/hook/{PLANTED}",
        "BACKUP_WEBHOOK_SECRET": HUSH,
    }


def pings(requests: list[Request]) -> list[str]:
    """Return what was pinged: start, fail, or nothing for a success."""
    paths = [each.path.partition("?")[0] for each in requests]
    return [p.removeprefix(f"/ping/{PLANTED}")[1:] for p in paths if p.startswith("/ping/")]


def events(requests: list[Request]) -> list[Request]:
    return [each for each in requests if each.path == f"/hook/{PLANTED}"]


def manifests(cli: Cli) -> list[Path]:
    return list(cli.store.glob("manifests/*.json"))


def test_backups_appear_and_are_told_of(runners: Runners, receiver: Receiver) -> None:
    runner = runners.start(**told(receiver))
    receiver.wait_for(lambda requests: pings(requests).count("") >= 2)
    health = runner.health()
    assert health["pid"] == runner.process.pid
    assert health["leads"]
    metrics = runner.get("/metrics")
    assert "backup_runner_leader 1\n" in metrics
    assert 'backup_runner_failures_total{job="backup"} 0\n' in metrics
    families = {family.name for family in text_string_to_metric_families(metrics)}
    assert families >= {"backup", "backup_size_bytes", "backup_runner_skipped"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        runner.get("/elsewhere")
    assert caught.value.code == 404
    caught.value.close()
    assert events(receiver.requests) == []  # while it runs: its end may interrupt a backup
    assert runner.end() == 128 + signal.SIGTERM
    assert pings(receiver.requests)[:4] == ["start", "", "start", ""]
    backups = runners.cli.backups()
    assert len(backups) >= 2
    assert set(backups.values()) == {"good"}
    for secret in (PLANTED, HUSH, runners.cli.env["BACKUP_PASSPHRASE"]):
        assert secret not in runner.said + metrics + json.dumps(health)
    records = runners.cli.store.glob("audit/*/*/*.json")
    assert {json.loads(each.read_bytes())["actor"] for each in records} >= {"scheduler"}


def test_sigterm_in_the_middle_of_a_backup_leaves_nothing(
    runners: Runners, receiver: Receiver, cli: Cli
) -> None:
    runners.cli = cli  # the bulky database
    runner = runners.start(**told(receiver), BACKUP_BULK_TABLE_BYTES="1T")

    dumps = list(children(runner.process, "pg_dump"))

    def dumping() -> bool:
        dumps.extend(children(runner.process, "pg_dump"))
        return bool(dumps) and any(cli.store.glob("blobs/*/*"))

    wait_until(dumping)
    began = time.monotonic()
    assert runner.end() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 25
    assert manifests(cli) == []
    assert not any(dump.is_running() for dump in dumps)
    assert list(cli.store.glob("leases/*")) == []
    assert pings(receiver.requests) == ["start", "fail"]
    assert b"the runner was stopped" in [each.body for each in receiver.requests]
    assert [each.json["event"] for each in events(receiver.requests)] == ["backup.failed"]


def test_another_runner_takes_over_when_the_leader_is_killed(runners: Runners) -> None:
    lifetime = ("--leader-seconds", "4")
    # It has nothing to do yet: one that is killed while it removes blobs leaves a lease behind.
    leader = runners.start(*lifetime, BACKUP_SCHEDULE="0 0 1 1 *")
    follower = runners.start(*lifetime)
    assert (leader.health()["leads"], follower.health()["leads"]) == (True, False)
    time.sleep(2.5)  # two minutes of the schedule
    assert follower.health()["next"] == {}
    assert 'backup_runner_runs_total{job="backup"} 0\n' in follower.get("/metrics")
    assert manifests(runners.cli) == []

    leader.end(signal.SIGKILL)
    died = time.monotonic()
    wait_until(lambda: bool(follower.health()["leads"]), limit=10)
    # A lifetime since the last sign of the other one, and until the next look.
    assert time.monotonic() - died < 4 + 4 / 4 + 1
    wait_until(lambda: bool(manifests(runners.cli)))
    assert follower.end() == 128 + signal.SIGTERM


def test_a_runner_that_ends_lets_another_one_lead_at_once(runners: Runners) -> None:
    leader = runners.start("--leader-seconds", "60")
    follower = runners.start("--leader-seconds", "8")
    leader.end()
    wait_until(lambda: bool(follower.health()["leads"]), limit=6)


def test_failure_and_recovery_are_told_across_restarts(
    runners: Runners, receiver: Receiver, tmp_path: Path
) -> None:
    good = told(receiver)
    broken = good | {"BACKUP_DATABASE_URL": runners.cli.env["BACKUP_DATABASE_URL"] + "_gone"}
    assert runners.once(**good).status == 0
    assert events(receiver.requests) == []
    del receiver.requests[:]

    # The password in it is no matter: a database of that name is not there.
    failed = runners.once(**broken)
    assert failed.status == 1
    assert pings(receiver.requests) == ["start", "fail"]
    (event,) = events(receiver.requests)
    document = event.json
    assert document["event"] == "backup.failed"
    assert "_gone" in document["error"]["message"]
    timestamp = event.headers["Brownie-Backup-Timestamp"]
    signed = hmac.new(HUSH.encode(), f"{timestamp}.".encode() + event.body, hashlib.sha256)
    assert event.headers["Brownie-Backup-Signature"] == f"v1={signed.hexdigest()}"
    assert abs(datetime.now(UTC).timestamp() - int(timestamp)) < 60
    for each in receiver.requests:
        assert HUSH.encode() not in each.body
        assert PLANTED.encode() not in each.body


def test_a_backup_that_was_cut_off_and_then_made_is_a_recovery(
    runners: Runners, receiver: Receiver
) -> None:
    wrong = runners.once(**told(receiver), BACKUP_PG_BIN="/nowhere")
    assert wrong.status == 1
    assert [each.json["event"] for each in events(receiver.requests)] == ["backup.failed"]
    assert runners.once(**told(receiver)).status == 0
    names = [each.json["event"] for each in events(receiver.requests)]
    assert names == ["backup.failed", "backup.recovered"]
    assert runners.once(**told(receiver)).status == 0
    assert len(events(receiver.requests)) == 2


def test_a_retention_that_fails_hides_no_good_backup(runners: Runners, receiver: Receiver) -> None:
    cli = runners.cli
    service = Service(load_settings(cli.env), Actor("us", "tests"))
    for _ in range(5):
        service.create_backup()
    # More would go at once than the policy takes for likely: the cleanup refuses.
    strict = told(receiver) | {"BACKUP_KEEP_LAST": "1", "BACKUP_MOST_DELETED_PERCENT": "10"}
    done = runners.once(**strict)
    assert done.status == 3
    assert pings(receiver.requests) == ["start", ""]
    assert [each.json["event"] for each in events(receiver.requests)] == ["retention.failed"]
    assert len(cli.backups()) == 6
    assert runners.once(**told(receiver)).status == 0
    assert events(receiver.requests)[-1].json["event"] == "retention.recovered"


def test_nobody_who_listens_fails_a_backup(runners: Runners) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/{PLANTED}"
    done = runners.once(BACKUP_PING_URL=url, BACKUP_WEBHOOK_URL=url)
    assert done.status == 0
    assert PLANTED not in done.out + done.err
    assert len(runners.cli.backups()) == 1


def test_damage_is_told_of(runners: Runners, receiver: Receiver) -> None:
    assert runners.once().status == 0
    assert runners.once("verify", **told(receiver)).status == 0
    assert receiver.requests == []
    blob = max(runners.cli.store.glob("blobs/*/*"), key=lambda path: path.stat().st_size)
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    assert runners.once("verify", **told(receiver)).status == 1
    (event,) = events(receiver.requests)
    assert event.json["event"] == "verification.failed"


def test_verifications_are_made_in_a_process_of_their_own(runners: Runners) -> None:
    assert runners.once().status == 0
    runner = runners.start(BACKUP_SCHEDULE="0 0 1 1 *", BACKUP_VERIFY_SCHEDULE="* * * * *")
    wait_until(lambda: any(runners.cli.store.glob("verifications/*.json")))
    wait_until(lambda: "verification" not in runner.health()["running"])
    assert runner.end() == 128 + signal.SIGTERM


def test_a_wrong_setting_ends_it_at_the_start(runners: Runners) -> None:
    done = runners.once(BACKUP_SCHEDULE="0 0 30 2 *", BACKUP_PING_URL=PLANTED)
    assert done.status == 2
    assert "BACKUP_SCHEDULE" in done.err
    assert "BACKUP_PING_URL" in done.err
    assert PLANTED not in done.err
    done = runners.once(BACKUP_PASSPHRASE="")
    assert done.status == 2
    assert "no key is given" in done.err


def test_a_port_that_is_taken_is_a_clear_error(runners: Runners) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "brownie_backup_cron", "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=runners.cli.env,
        )
        done = finish(process)
    assert done.status == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in done.err


@pytest.mark.nightly
def test_by_the_time_that_everybody_has(runners: Runners) -> None:
    runners.module = "brownie_backup_cron"
    runner = runners.start()
    wait_until(lambda: len(manifests(runners.cli)) >= 2, limit=150)
    made = sorted(path.stat().st_mtime for path in manifests(runners.cli))
    assert 45 < made[1] - made[0] < 75
    assert runner.end() == 128 + signal.SIGTERM
