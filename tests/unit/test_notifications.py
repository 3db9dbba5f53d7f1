"""Pings and events, taken by a real HTTP server."""

import hashlib
import hmac
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.integration.receiver import Receiver

from brownie_backup.config.settings import Settings
from brownie_backup.errors import ConnectionFailed
from brownie_backup.notifications.delivery import DeliveryQueue, HttpMessage, OnUndelivered, post
from brownie_backup.notifications.notifier import (
    SIGNATURE,
    TIMESTAMP,
    Notifier,
    error_fields,
    ping_url,
    sign,
)
from brownie_backup.secret import Secret
from brownie_backup_cron.metrics import RunnerMetrics
from brownie_backup_cron.vocabulary import WORDS

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = uuid.UUID("12345678-1234-5678-1234-567812345678")
PLANTED = "pl4nted-s3cret-token"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def notifier(receiver: Receiver, *, signed: bool = True) -> Notifier:
    settings = Settings(
        ping_url=Secret(f"{receiver.url}/{PLANTED}"),
        webhook_url=Secret(f"{receiver.url}/hook/{PLANTED}"),
        webhook_secret=Secret("hush") if signed else None,
        database_url=Secret("postgresql://u:p4ssword@h/db"),
    )
    return Notifier(settings, WORDS, lambda: NOW)


def test_a_run_is_pinged_in_order(receiver: Receiver) -> None:
    telling = notifier(receiver)
    telling.ping("start", RUN)
    telling.ping("fail", RUN, "no space")
    telling.ping("", RUN)
    telling.flush(10)
    rid = f"?rid={RUN}"
    assert [request.path for request in receiver.requests] == [
        f"/{PLANTED}/start{rid}",
        f"/{PLANTED}/fail{rid}",
        f"/{PLANTED}{rid}",
    ]
    assert receiver.requests[1].body == b"no space"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hc-ping.com/uuid", f"https://hc-ping.com/uuid/start?rid={RUN}"),
        ("https://hc-ping.com/uuid/", f"https://hc-ping.com/uuid/start?rid={RUN}"),
        ("https://h/a?create=1#x", f"https://h/a/start?create=1&rid={RUN}"),
        ("http://h:81", f"http://h:81/start?rid={RUN}"),
    ],
)
def test_the_outcome_is_a_part_of_the_path(url: str, expected: str) -> None:
    assert ping_url(Secret(url), "start", RUN).reveal() == expected


def test_an_event_is_signed(receiver: Receiver) -> None:
    telling = notifier(receiver)
    telling.event("backup.failed", operation_id="1", error=error_fields(telling, OSError("x")))
    telling.flush(10)
    (request,) = receiver.requests
    assert request.json == {
        "version": 1,
        "event": "backup.failed",
        "occurred_at": "2026-01-01T12:00:00Z",
        "operation_id": "1",
        "error": {"type": "OSError", "message": "x", "hint": "", "hint_code": None},
    }
    timestamp = request.headers[TIMESTAMP]
    assert timestamp == str(int(NOW.timestamp()))
    # As the page tells a receiver to check it.
    expected = hmac.new(b"hush", timestamp.encode() + b"." + request.body, hashlib.sha256)
    assert request.headers[SIGNATURE] == f"v1={expected.hexdigest()}"
    assert sign(Secret("other"), timestamp, request.body) != request.headers[SIGNATURE]


def test_without_a_secret_an_event_is_not_signed(receiver: Receiver) -> None:
    telling = notifier(receiver, signed=False)
    telling.event("backup.recovered")
    telling.flush(10)
    assert SIGNATURE not in receiver.requests[0].headers


def test_a_reason_holds_no_secret_and_is_short(receiver: Receiver) -> None:
    telling = notifier(receiver)
    error = ConnectionFailed(f"p4ssword and {PLANTED} {'x' * 5000}", hint="ask p4ssword")
    fields = error_fields(telling, error)
    for text in (telling.reason(error), *filter(None, fields.values())):
        assert "p4ssword" not in text
        assert PLANTED not in text
        assert len(text) <= 1000


def counting(runner_metrics: RunnerMetrics) -> OnUndelivered:
    return lambda to: runner_metrics.count("undelivered", to)


def courier_for(receiver: Receiver, *statuses: int) -> tuple[RunnerMetrics, DeliveryQueue]:
    receiver.answers = list(statuses)
    runner_metrics = RunnerMetrics()
    return runner_metrics, DeliveryQueue(
        "webhook", counting(runner_metrics), waits_seconds=(0.01, 0.01)
    )


@pytest.mark.parametrize(
    ("statuses", "tries", "undelivered"),
    [
        ((204,), 1, 0),
        ((500, 429, 200), 3, 0),
        ((500, 503, 502), 3, 1),
        ((404,), 1, 1),
        ((302,), 1, 1),
    ],
)
def test_what_may_pass_is_tried_again(
    receiver: Receiver, statuses: tuple[int, ...], tries: int, undelivered: int
) -> None:
    runner_metrics, deliveries = courier_for(receiver, *statuses)
    deliveries.send(HttpMessage(Secret(f"{receiver.url}/{PLANTED}"), b"{}"))
    deliveries.flush(10)
    assert len(receiver.requests) == tries
    assert runner_metrics.counted("undelivered", "webhook") == undelivered


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    with Receiver() as elsewhere:
        receiver.answers, receiver.location = [status], f"{elsewhere.url}/{PLANTED}"
        problem, again = post(HttpMessage(Secret(receiver.url), b"{}", {SIGNATURE: "v1=x"}))
        assert (problem, again) == (f"the server answered with status {status}", False)
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/{}", "http://{}.invalid/", "http://127.0.0.1:99999/{}"]
)
def test_what_went_wrong_does_not_say_where(url: str, caplog: pytest.LogCaptureFixture) -> None:
    runner_metrics = RunnerMetrics()
    deliveries = DeliveryQueue("ping", counting(runner_metrics), waits_seconds=())
    deliveries.send(HttpMessage(Secret(url.format(PLANTED)), b""))
    deliveries.flush(20)
    assert runner_metrics.counted("undelivered", "ping") == 1
    assert "the ping could not be delivered" in caplog.text
    assert PLANTED not in caplog.text


def test_too_many_letters_are_dropped_and_nobody_waits(receiver: Receiver) -> None:
    runner_metrics = RunnerMetrics()
    deliveries = DeliveryQueue("webhook", counting(runner_metrics), waits_seconds=(30.0,))
    receiver.answers = [503]
    for _ in range(105):
        deliveries.send(HttpMessage(Secret(receiver.url), b"{}"))
    assert runner_metrics.counted("undelivered", "webhook") >= 4
