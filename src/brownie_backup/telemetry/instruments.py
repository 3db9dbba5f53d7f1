"""The metrics: their names, units and meanings, and how a snapshot becomes OpenTelemetry data.

Every export computes all values again, so it creates new instruments and records each value once.
Histograms need this: OpenTelemetry has observable counters and gauges, but no observable histogram.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import version

from attrs import asdict, frozen
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from brownie_backup.telemetry.aggregate import (
    USUAL_KIND,
    DatabaseMetrics,
    Labels,
    MetricsSnapshot,
    StoreLine,
)
from brownie_backup.wording import as_unicode

BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)
"""Seconds: from a small database to a very large one."""

_Attributes = Mapping[str, str]
_Values = Iterable[tuple[_Attributes, float]]


class Instrument(StrEnum):
    """The type of a metric, as Prometheus names it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Metric:
    """One metric. In Prometheus its name also has the unit and, for a counter, ``total``."""

    name: str
    instrument: Instrument
    unit: str
    help: str
    values: Callable[[MetricsSnapshot], _Values]
    """Yields each value, or for a histogram each observation, with its labels."""


def _each(
    get: Callable[[DatabaseMetrics], float | Sequence[float] | None],
) -> Callable[[MetricsSnapshot], _Values]:
    def values(snapshot: MetricsSnapshot) -> _Values:
        for labels, metrics in snapshot.databases.items():
            found = get(metrics)
            numbers = found if isinstance(found, Sequence) else () if found is None else (found,)
            for number in numbers:
                yield asdict(labels), number

    return values


def _each_store(get: Callable[[StoreLine], float | None]) -> Callable[[MetricsSnapshot], _Values]:
    def values(snapshot: MetricsSnapshot) -> _Values:
        for store in snapshot.stores:
            number = get(store)
            if number is not None:
                yield {"store": store.url}, number

    return values


def _intervals(snapshot: MetricsSnapshot) -> _Values:
    for store in snapshot.stores:
        labels = Labels(snapshot.database, store.url, USUAL_KIND)
        yield asdict(labels), snapshot.interval_seconds


METRICS = (
    Metric(
        "backup",
        Instrument.COUNTER,
        "",
        "Total number of backups created.",
        _each(lambda metrics: metrics.backups),
    ),
    Metric(
        "backup_errors",
        Instrument.COUNTER,
        "",
        "Number of backup failures, including backups that only this store did not take.",
        _each(lambda metrics: metrics.errors),
    ),
    Metric(
        "backup_duration",
        Instrument.HISTOGRAM,
        "s",
        "Time taken for backup operations.",
        _each(lambda metrics: metrics.backup_seconds),
    ),
    Metric(
        "backup_size",
        Instrument.GAUGE,
        "By",
        "Stored size of the last good backup, compressed and encrypted.",
        _each(lambda metrics: metrics.last_stored_bytes),
    ),
    Metric(
        "backup_last_size",
        Instrument.GAUGE,
        "By",
        "Size of the data in the last good backup.",
        _each(lambda metrics: metrics.last_size_bytes),
    ),
    Metric(
        "backup_last_success_timestamp",
        Instrument.GAUGE,
        "s",
        "When the last good backup was finished, as Unix time; 0 for never.",
        _each(lambda metrics: metrics.last_success),
    ),
    Metric(
        "backup_last_verified_timestamp",
        Instrument.GAUGE,
        "s",
        "When a backup was last verified and found good, by its contents or its structure, as Unix "
        "time; 0 for never.",
        _each(lambda metrics: metrics.last_verified),
    ),
    Metric(
        "backup_last_content_verified_timestamp",
        Instrument.GAUGE,
        "s",
        "When the contents of a backup were last read and found good, as Unix time; 0 for never.",
        _each(lambda metrics: metrics.last_content_verified),
    ),
    Metric(
        "backup_restore_duration",
        Instrument.HISTOGRAM,
        "s",
        "Time taken to restore backups of the database.",
        _each(lambda metrics: metrics.restore_seconds),
    ),
    Metric(
        "backup_deleted",
        Instrument.COUNTER,
        "",
        "Number of backups deleted, by hand or by the retention policy.",
        _each(lambda metrics: metrics.deleted),
    ),
    Metric(
        "backup_deduplicated",
        Instrument.COUNTER,
        "By",
        "Bytes that backups did not store again because the store already had them.",
        _each(lambda metrics: metrics.deduplicated_bytes),
    ),
    Metric(
        "backup_copies_missing",
        Instrument.GAUGE,
        "",
        "Number of good backups in other stores that this store should have but lacks.",
        _each(lambda metrics: metrics.missing),
    ),
    Metric(
        "backup_interval",
        Instrument.GAUGE,
        "s",
        "Longest time between two scheduled backups of the configured database.",
        _intervals,
    ),
    Metric(
        "backup_stored",
        Instrument.GAUGE,
        "By",
        "Total size of the backups in the store, with shared blobs counted once.",
        _each_store(lambda store: store.stored_bytes),
    ),
    Metric(
        "backup_lease_age",
        Instrument.GAUGE,
        "s",
        "Age of the oldest lease in the store; 0 if there is none.",
        _each_store(lambda store: store.lease_age_seconds),
    ),
    Metric(
        "backup_store_reachable",
        Instrument.GAUGE,
        "",
        "1 if the store could be read; 0 if its other metrics are old or unknown.",
        _each_store(lambda store: int(store.reachable)),
    ),
)


def record(snapshot: MetricsSnapshot, reader: MetricReader, resource: Resource) -> MeterProvider:
    """Return a provider whose reader collects the snapshot's metrics. The caller shuts it down."""
    provider = MeterProvider((reader,), resource, shutdown_on_exit=False)
    meter = provider.get_meter("brownie_backup", version("brownie-backup"))
    for metric in METRICS:
        tell = _instrument(meter, metric)
        for attributes, value in metric.values(snapshot):
            tell(value, {name: as_unicode(text) for name, text in attributes.items()})
    return provider


def _instrument(meter: Meter, metric: Metric) -> Callable[[float, _Attributes], None]:
    name, unit, text = metric.name, metric.unit, metric.help
    if metric.instrument is Instrument.COUNTER:
        return meter.create_counter(name, unit, text).add
    if metric.instrument is Instrument.GAUGE:
        return meter.create_gauge(name, unit, text).set
    return meter.create_histogram(
        name, unit, text, explicit_bucket_boundaries_advisory=BUCKETS
    ).record
