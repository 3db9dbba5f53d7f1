"""Fixtures for all tests: real PostgreSQL servers, started when first asked for."""

from collections.abc import Iterator

import pytest

from tests.servers.running import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of every major, shared by all tests of a run."""
    with Servers() as running:
        yield running
