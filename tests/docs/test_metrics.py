"""The page of the metrics and what is exported are the same."""

from datetime import UTC, datetime

import pytest
from attrs import fields
from prometheus_client.parser import text_string_to_metric_families

from brownie_backup.telemetry.aggregate import DatabaseMetrics, Labels, MetricsSnapshot, StoreLine
from brownie_backup.telemetry.exposition import render
from brownie_backup.telemetry.instruments import METRICS
from tests.docs.pages import page

pytestmark = pytest.mark.once

METRICS_PAGE = page("docs/reference/metrics.md")
LINE = DatabaseMetrics(1, 1, 1, 1, [1.0], [1.0], 1, 1, 1, 1, 1)


def test_each_metric_is_documented_as_it_is_exported() -> None:
    snapshot = MetricsSnapshot(
        database="shop",
        interval_seconds=1,
        began_at=datetime.now(UTC),
        databases={Labels("shop", "file:///s", "logical"): LINE},
        stores=(StoreLine("file:///s", reachable=True, stored_bytes=1, lease_age_seconds=1),),
    )
    exported = [
        (
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
            family.documentation.removesuffix("."),
        )
        for family in text_string_to_metric_families(render(snapshot).decode())
    ]
    documented = [
        (name.strip("`"), kind, set(labels.split(", ")), meaning)
        for name, kind, labels, meaning in METRICS_PAGE.rows("Metrics")
    ]
    assert exported == documented
    assert len(documented) == len(METRICS)


def test_each_label_is_documented() -> None:
    documented = {row[0].strip("`") for row in METRICS_PAGE.rows("Labels")}
    assert documented == {field.name for field in fields(Labels)}
