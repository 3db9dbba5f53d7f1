"""Listing and sweeping: time, memory and requests for each backup, in a store ten times as large.

The stores are folders, so that what is measured is our own work and not a network.
"""

from pathlib import Path

import pytest
from attrs import frozen

from tests.benchmarks.catalogues import NEW_EACH, beginning, fill, listing, sweeping
from tests.benchmarks.measuring import MIB, Measured, measure, print_table

SMALL, LARGE = 1_000, 10_000
PATIENCE = 2
"""How much longer it may take for each backup; machines are noisy."""
ROOM = 1.3
GAIN = 2
"""How many times quicker the cache makes a listing, at least: it is of a folder."""

pytestmark = pytest.mark.timeout(3600)


@frozen
class Series:
    """What was measured in one store."""

    backups: int
    cold: Measured
    warm: Measured
    begin: Measured
    sweep: Measured


def measured(folder: Path, backups: int) -> Series:
    store, cache = folder / "store", folder / "cache"
    fill(store, backups)
    return Series(
        backups,
        cold=measure(listing, store, cache),
        warm=measure(listing, store, cache),
        begin=measure(beginning, store, cache),
        sweep=measure(sweeping, store, cache),
    )


def test_listing_and_sweeping(tmp_path: Path) -> None:
    small = measured(tmp_path / "small", SMALL)
    large = measured(tmp_path / "large", LARGE)
    rows = []
    for what in ("cold", "warm", "begin", "sweep"):
        one, many = getattr(small, what), getattr(large, what)
        rows += [
            (f"{what}: ms a backup", *_both(one.seconds / SMALL * 1e3, many.seconds / LARGE * 1e3)),
            (
                f"{what}: CPU ms a backup",
                *_both(one.cpu_seconds / SMALL * 1e3, many.cpu_seconds / LARGE * 1e3),
            ),
            (f"{what}: peak MiB", *_both(one.peak_bytes / MIB, many.peak_bytes / MIB)),
            (f"{what}: requests", *(_calls(each) for each in (one, many)), ""),
        ]
    print_table(("", f"{SMALL:,} backups", f"{LARGE:,} backups", "ratio"), rows)
    for what in ("cold", "warm", "begin", "sweep"):
        one, many = getattr(small, what), getattr(large, what)
        assert many.cpu_seconds / LARGE < PATIENCE * one.cpu_seconds / SMALL, what
        assert many.peak_bytes < ROOM * one.peak_bytes * LARGE / SMALL, what
    for series in (small, large):
        # Manifests, verifications, holds and blobs are listed; one get is of the identity.
        assert series.cold.calls == {"list": 4, "get": series.backups + 1}
        assert series.warm.calls["get"] < 3
        assert series.warm.cpu_seconds * GAIN < series.cold.cpu_seconds
        assert series.begin.cpu_seconds * GAIN < series.cold.cpu_seconds
        assert series.sweep.calls["delete"] == series.backups * NEW_EACH + 1  # and the lease


def _both(one: float, many: float) -> tuple[str, str, str]:
    return f"{one:.2f}", f"{many:.2f}", f"{many / one:.2f}"


def _calls(of: Measured) -> str:
    return ", ".join(f"{count:,} {method}" for method, count in sorted(of.calls.items()))
