"""Fixtures of the integration tests."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Servers
from tests.unit.keys import plain_pair

from brownie_backup import Repository
from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.encryptors import GnuPG
from brownie_backup.stores import LocalStore

SMALL = """
CREATE TABLE orders (id int PRIMARY KEY, what text NOT NULL);
INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 1000) g;
CREATE VIEW big AS SELECT * FROM orders WHERE id > 500;
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository in a folder, encrypted for a key."""
    with GnuPG(private_key=plain_pair().private) as encryptor:
        store = LocalStore(tmp_path / "store")
        yield Repository(store, Zstd(), encryptor, (Gzip(), Uncompressed()))


@pytest.fixture
def cli(servers: Servers, bulky: str, tmp_path: Path) -> Cli:
    """The command line, for the bulky database, whose table pg_dump reads, which takes a while."""
    cli = cli_for(servers.get(18), bulky, tmp_path)
    return Cli(cli.env | {"BACKUP_BULK_TABLE_BYTES": "1G"})


@pytest.fixture
def small(servers: Servers) -> Iterator[str]:
    """A small database on 18, new for each test; whatever is named after it goes with it."""
    server = servers.get(18)
    name = f"small_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, SMALL)
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)


@pytest.fixture
def small_cli(servers: Servers, small: str, tmp_path: Path) -> Cli:
    """The command line, for a small database."""
    return cli_for(servers.get(18), small, tmp_path)
