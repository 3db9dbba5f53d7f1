"""Sessions of ours: they end when they are told to, and leave nothing on the server."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.majors import EACH_MAJOR
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import ConnectionFailed, DatabaseError, DatabaseNotFound
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.session import Session

pytestmark = pytest.mark.once

PROMPT_SECONDS = 20
SLEEP = "SELECT pg_sleep(600)"


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def client(server: Server, small: str) -> Client:
    return Client(parse_conninfo(server.url(small)), str(server.client))


def slowly() -> Iterator[bytes]:
    """Yield nothing for a minute."""
    for _ in range(600):
        time.sleep(0.1)
        yield b""


def sleeping(server: Server, database: str) -> bool:
    """Whether a session of the database is asleep."""
    asleep = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = "
    return server.sql("postgres", asleep + "'active'") != "0\n"


@pytest.mark.parametrize("end", [Session.interrupt, Session.close])
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda session: session.run(SLEEP), id="run"),
        pytest.param(lambda session: session.query(SLEEP), id="query"),
        pytest.param(
            lambda session: list(session.copy_out(f"COPY ({SLEEP}) TO STDOUT".encode())), id="out"
        ),
        pytest.param(
            lambda session: session.copy_in(b"COPY orders FROM STDIN", "UTF8", slowly()),
            id="in",
        ),
    ],
)
def test_another_thread_ends_it(
    client: Client,
    server: Server,
    small: str,
    work: Callable[[Session], object],
    end: Callable[[Session], None],
) -> None:
    with ThreadPoolExecutor(1) as pool, client.session() as session:
        session.run("SET search_path = public")
        future = pool.submit(work, session)
        wait_until(lambda: sleeping(server, small), what="it is at work")
        began = time.monotonic()
        end(session)
        assert isinstance(future.exception(PROMPT_SECONDS), DatabaseError)
        assert time.monotonic() - began < PROMPT_SECONDS
        with pytest.raises(ConnectionFailed, match="was ended"):
            session.run("SELECT 1")
    wait_until(lambda: server.sessions(small) == 0, what="no session is left", limit=5)


def test_an_exception_ends_what_runs(client: Client, server: Server, small: str) -> None:
    def begin_and_fail() -> None:
        with client.session() as session:
            next(session.copy_out(b"COPY (SELECT generate_series(1, 100000000)) TO STDOUT"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_fail()
    wait_until(lambda: server.sessions(small) == 0, what="no session is left", limit=5)


@pytest.fixture(params=EACH_MAJOR)
def each(servers: Servers, request: pytest.FixtureRequest) -> Client:
    server = servers.get(request.param)
    return Client(parse_conninfo(server.url("postgres")), str(server.client))


def test_errors_have_codes_and_no_place_in_a_script(each: Client) -> None:
    for sql, code in (
        ("SELECT 1 / 0", "22012"),
        ("SELECT nothing", "42703"),
        ("TABLE nowhere", "42P01"),
    ):
        with pytest.raises(DatabaseError, match=r"^PostgreSQL said: ERROR: ") as caught:
            each.query(sql)
        assert caught.value.sqlstate == code
    with pytest.raises(DatabaseNotFound, match="there is no database 'nowhere'"):
        each.query("SELECT 1", "nowhere")


def test_a_statement_that_several_are_in_is_no_transaction_with_the_next(each: Client) -> None:
    with each.session() as session:
        with pytest.raises(DatabaseError):
            session.run("CREATE TEMP TABLE one (id int); SELECT 1 / 0")
        session.run("CREATE TEMP TABLE one (id int)", "SELECT 1")
        assert session.query("SELECT count(*) AS n FROM one") == [{"n": 0}]


def test_rows_go_in_and_come_out(each: Client) -> None:
    rows = b"".join(b"%d\t%s\n" % (n, b"x" * 1000) for n in range(2000))
    with each.session() as session:
        session.run("CREATE TEMP TABLE t (id int, what text)", "BEGIN")
        chunks = (rows[at : at + 700_001] for at in range(0, len(rows), 700_001))
        assert session.copy_in(b"COPY t FROM STDIN", "UTF8", chunks) == 2000
        assert b"".join(session.copy_out(b"COPY t TO STDOUT")) == rows
        assert session.copy_in(b"COPY t FROM STDIN", "LATIN1", [b"1\t\xe9\n"]) == 1
        assert session.query("SELECT what FROM t WHERE id = 1 AND length(what) = 1") == [
            {"what": "é"}
        ]


def test_what_the_server_says_of_wrong_rows_is_known_however_many_follow(each: Client) -> None:
    with each.session() as session:
        session.run("CREATE TEMP TABLE t (id int)")
        with pytest.raises(DatabaseError, match="invalid input syntax") as caught:
            session.copy_in(b"COPY t FROM STDIN", "UTF8", [b"wrong\n", *[b"1\n" * 500_000] * 20])
        assert caught.value.sqlstate == "22P02"


def test_nothing_of_a_roles_settings_is_in_force(each: Client) -> None:
    settings = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"
    each.run(f"ALTER ROLE postgres SET {name} = '123s'" for name in (*settings, "search_path"))
    try:
        with each.session() as session:
            found = [session.value(f"SHOW {name}".encode()) for name in (*settings, "search_path")]
        assert found == ["0", "0", "0", "pg_catalog, pg_temp"]
    finally:
        each.run(["ALTER ROLE postgres RESET ALL"])


def test_no_log_and_no_repr_has_the_password(
    client: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    secret = server.password.reveal()
    caplog.set_level(logging.DEBUG)
    with client.session() as session:
        shown = repr([vars(session), session._connection, client.access, vars(client)])
    with pytest.raises(ConnectionFailed) as caught:
        Client(parse_conninfo(server.url("postgres").replace("@127", "wrong@127"))).query("SELECT")
    assert secret not in shown + caplog.text + repr(caught.value) + str(caught.value)


def test_threads_ask_at_once(client: Client) -> None:
    ready = threading.Barrier(8)

    def ask(number: int) -> object:
        ready.wait(30)
        return client.query(f"SELECT {number} AS n")[0]["n"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == list(range(8))
