"""The metrics: their names, units and meanings, and how a survey becomes OpenTelemetry's data.

Each time everything is computed anew, so each time there are fresh instruments, told once what
there is. A histogram could not be filled otherwise: OpenTelemetry asks for counters and gauges, but
never for these.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import version

from attrs import asdict, frozen
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from brownie_backup.telemetry.aggregate import USUAL_KIND, Labels, Line, StoreLine, Survey

BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)
"""Seconds: what a small database takes, and what a very large one does."""

_Attributes = Mapping[str, str]
_Values = Iterable[tuple[_Attributes, float]]


class Instrument(StrEnum):
    """What kind of metric it is, in Prometheus's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Metric:
    """One metric. Prometheus knows it by its name, its unit and, for a counter, ``total``."""

    name: str
    instrument: Instrument
    unit: str
    help: str
    values: Callable[[Survey], _Values]
    """Yields each value, or for a histogram each observation, with its labels."""


def _each(get: Callable[[Line], float | Sequence[float] | None]) -> Callable[[Survey], _Values]:
    def values(survey: Survey) -> _Values:
        for labels, line in survey.lines.items():
            found = get(line)
            numbers = found if isinstance(found, Sequence) else () if found is None else (found,)
            for number in numbers:
                yield asdict(labels), number

    return values


def _each_store(get: Callable[[StoreLine], float | None]) -> Callable[[Survey], _Values]:
    def values(survey: Survey) -> _Values:
        for store in survey.stores:
            number = get(store)
            if number is not None:
                yield {"store": store.url}, number

    return values


def _intervals(survey: Survey) -> _Values:
    for store in survey.stores:
        labels = Labels(survey.database, store.url, USUAL_KIND)
        yield asdict(labels), survey.interval_seconds


METRICS = (
    Metric(
        "backup",
        Instrument.COUNTER,
        "",
        "Total number of backups created.",
        _each(lambda line: line.backups),
    ),
    Metric(
        "backup_errors",
        Instrument.COUNTER,
        "",
        "Number of backup failures; one that only this store did not take is one of this store.",
        _each(lambda line: line.errors),
    ),
    Metric(
        "backup_duration",
        Instrument.HISTOGRAM,
        "s",
        "Time taken for backup operations.",
        _each(lambda line: line.backup_seconds),
    ),
    Metric(
        "backup_size",
        Instrument.GAUGE,
        "By",
        "Size of the last good backup as it is stored, compressed and encrypted.",
        _each(lambda line: line.last_stored_bytes),
    ),
    Metric(
        "backup_last_size",
        Instrument.GAUGE,
        "By",
        "Size of the data in the last good backup.",
        _each(lambda line: line.last_size_bytes),
    ),
    Metric(
        "backup_last_success_timestamp",
        Instrument.GAUGE,
        "s",
        "When the last good backup was finished, as Unix time; 0 for never.",
        _each(lambda line: line.last_success),
    ),
    Metric(
        "backup_last_verified_timestamp",
        Instrument.GAUGE,
        "s",
        "When a backup was last verified and found good, as Unix time; 0 for never.",
        _each(lambda line: line.last_verified),
    ),
    Metric(
        "backup_restore_duration",
        Instrument.HISTOGRAM,
        "s",
        "Time taken for restores of a backup of the database.",
        _each(lambda line: line.restore_seconds),
    ),
    Metric(
        "backup_deleted",
        Instrument.COUNTER,
        "",
        "Number of backups deleted, by hand or by the retention policy.",
        _each(lambda line: line.deleted),
    ),
    Metric(
        "backup_deduplicated",
        Instrument.COUNTER,
        "By",
        "Bytes that backups did not have to store again, since the store had them.",
        _each(lambda line: line.deduplicated_bytes),
    ),
    Metric(
        "backup_copies_missing",
        Instrument.GAUGE,
        "",
        "Number of good backups in other stores that this store should have, and has not.",
        _each(lambda line: line.missing),
    ),
    Metric(
        "backup_interval",
        Instrument.GAUGE,
        "s",
        "Longest time between two backups by the schedule of the database backed up here.",
        _intervals,
    ),
    Metric(
        "backup_stored",
        Instrument.GAUGE,
        "By",
        "Size of all that the store holds for backups, shared blobs counted once.",
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
        "Whether the store could be read: 1, or 0 if what is shown of it is old or unknown.",
        _each_store(lambda store: int(store.reachable)),
    ),
)


def record(survey: Survey, reader: MetricReader, resource: Resource) -> MeterProvider:
    """Return a provider whose reader collects what a survey found; it has to be shut down."""
    provider = MeterProvider((reader,), resource, shutdown_on_exit=False)
    meter = provider.get_meter("brownie_backup", version("brownie-backup"))
    for metric in METRICS:
        tell = _instrument(meter, metric)
        for attributes, value in metric.values(survey):
            tell(value, attributes)
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
