"""What a runner answers over HTTP."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from brownie_backup.errors import ConfigurationError, StoreUnavailable
from brownie_backup_cron.http_server import TEXT, Endpoints
from brownie_backup_cron.metrics import BACKUP, RunnerMetrics


@contextmanager
def served(
    runner_metrics: RunnerMetrics, metrics: Callable[[], tuple[bytes, str]]
) -> Iterator[str]:
    endpoints = Endpoints("127.0.0.1", 0, runner_metrics, metrics)
    try:
        yield f"http://127.0.0.1:{endpoints.port}"
    finally:
        endpoints.close()


def get(url: str, method: str = "GET") -> tuple[int, str, str]:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - it is ours
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - it is ours
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_health_says_what_runs_and_what_is_next() -> None:
    runner_metrics = RunnerMetrics()
    runner_metrics.plan(BACKUP, datetime(2026, 1, 2, 3, tzinfo=UTC))
    runner_metrics.begin(BACKUP)
    with served(runner_metrics, lambda: (b"", TEXT)) as url:
        status, kind, text = get(f"{url}/health?x=1")
        assert (status, kind) == (200, "application/json")
        document = json.loads(text)
        assert document["running"] == ["backup"]
        assert document["next"] == {"backup": "2026-01-02T03:00:00Z"}
        assert get(f"{url}/health", "HEAD")[2] == ""


def test_metrics_of_backups_and_runner_are_one_page() -> None:
    runner_metrics = RunnerMetrics()
    runner_metrics.count("skipped", BACKUP, 3)
    theirs = b"# TYPE backup_total counter\nbackup_total 7\n"
    with served(runner_metrics, lambda: (theirs, TEXT)) as url:
        status, kind, text = get(f"{url}/metrics")
    assert (status, kind) == (200, TEXT)
    samples = {
        (sample.name, sample.labels.get("job")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["backup_total", None] == 7
    assert samples["backup_runner_skipped_total", "backup"] == 3


def test_a_store_out_of_reach_leaves_the_metrics_of_the_runner() -> None:
    def fail() -> tuple[bytes, str]:
        raise StoreUnavailable("out of reach")

    with served(RunnerMetrics(), fail) as url:
        text = get(f"{url}/metrics")[2]
    assert "backup_runner_leader 0\n" in text


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/health", "POST", 501)]
)
def test_nothing_else_is_answered(path: str, method: str, status: int) -> None:
    with (
        served(RunnerMetrics(), lambda: (b"", TEXT)) as url,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        get(f"{url}{path}", method)
    assert caught.value.code == status
    caught.value.close()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_a_clear_error(port: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen"):
        Endpoints("127.0.0.1", port, RunnerMetrics(), lambda: (b"", TEXT))


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            Endpoints("127.0.0.1", port, RunnerMetrics(), lambda: (b"", TEXT))
