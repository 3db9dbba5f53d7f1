"""Loading the rows of large tables, whatever a role, a connection or a table's owner sets."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from tests.integration.bulk import BULK_BYTES
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.stores import LocalStore

TABLE = """
CREATE TABLE notes (id int, note xml);
INSERT INTO notes SELECT g, xmlparse(CONTENT repeat('no document ', 20))
  FROM generate_series(1, 1000) g;
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository without encryption, which is not what this is about."""
    return Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())


@pytest.fixture
def server(servers: Servers) -> Server:
    """PostgreSQL 18."""
    return servers.get(18)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A database with a large table; what is named after it goes with it."""
    name = f"loading_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, TABLE)
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)


def test_options_of_the_connection_do_not_take_the_place_of_ours(
    repository: Repository, server: Server, database: str
) -> None:
    conninfo = parse_conninfo(server.url(database))
    options = {"options": "-c xmloption=document"}
    conninfo = evolve(conninfo, parameters={**conninfo.parameters, **options})
    dumper = PostgresDumper(conninfo, pg_bin=str(server.client), bulk_table_bytes=BULK_BYTES)
    create_backup(repository, dumper, name="one")
    restore(repository, dumper, "one", target_database=f"{database}_copy")
    rows = "SELECT string_agg(note::text, '' ORDER BY id) FROM notes"
    assert server.sql(f"{database}_copy", rows) == server.sql(database, rows)
