"""What a runner's jobs come to, whatever happens."""
# ruff: noqa: D102 - the methods are those of the service

import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve, field, frozen
from tests.integration.receiver import Receiver
from tests.unit.fakes import NOON

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BackupError, BackupNotFound, Busy, DamagedError
from brownie_backup.model import Verification
from brownie_backup.operations.history import History
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup_cron.backup_job import BackupJob
from brownie_backup_cron.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cron.metrics import VERIFICATION, RunnerMetrics
from brownie_backup_cron.notifications import make_notifier
from brownie_backup_cron.reporter import Reporter
from brownie_backup_cron.verification_job import VerificationJob

GOOD = Verification("first", "id", NOON, good=True, checked_blobs=1, total_blobs=1)


@frozen
class Scripted(Service):
    """A service that does as it is told."""

    outcome: Verification | Exception = field(default=GOOD)
    before: History | Exception = field(factory=History)

    def verify(self, name: str, **_: Any) -> Verification:  # noqa: ANN401 - it takes all
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def history(self) -> History:
        if isinstance(self.before, Exception):
            raise self.before
        return self.before

    def create_backup(self, **_: Any) -> Any:  # noqa: ANN401 - it takes all
        raise ZeroDivisionError("a defect")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def reporter(receiver: Receiver, **scripted: Any) -> Reporter:  # noqa: ANN401 - whatever it has
    settings = Settings(
        webhook_url=Secret(f"{receiver.url}/hook"), ping_url=Secret(f"{receiver.url}/ping")
    )
    runner_metrics = RunnerMetrics()
    service = Scripted(settings, Actor("scheduler", "tests"), **scripted)
    return Reporter(service, make_notifier(settings, runner_metrics, lambda: NOON), runner_metrics)


def told(made: Reporter, receiver: Receiver) -> list[str]:
    made.notifier.flush(10)
    return [r.json["event"] for r in receiver.requests if r.path == "/hook"]


@pytest.mark.parametrize(
    ("outcome", "failed_before", "status", "events"),
    [
        (GOOD, False, DONE, []),
        (GOOD, True, DONE, ["verification.recovered"]),
        (evolve(GOOD, good=False, problems=("bad",)), False, FAILED, ["verification.failed"]),
        (DamagedError("no manifest"), True, FAILED, ["verification.failed"]),
        (OSError("a defect"), False, FAILED, ["verification.failed"]),
        (BackupNotFound("none"), False, DONE, []),
        (Busy("a cleanup"), False, WARNINGS, []),
        (evolve(GOOD, checked="structure"), False, DONE, []),
    ],
)
def test_a_verification(
    receiver: Receiver,
    outcome: Verification | Exception,
    *,
    failed_before: bool,
    status: int,
    events: list[str],
) -> None:
    before = History(verification_failed=failed_before)
    made = reporter(receiver, outcome=outcome, before=before)
    assert VerificationJob(made).run() == status
    assert told(made, receiver) == events


@pytest.mark.parametrize("before", [History(), BackupError("out of reach"), ValueError("a defect")])
def test_a_defect_fails_one_backup_and_not_the_runner(
    receiver: Receiver, before: History | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    made = reporter(receiver, before=before)
    with caplog.at_level(logging.CRITICAL):
        assert BackupJob(made).run() == FAILED
    assert told(made, receiver) == ["backup.failed"]
    (event,) = (r.json for r in receiver.requests if r.path == "/hook")
    assert event["error"]["type"] == "BackupError"
    assert "ZeroDivisionError" in event["error"]["message"]
    assert event["last_success_at"] is None
    pings = [r.path.partition("?")[0] for r in receiver.requests if r.path.startswith("/ping")]
    assert pings == ["/ping/start", "/ping/fail"]


@pytest.mark.parametrize(("status", "failures"), [(DONE, 0), (WARNINGS, 0), (FAILED, 1), (-9, 1)])
def test_a_verifier_that_fails_is_counted(receiver: Receiver, status: int, failures: int) -> None:
    made = reporter(receiver)
    job = VerificationJob(made)
    script = (
        "import os, sys; n = int(sys.argv[1]); os.kill(os.getpid(), -n) if n < 0 else sys.exit(n)"
    )
    job.command = (sys.executable, "-c", script, str(status))
    job.start()
    end = time.monotonic() + 20
    while job.running():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert made.runner_metrics.counted("failures", VERIFICATION) == failures
    # One that says itself that it failed has told others, too.
    assert told(made, receiver) == (["verification.failed"] if status == -9 else [])


def test_a_verifier_that_cannot_begin_is_counted(receiver: Receiver) -> None:
    made = reporter(receiver)
    job = VerificationJob(made)
    job.command = ("/nowhere",)
    job.start()
    assert not job.running()
    assert made.runner_metrics.counted("failures", VERIFICATION) == 1
    job.close()


def test_a_verifier_is_ended_with_the_runner(receiver: Receiver) -> None:
    made = reporter(receiver)
    job = VerificationJob(made)
    job.command = (sys.executable, "-c", "import time; time.sleep(60)")
    job.start()
    assert job.running()
    job.close()
    assert not job.running()
