"""The command line through each store: backup, list, verify, restore, delete and cleanup."""

import pytest
from tests.integration.cli import Cli, cli_for
from tests.integration.stores import STORES
from tests.integration.test_round_trip import SCHEMA, SOURCE
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once


@pytest.fixture
def server(servers: Servers) -> Server:
    """A server of 18 with every kind of object in a database."""
    server = servers.get(18)
    if SOURCE not in server.databases():
        server.create(SOURCE)
        server.load(SOURCE, SCHEMA)
    return server


@pytest.fixture(params=STORES)
def cli(server: Server, request: pytest.FixtureRequest) -> Cli:
    """The command line with one of the stores."""
    plain = cli_for(server, SOURCE, request.getfixturevalue("tmp_path"))
    return Cli(plain.env | STORES[request.param](request))


def test_a_round_trip_by_the_command_line(cli: Cli, server: Server) -> None:
    before = server.plain_dump(SOURCE)
    first = cli.json("backup", "--name", "first")
    second = cli.json("backup", "--name", "second")
    assert second["reused_blobs"] > 0
    assert [each["stored"] for each in first["stores"]] == [True]
    assert cli.backups() == {"first": "good", "second": "good"}
    assert cli.json("verify", "first")["good"]

    target = "restored from a store"
    try:
        restored = cli.json("restore", "second", "--target-db", target)
        assert restored["store"] == first["stores"][0]["url"]
        assert server.plain_dump(target) == before
    finally:
        server.drop(target)

    cli.json("delete", "first")
    assert cli.backups() == {"second": "good"}
    cleaned = cli.json("cleanup")
    assert cleaned["deleted"] == []
    assert cli.json("verify", "second")["good"]
    assert cli.json("status")["leases"] == []
