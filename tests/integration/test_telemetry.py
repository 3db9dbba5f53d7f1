"""What short runs of the command line tell: to a collector, node_exporter and the log."""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.cli import PASSPHRASE, Cli
from tests.integration.serving import MAKER, READER, TOKEN, serving
from tests.servers.collector import Collector

from brownie_backup.hints import install_command

pytestmark = pytest.mark.once

SECRET = "planted-access-key"
PLANTED = {"BACKUP_ACCESS_KEY": SECRET, "BACKUP_WEBHOOK_URL": "https://h.example/planted-hook-abc"}
SECRETS = (PASSPHRASE, SECRET, "planted-hook-abc")
SDK = re.compile(r"(opentelemetry\.(sdk|exporter|proto)|prometheus_client|google\.protobuf)(\.|$)")

_WITHOUT_SDK = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Missing())
from brownie_backup_cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def told(small_cli: Cli) -> Cli:
    """The command line, with planted secrets, for a database whose one table is a large table."""
    return Cli(small_cli.by_passphrase().env | PLANTED | {"BACKUP_BULK_TABLE_BYTES": "1"})


def tree(collector: Collector) -> set[tuple[str, ...]]:
    """Return the path of names from the root to each span, of one trace."""
    spans = {span.span_id: span for span in collector.spans()}
    assert len({span.trace_id for span in spans.values()}) == 1

    def path(span_id: bytes) -> tuple[str, ...]:
        span = spans[span_id]
        return (*(path(span.parent_span_id) if span.parent_span_id else ()), span.name)

    return {path(span_id) for span_id in spans}


def test_a_run_sends_its_spans_and_the_metrics(told: Cli, small: str) -> None:
    with Collector() as collector:
        sending = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        told.json("backup", "--name", "one", **sending)
        assert {
            ("backup", "open stores"),
            ("backup", "read database", "look back"),
            ("backup", "read database", "store part"),
            ("backup", "read database", "store ranges"),
            ("backup", "publish"),
        } <= tree(collector)
        metrics = collector.metrics()
        assert metrics["backup"].sum.data_points[0].as_int == 1
        assert metrics["backup"].sum.is_monotonic
        assert metrics["backup_duration"].histogram.data_points[0].count == 1
        began = [metrics["backup"].sum.data_points[0].start_time_unix_nano]

        collector.bodies.clear()
        told.json("restore", "one", "--target-db", f"{small}_again", **sending)
        assert ("restore", "load", "load range") in tree(collector)
        metrics = collector.metrics()
        assert metrics["backup_restore_duration"].histogram.data_points[0].count == 1
        # The same since when, or a collector would take the total for one that begins anew.
        assert [metrics["backup"].sum.data_points[0].start_time_unix_nano] == began
        sent = b"".join(body for _, body in collector.bodies)
    assert b"brownie-backup" in sent
    assert [secret for secret in (*SECRETS, "orders") if secret.encode() in sent] == []


def test_the_api_sends_its_spans_and_names_operations_in_its_log(told: Cli) -> None:
    with Collector() as collector:
        sending = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "BACKUP_LOG_FORMAT": "json"}
        with serving(told, **sending) as api:
            made = api.post("/backup/create", {"backup_name": "one"}, token=MAKER)
            operation = api.ended(made.headers["location"])
            metrics = api.get("/metrics", token=READER).text
            assert api.get("/backup/list", token="planted-wrong-token").status_code == 401
            api.end()
            lines = [line for line in api.output().splitlines() if line.startswith("{")]
        roots = [span for span in collector.spans() if span.name == "backup"]
        sent = b"".join(body for _, body in collector.bodies).decode(errors="replace")
        assert collector.metrics()["backup"].sum.data_points[0].as_int == 1
    assert re.search(r"^backup_total{.*} 1\.0$", metrics, re.MULTILINE)
    (root,) = roots
    told_of = {attribute.key: attribute.value.string_value for attribute in root.attributes}
    assert told_of["brownie_backup.operation"] == operation["id"]
    begun = [json.loads(line) for line in lines if "backup begins" in line]
    assert [each["operation"] for each in begun] == [operation["id"]]
    assert begun[0]["trace_id"] == root.trace_id.hex()
    everything = metrics + sent + "".join(lines)
    secrets = (*SECRETS, TOKEN, READER, MAKER, "planted-wrong-token")
    assert [secret for secret in secrets if secret in everything] == []


