"""libpq in our process and PostgreSQL's programs connect to the same, whatever says where."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from tests.servers.certificates import certificate
from tests.servers.running import Server

from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import BackupError, ConnectionFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.client import Client

pytestmark = pytest.mark.once

WHERE = """
SELECT coalesce(host(inet_server_addr()), 'socket') || ' ' || current_setting('port') || ' '
  || session_user || ' ' || current_database() || ' ' || current_setting('application_name') || ' '
  || (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) || ' '
  || current_setting('geqo') AS place
"""


@frozen
class Place:
    """Two servers with TLS and sockets, and what tests need to connect to them."""

    one: Server
    other: Server
    folder: Path
    closed: int
    """A port where nobody listens."""

    def fill(self, text: str) -> str:
        """Put ports, passwords and folders into a connection string."""
        return text.format(
            one=self.one.port,
            other=self.other.port,
            closed=self.closed,
            password=self.one.password.reveal(),
            others_password=self.other.password.reveal(),
            folder=self.folder,
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="bb-place-"))
    folder.chmod(0o777)
    made, key = certificate(folder, "127.0.0.1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    servers = []
    try:
        for major in (18, 17):
            server = Server(major)
            servers.append(server)
            for path in (made, key):
                copied = server.data / path.name
                shutil.copyfile(path, copied)
                copied.chmod(0o600)
                shutil.chown(copied, server.data.owner())
            for name, value in {
                "ssl": "on",
                "ssl_cert_file": f"{made.name}",
                "ssl_key_file": f"{key.name}",
                "unix_socket_directories": str(folder),
            }.items():
                server.sql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
            server.stop()
            server.start()
            server.create("shop")
            server.sql("shop", "CREATE ROLE clerk LOGIN PASSWORD 'clerks'")
        one, other = servers
        (folder / "services").write_text(
            f"[one]\nhost=127.0.0.1\nport={one.port}\nuser=postgres\ndbname=shop\n"
            f"password={one.password.reveal()}\noptions=-c geqo=off\n\n"
            f"[several]\nhost=127.0.0.1,127.0.0.1\nport={closed},{one.port}\nuser=clerk\n"
            "dbname=shop\npassword=clerks\nsslmode=disable\nconnect_timeout=3\n\n"
            f"[bare]\nhost=127.0.0.1\nport={one.port}\ndbname=shop\n"
        )
        passfile = folder / "pgpass"
        passfile.write_text(f"127.0.0.1:{one.port}:*:postgres:{one.password.reveal()}\n")
        passfile.chmod(0o600)
        yield Place(one, other, folder, closed)
    finally:
        for server in servers:
            server.close()
        shutil.rmtree(folder)


URI = "postgresql://postgres:{password}@127.0.0.1:{one}/shop"
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "uri": (URI, {}),
    "pairs": ("host=127.0.0.1 port={one} user=clerk dbname=shop password=clerks", {}),
    "host name": ("host=localhost port={one} user=clerk dbname=shop password=clerks", {}),
    "socket": ("host={folder} port={one} user=clerk dbname=shop password=clerks", {}),
    "socket in a uri": (
        "postgresql://clerk:clerks@/shop?host={folder}&port={one}&application_name=ours",
        {},
    ),
    "no tls": (URI + "?sslmode=disable", {}),
    "tls": (URI + "?sslmode=require", {}),
    "tls that is verified": (URI + "?sslmode=verify-full&sslrootcert={folder}/certificate.pem", {}),
    "several hosts": (
        (
            "postgresql://postgres:{password}@127.0.0.1:{closed},127.0.0.1:{one}/shop"
            "?target_session_attrs=read-write"
        ),
        {},
    ),
    "several hosts, a standby at best": (
        (
            "host=127.0.0.1,127.0.0.1 port={closed},{one} user=clerk password=clerks dbname=shop"
            " target_session_attrs=prefer-standby"
        ),
        {},
    ),
    "options": (URI + "?options=-c%20geqo%3Doff", {}),
    "service": ("service=one", {}),
    "service with several hosts": ("service=several", {}),
    "service and another user": ("service=bare user=clerk password=clerks", {}),
    "service goes before variables": (
        "service=one",
        {"PGHOST": "127.0.0.1", "PGPORT": "{other}", "PGUSER": "clerk"},
    ),
    "service by variable": ("", {"PGSERVICE": "one", "PGHOST": "127.0.0.1", "PGPORT": "{other}"}),
    "uri goes before the service": (URI, {"PGSERVICE": "several", "PGOPTIONS": "-c geqo=off"}),
    "uri without a user, and a service": (
        "postgresql://127.0.0.1:{one}/shop",
        {"PGSERVICE": "several", "PGUSER": "postgres", "PGPASSWORD": "{password}"},
    ),
    "variables": (
        "",
        {
            "PGHOST": "127.0.0.1",
            "PGPORT": "{one}",
            "PGUSER": "clerk",
            "PGPASSWORD": "clerks",
            "PGDATABASE": "shop",
            "PGAPPNAME": "by variable",
            "PGSSLMODE": "disable",
            "PGOPTIONS": "-c geqo=off",
        },
    ),
    "variables, and an address": (
        "user=clerk dbname=shop password=clerks",
        {"PGHOST": "nowhere.invalid", "PGHOSTADDR": "127.0.0.1", "PGPORT": "{one}"},
    ),
    "passfile": ("host=127.0.0.1 port={one} user=postgres dbname=shop", {}),
    "wrong variables": (
        URI,
        {"PGHOST": "127.0.0.1", "PGPORT": "{other}", "PGPASSWORD": "wrong", "PGUSER": "clerk"},
    ),
    "another encoding": (URI, {"PGCLIENTENCODING": "LATIN1"}),
}
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "wrong password": (URI.replace("{password}", "wrong"), {}),
    "no password": ("host=127.0.0.1 port={other} user=postgres dbname=shop", {}),
    "nobody listens": ("postgresql://postgres:x@127.0.0.1:{closed}/shop", {}),
    "unknown service": ("service=nowhere", {}),
    "certificate of somebody else": (URI + "?sslmode=verify-ca&sslrootcert=/dev/null", {}),
    "no standby": (URI + "?target_session_attrs=standby", {}),
    "unknown word": (URI + "?sslmode=sometimes", {}),
}

MakeClient = Callable[[str, dict[str, str]], Client]
"""Makes a client for a connection string, in an environment with these variables."""


@pytest.fixture
def client_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    def make(text: str, variables: dict[str, str]) -> Client:
        for name in [name for name in os.environ if name.startswith("PG")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PGSERVICEFILE", str(place.folder / "services"))
        monkeypatch.setenv("PGPASSFILE", str(place.folder / "pgpass"))
        for name, value in variables.items():
            monkeypatch.setenv(name, place.fill(value))
        return Client(parse_conninfo(place.fill(text)), str(place.one.client))

    return make


def by_program(client: Client, sql: str = WHERE) -> "subprocess.CompletedProcess[str]":
    """Ask by psql where it is, or something else."""
    return subprocess.run(
        [
            *(client.newest_programs().path("psql"), "-XqAt", "--no-password"),
            *("-c", sql, "--dbname", client.access.command_line()),
        ],
        env=client.access.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_both_connect_to_the_same(client_for: MakeClient, place: Place, case: str) -> None:
    client = client_for(*CASES[case])
    with client.session() as session:
        (row,) = session.query(WHERE)
        asked = session._connection.info
        done = by_program(client)
        assert done.returncode == 0, done.stderr
        assert row["place"] == done.stdout.strip()
        assert str(asked.port) in row["place"]
        assert asked.port == place.one.port
        assert asked.dbname == "shop"
        assert asked.user in row["place"]
        assert "password" not in asked.get_parameters()
    pinned = client.pinned()
    done = by_program(pinned)
    assert done.returncode == 0, done.stderr
    assert pinned.query(WHERE) == [{"place": done.stdout.strip()}] == [row]


@pytest.mark.parametrize(
    ("text", "variables"),
    [CASES["options"], CASES["service"], (URI, {"PGOPTIONS": "-c geqo=off"})],
)
def test_without_event_triggers_other_options_stay(
    client_for: MakeClient, text: str, variables: dict[str, str]
) -> None:
    quiet = client_for(text, variables).pinned().without_event_triggers()
    sql = """SELECT current_setting('geqo') || current_setting('event_triggers')
      || current_setting('statement_timeout') AS found"""
    assert quiet.query(sql) == [{"found": "offoff0"}]
    assert by_program(quiet, sql).stdout == "offoff0\n"


def test_a_role_that_may_not_switch_event_triggers_off_connects_as_before(
    client_for: MakeClient,
) -> None:
    client = client_for(*CASES["pairs"])
    assert client.without_event_triggers() is client


def test_a_passfile_that_others_may_read_is_named(
    client_for: MakeClient, place: Place, tmp_path: Path
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text((place.folder / "pgpass").read_text())
    passfile.chmod(0o640)
    client = client_for(
        "host=127.0.0.1 port={one} user=postgres dbname=shop", {"PGPASSFILE": str(passfile)}
    )
    with pytest.raises(ConnectionFailed, match="no password supplied") as caught:
        client.query("SELECT 1")
    assert caught.value.hint == DatabaseHint.PASSWORD_FILE_MODE(file=str(passfile))
    assert by_program(client).returncode == 2


def test_a_wrong_password_of_a_passfile_names_the_file(
    client_for: MakeClient, tmp_path: Path
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:*:wrong\n")
    passfile.chmod(0o600)
    client = client_for(
        "host=127.0.0.1 port={one} user=postgres dbname=shop", {"PGPASSFILE": str(passfile)}
    )
    with pytest.raises(ConnectionFailed, match=f'password retrieved from file "{passfile}"'):
        client.query("SELECT 1")


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse_the_same(client_for: MakeClient, case: str) -> None:
    client = client_for(*REFUSED[case])
    with pytest.raises(BackupError) as caught:
        client.query("SELECT 1")
    assert "no connection to PostgreSQL" in caught.value.message
    assert "wrong" not in caught.value.message.replace("wrong password", "")
    done = by_program(client)
    assert done.returncode == 2
    # Of the same words: all but where and in which order.
    said = done.stderr.strip().rpartition("failed: ")[2].partition("\n")[0]
    assert said.removeprefix("psql: error: ") in caught.value.message
