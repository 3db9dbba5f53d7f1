"""The command line through each store: backup, list, verify, restore, delete and cleanup."""

import pytest
from tests.integration.cli import Cli
from tests.integration.stores import STORES
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once


@pytest.fixture
def server(servers: Servers) -> Server:
    """The server of 18."""
    return servers.get(18)


@pytest.fixture(params=STORES)
def cli(small_cli: Cli, request: pytest.FixtureRequest) -> Cli:
    """The command line with one of the stores."""
    return Cli(small_cli.env | STORES[request.param](request))


def test_a_round_trip_by_the_command_line(cli: Cli, small: str, server: Server) -> None:
    before = server.plain_dump(small)
    first = cli.json("backup", "--name", "first")
    second = cli.json("backup", "--name", "second")
    assert second["reused_blobs"] > 0
    assert [each["stored"] for each in first["stores"]] == [True]
    assert cli.backups() == {"first": "good", "second": "good"}
    assert cli.json("verify", "first")["good"]

    target = f"{small} restored from a store"
    restored = cli.json("restore", "second", "--target-db", target)
    assert restored["store"] == first["stores"][0]["url"]
    assert server.plain_dump(target) == before

    cli.json("delete", "first")
    assert cli.backups() == {"second": "good"}
    cleaned = cli.json("cleanup")
    assert cleaned["deleted"] == []
    assert cli.json("verify", "second")["good"]
    assert cli.json("status")["leases"] == []
