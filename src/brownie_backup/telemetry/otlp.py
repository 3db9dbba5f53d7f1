"""Sending traces and metrics to a collector, by OTLP over HTTP."""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    Metric,
    MetricsData,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from brownie_backup.concurrency.background import begin
from brownie_backup.concurrency.threads import make_thread
from brownie_backup.config import OpenStores
from brownie_backup.telemetry.aggregate import MetricsSnapshot
from brownie_backup.telemetry.collect import look_at
from brownie_backup.telemetry.instruments import record
from brownie_backup.telemetry.sources import sources_of

_log = logging.getLogger(__name__)

_PATIENCE = timedelta(seconds=8)
"""How long to wait for the stores, and for the collector."""
_END = timedelta(seconds=15)
"""How long a process waits for both at its end."""
_INTERVAL = timedelta(minutes=1)


def begin_sending(
    stores: OpenStores, component: str, signals: frozenset[str]
) -> Callable[[], None]:
    """Send the requested data from now on; return a function that sends the rest and ends it."""
    resource = _resource(component)
    ends: list[Callable[[], None]] = []
    if "traces" in signals:
        ends.append(_send_traces(resource))
    if "metrics" in signals:
        ends.append(_Pusher(stores, resource).end)

    def end() -> None:
        # In threads of their own: the exporter retries for longer than a process should wait.
        sending = [begin(each) for each in ends]
        done, waiting = wait(sending, _END.total_seconds())
        for future in done:
            future.result()
        if waiting:
            _log.warning("the collector did not take all within %s", _END)

    return end


def _resource(component: str) -> Resource:
    """Return this process's attributes; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    ours = Resource(
        {
            "service.name": "brownie-backup",
            "service.version": version("brownie-backup"),
            "brownie_backup.component": component,
        }
    )
    said = Resource.create()
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return ours.merge(said) if named else said.merge(ours)


def _send_traces(resource: Resource) -> Callable[[], None]:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

    def end() -> None:
        provider.force_flush(int(_PATIENCE.total_seconds() * 1000))
        provider.shutdown()

    return end


class _Pusher:
    """Sends the metrics each minute, in a long-running process, and at its end."""

    def __init__(self, stores: OpenStores, resource: Resource) -> None:
        self._stores = stores
        self._resource = resource
        self._exporter = OTLPMetricExporter()
        self._ended = threading.Event()
        self._thread = make_thread(self._run, "metrics")
        self._thread.start()

    def end(self) -> None:
        """Send the current metrics, and nothing more."""
        self._ended.set()
        self._thread.join(_PATIENCE.total_seconds())
        self._push()
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL.total_seconds()):
            self._push()

    def _push(self) -> None:
        try:
            contents = sources_of(self._stores).contents(_PATIENCE)
            data = collect(look_at(self._stores.settings, contents), self._resource)
            self._exporter.export(data, _PATIENCE.total_seconds() * 1000)
        except Exception:  # noqa: BLE001 - no backup may fail because of it
            _log.exception("the metrics could not be sent")


def collect(snapshot: MetricsSnapshot, resource: Resource) -> MetricsData:
    """Return a snapshot as OpenTelemetry's data.

    Totals start at the time of the first counted event. Otherwise a collector that gets them from
    one process after the other would see a reset each time.
    """
    reader = InMemoryMetricReader()
    provider = record(snapshot, reader, resource)
    try:
        data = reader.get_metrics_data()
    finally:
        provider.shutdown()
    if data is None:
        return MetricsData([])
    start = int(snapshot.began_at.timestamp() * 1_000_000_000)
    return MetricsData(
        [
            replace(
                of_resource,
                scope_metrics=[
                    replace(scope, metrics=[_since(metric, start) for metric in scope.metrics])
                    for scope in of_resource.scope_metrics
                ],
            )
            for of_resource in data.resource_metrics
        ]
    )


def _since(metric: Metric, start: int) -> Metric:
    data: Any = metric.data  # separate points of each kind
    points = [
        replace(point, start_time_unix_nano=start) if point.start_time_unix_nano else point
        for point in data.data_points
    ]
    return replace(metric, data=replace(data, data_points=points))
