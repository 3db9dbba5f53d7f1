"""Settings and fixtures of the unit tests."""

import pytest
from hypothesis import settings
from tests.unit.fakes import FakeClock, FakeDumper, Tuned, tune

from brownie_backup.repository import Tuning

settings.register_profile("brownie", deadline=None)  # a busy machine is no failure
settings.load_profile("brownie")


@pytest.fixture(autouse=True)
def _usual_tuning() -> None:
    """Let no test's sizes and times be another's."""
    Tuned.now = Tuning()


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what a test keeps on this host out of the user's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def _small_blobs(_usual_tuning: None) -> None:
    """Make a blob of each 1,000 bytes, so that little data makes many."""
    tune(blob_bytes=1000)


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