def test_of_what_failed_the_class_alone_is_sent(told: Cli) -> None:
    with Collector() as collector:
        result = told.run("restore", "secret-name", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert result.status == 10
        statuses = {span.name: span.status.message for span in collector.spans()}
        sent = b"".join(body for path, body in collector.bodies if path == "/v1/traces")
    assert statuses == {"restore": "BackupNotFound", "find backup": "BackupNotFound"}
    assert b"there is no" not in sent


@pytest.mark.parametrize("collector", ["refuses", "absent", "silent"])
def test_a_collector_that_does_not_take_it_fails_no_backup(told: Cli, collector: str) -> None:
    began = time.monotonic()
    with Collector(status=400) as refusing, socket.create_server(("127.0.0.1", 0)) as silent:
        urls = {
            "refuses": refusing.url,
            "absent": "http://127.0.0.1:9",
            "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        more = {"OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        result = told.run("backup", OTEL_EXPORTER_OTLP_ENDPOINT=urls[collector], **more)
    assert result.status == 0, result
    assert "Traceback" not in result.err
    assert "Failed to export" in result.err
    assert time.monotonic() - began < 40


def test_the_metrics_are_written_for_node_exporter(told: Cli, tmp_path: Path) -> None:
    target = tmp_path / "backup.prom"
    told.json("backup", BACKUP_METRICS_TEXTFILE=str(target))
    text = target.read_text()
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["backup_total"] == 1
    assert values["backup_lease_age_seconds"] == 0
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_textfile_that_cannot_be_written_is_a_warning(told: Cli, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "backup.prom"
    result = told.run("backup", BACKUP_METRICS_TEXTFILE=str(target))
    assert result.status == 0
    assert f"the file of metrics '{target}' cannot be written" in result.err


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("BACKUP_METRICS_TEXTFILE", "/nowhere", "the file of metrics"),
    ],
)
def test_without_the_extra_it_is_said_what_to_install(
    told: Cli, name: str, value: str, named: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_SDK, "backup"],
        env=told.env | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done
    assert f"{named} needs 'opentelemetry." in done.stderr
    assert install_command("brownie-backup[telemetry]") in done.stderr
    assert told.backups() == {}


def test_nobody_who_asks_for_nothing_waits_for_the_sdk(told: Cli) -> None:
    def imported(**more: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "brownie_backup_cli", "backup"],
            env=told.env | more,
            capture_output=True,
            text=True,
            check=True,
        )
        names = set(re.findall(r"^import time:.*\| *(\S+)$", done.stderr, re.MULTILINE))
        return {name for name in names if SDK.match(name)}

    assert imported() == set()
    assert imported(BACKUP_METRICS_TEXTFILE=f"{told.store}.prom")


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_the_log_file_names_the_operation_in_every_line(
    told: Cli, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "backup.log"
    more = {"BACKUP_LOG_FILE": str(path), "BACKUP_LOG_FORMAT": kind, "BACKUP_DEBUG": "true"}
    result = evolve(told, env=told.env | more).run("backup")
    assert result.status == 0
    lines = path.read_text().splitlines()
    if kind == "json":
        documents = [json.loads(line) for line in lines]
        ids = {document.get("operation") for document in documents}
        assert len({document["thread"] for document in documents}) > 3
    else:
        ids = {line.split("[", 1)[1].split("]", 1)[0] for line in lines}
    assert len(ids - {None, "-"}) == 1
    of_nobody = [line for line in lines if '"operation"' not in line and "[2" not in line]
    assert len(of_nobody) < len(lines) / 10, of_nobody
    assert any("stored blob" in line for line in lines)
    assert [s for s in SECRETS if s in path.read_text() + result.err] == []
