"""Fixtures for all tests: real PostgreSQL servers, started when first asked for."""

from collections.abc import Iterator

import pytest

from tests.servers.running import BULK, Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of every major, shared by all tests of a run."""
    with Servers() as running:
        yield running


@pytest.fixture(scope="session")
def bulky(servers: Servers) -> str:
    """A database on 18 with some 100 MiB that don't compress to nothing: half a dozen blobs."""
    server = servers.get(18)
    server.create("bulky")
    server.sql("bulky", BULK)
    return "bulky"
