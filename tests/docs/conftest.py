"""Fixtures of the documentation's tests."""

from collections.abc import Iterator

import pytest

from tests.docs.sandbox import Sandbox
from tests.servers.running import Server

SAMPLE = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  total numeric(10, 2) NOT NULL
);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO orders SELECT n, 1 + n % 1000, n / 100.0 FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture(scope="session")
def docs_server() -> Iterator[Server]:
    """A server of our own: pages may do with it what they like."""
    server = Server(18)
    try:
        server.create("sample")
        server.sql("sample", SAMPLE)
        yield server
    finally:
        server.close()


@pytest.fixture
def sandbox(docs_server: Server) -> Iterator[Sandbox]:
    """A place to run examples in."""
    place = Sandbox(docs_server)
    try:
        yield place
    finally:
        place.close()
