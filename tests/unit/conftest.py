"""Settings and fixtures of the unit tests."""

import pytest
from hypothesis import settings
from tests.unit.fakes import FakeClock, FakeDumper

settings.register_profile("brownie", deadline=None)  # a busy machine is no failure
settings.load_profile("brownie")


@pytest.fixture
def _small_blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a blob of each 1,000 bytes, so that little data makes many."""
    monkeypatch.setattr("brownie_backup.pipeline.archiver.BLOB_BYTES", 1000)


@pytest.fixture
def clock() -> FakeClock:
    """Noon, until it is told otherwise."""
    return FakeClock()


@pytest.fixture
def dumper(monkeypatch: pytest.MonkeyPatch) -> FakeDumper:
    """What every `Service` backs up, and restores to."""
    dumper = FakeDumper()
    monkeypatch.setattr("brownie_backup.service.context.make_dumper", lambda _: dumper)
    return dumper
