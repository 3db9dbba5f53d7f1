"""What a page that polls costs: with stores opened for each request, opened once, and bare.

The store that is read is in memory, so that what is measured is our own work. What it takes to open
one is measured of a cloud's, of which nothing is asked.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from brownie_backup.audit.operation import Actor
from brownie_backup.config import OpenStores, Settings
from brownie_backup.operations.status import report_status
from brownie_backup.protocols import Store
from brownie_backup.repository import OperationLog
from brownie_backup.schedule import Schedule
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.stores import MemoryStore
from brownie_backup.stores.location import Location
from tests.benchmarks.measuring import print_table
from tests.unit.fakes import FakeDumper

BACKUPS = 5
POLLS = 200
OPENINGS = 10
MOST_OVERHEAD_SECONDS = 1e-3
KEEPING_IS_CHEAPER = 20
"""By which factor at least it is to use what is open rather than to open it."""
CLOUD = Location(
    "s3",
    "bucket",
    region="x",
    endpoint_url="http://127.0.0.1:9",
    access_key=Secret("key"),
    secret_key=Secret("secret"),
)

pytestmark = pytest.mark.timeout(600)


def cpu_seconds(work: Callable[[], object], times: int) -> float:
    """Return what one call takes, the first left out."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def service_of(settings: Settings, opener: Callable[[Location], Store]) -> Service:
    context = ServiceContext(OpenStores(settings, opener), make_dumper=lambda _: FakeDumper())
    return Service(settings, Actor("ann", "api"), context)


def test_a_poll_costs_what_the_store_costs() -> None:
    memory = MemoryStore()
    settings = Settings(primary=Location("s3", "bucket"), encryption=False, cache_dir="none")
    kept = service_of(settings, lambda _: memory)
    for _ in range(BACKUPS):
        kept.create_backup()
    bare = kept.context.repositories()
    schedule = Schedule(settings.schedule, settings.timezone)

    def status() -> object:
        now = datetime.now(UTC)
        policies = kept.context.policies
        return report_status(bare, schedule, now, policies=policies, check_blobs=False)

    def operations() -> object:
        return OperationLog(bare[0].store, bare[0].clock).recent(100)

    def opens_each_time() -> object:
        with OpenStores(Settings(primary=CLOUD, encryption=False, cache_dir="none")) as stores:
            return stores.repositories()

    cloud = OpenStores(Settings(primary=CLOUD, encryption=False, cache_dir="none"))
    opening = cpu_seconds(opens_each_time, OPENINGS)
    using = cpu_seconds(cloud.repositories, POLLS)
    rows = []
    for what, alone, served in (
        ("status", status, lambda: kept.status(check_blobs=False)),
        ("operations", operations, lambda: kept.operation_log().recent(100)),
    ):
        without, with_service = cpu_seconds(alone, POLLS), cpu_seconds(served, POLLS)
        before = with_service + opening - using
        rows.append(
            (
                what,
                "1.00",
                f"{with_service / without:.2f}",
                f"{before / without:.1f}",
                f"{before / with_service:.1f}",
            )
        )
        assert with_service - without < MOST_OVERHEAD_SECONDS, what
    print_table(("", "bare", "opened once", "opened each time", "each time / once"), rows)
    print_table(
        ("", "ratio"), [("opening an S3 store / using the open one", f"{opening / using:.0f}")]
    )
    assert opening > KEEPING_IS_CHEAPER * using
