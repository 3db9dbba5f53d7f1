"""Spans of whole operations, as a collector would get them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.unit.fakes import FakeDumper

from brownie_backup import tracing
from brownie_backup.audit.operation import Actor
from brownie_backup.concurrency.threads import Threads
from brownie_backup.config.settings import Settings
from brownie_backup.errors import DumpFailed
from brownie_backup.service import Service
from brownie_backup.stores.location import Location
from brownie_backup.tracing import step

ROUNDS = 2000


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What has been measured; the provider of the process is left alone."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("tests"))
    yield exporter
    provider.shutdown()


@pytest.fixture
def service(dumper: FakeDumper, tmp_path: Path) -> Service:
    assert not dumper.databases
    settings = Settings(
        primary=Location("file", path=str(tmp_path)), encryption=False, cache_dir="none"
    )
    return Service(settings, Actor("ann", "cli db1"))


def tree(spans: InMemorySpanExporter) -> list[str]:
    """Return the names of all spans, each below its parent, in the order of their begin."""
    found = sorted(spans.get_finished_spans(), key=lambda span: span.start_time or 0)
    assert len({span.context.trace_id for span in found}) == 1
    depths: dict[int, int] = {}
    lines = []
    for span in found:
        depth = depths[span.parent.span_id] + 1 if span.parent else 0
        depths[span.context.span_id] = depth
        kind = (span.attributes or {}).get("brownie_backup.kind")
        lines.append("  " * depth + span.name + (f" {kind}" if kind else ""))
    return lines


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    """Return the only span of that name."""
    (span,) = (span for span in spans.get_finished_spans() if span.name == name)
    return span


def test_the_tree_of_a_backup(service: Service, spans: InMemorySpanExporter) -> None:
    report = service.create_backup(name="one", operation_id="op-1")
    lines = tree(spans)
    assert lines[:3] == ["backup", "  open stores", "  read database"]
    # The inventory comes last: it lists what was stored.
    assert lines[-2:] == ["    store part inventory", "  publish"]
    assert sorted(lines[3:-2]) == ["    look back", "    store part archive"]  # at once
    assert dict(named(spans, "backup").attributes or {}) == {
        "brownie_backup.operation": "op-1",
        "brownie_backup.backup": "one",
        "brownie_backup.size_bytes": report.manifest.size_bytes,
        "brownie_backup.stored_bytes": report.new_bytes,
    }
    parts = [span for span in spans.get_finished_spans() if span.name == "store part"]
    assert sum(int(str((s.attributes or {})["brownie_backup.size_bytes"])) for s in parts) == (
        report.manifest.size_bytes
    )


def test_the_tree_of_a_restore(service: Service, spans: InMemorySpanExporter) -> None:
    service.create_backup(name="one")
    spans.clear()
    service.restore("one", target_database="copy")
    assert tree(spans) == [
        "restore",
        "  find backup",
        "  read inventory",
        "  preflight",
        "  receive",
        "  load",
        "  finish",
    ]


def test_the_tree_of_a_verification(service: Service, spans: InMemorySpanExporter) -> None:
    service.create_backup(name="one")
    spans.clear()
    service.verify("one")
    assert tree(spans) == ["verify", "  check part inventory", "  check part archive"]


def test_of_an_error_a_span_has_the_class_alone(
    service: Service, dumper: FakeDumper, spans: InMemorySpanExporter
) -> None:
    dumper.fail_after = 10
    with pytest.raises(DumpFailed):
        service.create_backup(name="one")
    span = named(spans, "backup")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "DumpFailed"
    for each in spans.get_finished_spans():
        assert not each.events
        assert "the server went away" not in each.to_json()


def test_a_thread_goes_on_with_the_span_of_whoever_gave_it_work(
    spans: InMemorySpanExporter,
) -> None:
    def work() -> None:
        with step("inner"):
            pass

    with step("outer"), Threads(1) as pool:
        pool.submit(work).result()
    assert tree(spans) == ["outer", "  inner"]


def test_a_step_that_nobody_collects_costs_next_to_nothing() -> None:
    assert not trace.get_current_span().is_recording()
    began = time.perf_counter()
    for _ in range(ROUNDS):
        with step("x", size_bytes=1) as measured:
            measured.tell(blobs=1)
    each = (time.perf_counter() - began) / ROUNDS
    # A span stands for 16 MiB at least, which take some 100 ms: so this is a thousandth of that.
    assert each < 100e-6, each
