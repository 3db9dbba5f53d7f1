"""A connection string that leads to several servers: one backup, or one restore, is on one."""

import contextlib
import itertools
import select
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest
from tests.integration.bulk import BULK_BYTES
from tests.integration.conftest import SMALL
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, list_backups, restore
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.errors import ConnectionFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.model.findings import Level

pytestmark = pytest.mark.once

DATABASE = "on_several"
ROLE = "CREATE ROLE roamer SUPERUSER LOGIN PASSWORD 'same'"


@pytest.fixture(scope="module")
def pair(servers: Servers) -> Iterator[tuple[Server, Server]]:
    """Two servers with the same database and the same role; the client programs know both."""
    both = (servers.get(18), servers.get(17))
    for server in both:
        server.sql("postgres", ROLE)
        server.create(DATABASE)
        server.sql(DATABASE, SMALL)
        more = "INSERT INTO orders SELECT g, repeat('x', 90) FROM generate_series(2000, 3000) g"
        server.sql(DATABASE, more)
    yield both
    for server in both:
        for name in server.databases(f"{DATABASE}%"):
            server.drop(name)
        server.sql("postgres", "DROP ROLE roamer")


class _Balancer(socketserver.ThreadingTCPServer):
    """One address that leads to several servers by turns."""

    daemon_threads = True

    def __init__(self, *ports: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.turns = itertools.cycle(ports)


class _Forwarding(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Pass everything on, both ways, until one side has enough."""
        assert isinstance(self.server, _Balancer)
        port = next(self.server.turns)
        with socket.create_connection(("127.0.0.1", port)) as other:
            ways = {self.request: other, other: self.request}
            with contextlib.suppress(OSError):
                while True:
                    for source in select.select(ways, (), ())[0]:
                        data = source.recv(65_536)
                        if not data:
                            return
                        ways[source].sendall(data)


@pytest.fixture
def balanced(pair: tuple[Server, Server]) -> Iterator[str]:
    """The URL of an address that leads to both by turns."""
    with _Balancer(*(server.port for server in pair)) as balancer:
        thread = threading.Thread(target=balancer.serve_forever, args=(0.05,))
        thread.start()
        yield f"postgresql://roamer:same@127.0.0.1:{balancer.server_address[1]}/{DATABASE}"
        balancer.shutdown()
        thread.join()


@pytest.fixture
def several(pair: tuple[Server, Server]) -> str:
    """A URL with both hosts, of which each connection takes one at random."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in pair)
    return f"postgresql://roamer:same@{hosts}/{DATABASE}?load_balance_hosts=random"


def dumper(pair: tuple[Server, Server], url: str) -> PostgresDumper:
    return PostgresDumper(url, pg_bin=str(pair[0].client), bulk_table_bytes=BULK_BYTES)


def test_a_backup_and_a_restore_stay_on_the_first_of_several_hosts(
    pair: tuple[Server, Server], several: str, repository: Repository
) -> None:
    made = create_backup(repository, dumper(pair, several)).manifest
    assert [part.rows for part in made.parts if part.table] == [2001]
    restore(repository, dumper(pair, several), "latest", target_database=f"{DATABASE}_r")
    (there,) = (server for server in pair if server.databases(f"{DATABASE}_%"))
    assert there.sql(f"{DATABASE}_r", "SELECT count(*) FROM orders") == "2001\n"


def test_doctor_says_that_a_connection_leads_to_several_clusters(
    pair: tuple[Server, Server], several: str
) -> None:
    hosts = several.replace("random", "disable")
    assert not [each for each in dumper(pair, hosts).diagnose() if each.subject == "servers"]
    found = next(
        each
        for _ in range(20)  # each time, all four connections may lead to the same by chance
        for each in dumper(pair, several).diagnose()
        if each.subject == "servers"
    )
    assert found.level is Level.WARNING
    assert "several clusters" in found.message
    assert found.hint == DatabaseHint.NAME_ONE_SERVER()


def test_an_address_of_several_servers_is_refused_clearly_and_doctor_knows(
    pair: tuple[Server, Server], balanced: str, repository: Repository
) -> None:
    with pytest.raises(ConnectionFailed, match="leads to several servers: first the primary"):
        create_backup(repository, dumper(pair, balanced))
    assert not list_backups(repository)
    (found,) = (each for each in dumper(pair, balanced).diagnose() if each.subject == "servers")
    assert found.level is Level.ERROR
    assert found.hint == DatabaseHint.ONE_SERVER()
