"""Whatever happens to one of four workers: a good backup, or a clear error and nothing left."""

import contextlib
import re
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
from attrs import evolve
from tests.integration.cli import Cli, children, cli_for, finish
from tests.integration.waiting import wait_until
from tests.integration.worker_factories import Spoilt
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, verify_backup
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import BackupError, DatabaseError, StoreFull
from brownie_backup.hints import DatabaseHint
from brownie_backup.model.reports import BackupReport

pytestmark = pytest.mark.once

JOBS = 4
PROMPT_SECONDS = 20
"""What an end may take on a machine that is busy with other tests."""

LONG = """
CREATE TABLE long AS SELECT g AS id, (
  SELECT string_agg(encode(sha512((g || ':' || i)::bytea), 'hex'), '') FROM generate_series(1, 80) i
) AS text FROM generate_series(1, 3000) g;
"""
"""Some 30 MiB out of line: few blocks make two blobs, so that a slow store stalls a COPY."""
PLAIN = """
CREATE TABLE plain (id int, text text STORAGE PLAIN);
INSERT INTO plain SELECT g, (
  SELECT string_agg(encode(sha512((g || ':' || i)::bytea), 'hex'), '') FROM generate_series(1, 60) i
) FROM generate_series(1, 11000) g;
"""
"""A heap of some 85 MiB, which the command line reads in ranges."""
WORKERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'brownie-backup %'
"""
COORDINATOR = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'brownie-backup'
ORDER BY backend_start LIMIT 1
"""


@pytest.fixture(scope="module")
def template(servers: Servers) -> Iterator[str]:
    """A database with a large table."""
    servers.get(18).create("range_faults")
    servers.get(18).sql("range_faults", LONG)
    yield "range_faults"
    servers.get(18).drop("range_faults")


@pytest.fixture
def database(servers: Servers, template: str) -> Iterator[str]:
    """A copy of it for one test."""
    name = f"range_faults_{secrets.token_hex(4)}"
    servers.get(18).create(name, f"TEMPLATE {template}")
    yield name
    servers.get(18).drop(name)


def dumper(server: Server, database: str, range_bytes: int = 8 << 10) -> PostgresDumper:
    """Return a dumper for which little is much, and a range is a block."""
    return PostgresDumper(
        parse_conninfo(server.url(database)),
        pg_bin=str(server.client),
        bulk_table_bytes=64 << 10,
        range_bytes=range_bytes,
    )


def spoilt(repository: Repository, before: partial[None]) -> Repository:
    """Return the repository, in whose store something happens before each put of a blob."""
    return evolve(repository, store=Spoilt(repository.store, before))


@contextlib.contextmanager
def disturbed(
    repository: Repository, server: Server, database: str
) -> Iterator[Future[BackupReport]]:
    """Run a backup by four workers, slowly; the block begins when they are at work."""
    slow = spoilt(repository, partial(time.sleep, 0.3))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(create_backup, slow, dumper(server, database), jobs=JOBS)
        wait_until(
            lambda: future.done() or len(server.sql(database, WORKERS).split()) >= JOBS,
            what="all workers are at work",
        )
        began = time.monotonic()
        yield future
        with contextlib.suppress(BackupError):
            future.result(60)
        assert time.monotonic() - began < PROMPT_SECONDS


def assert_good_or_nothing(
    repository: Repository, server: Server, database: str, future: Future[BackupReport]
) -> BaseException | None:
    """No session and no child is left, and what is listed is good; return the error."""
    wait_until(lambda: server.sessions(database) == 0, what="no session is left", limit=5)
    assert not [each for each in psutil.Process().children(recursive=True) if each.name() == "psql"]
    error = future.exception()
    if error is None:
        report = future.result()
        assert verify_backup(repository, dumper(server, database), report.manifest.name).good
    else:
        assert isinstance(error, DatabaseError), error
        assert error.hint
        assert not repository.backups()
    return error


def assert_resumed(repository: Repository, server: Server, database: str) -> None:
    """The next backup succeeds, and uses what is there."""
    there = repository.blob_sizes()
    report = create_backup(repository, dumper(server, database), jobs=JOBS)
    assert report.reused_blobs >= len(there) - 3  # a head and roles are other ones each time
    assert verify_backup(repository, dumper(server, database), report.manifest.name).good


@pytest.mark.parametrize(
    "who", [f"{WORKERS} ORDER BY backend_start DESC LIMIT 1", WORKERS, COORDINATOR]
)
def test_sessions_that_are_terminated(
    repository: Repository, servers: Servers, database: str, who: str
) -> None:
    server = servers.get(18)
    with disturbed(repository, server, database) as future:
        server.sql(database, f"SELECT pg_terminate_backend(pid) FROM ({who}) AS chosen")
    error = assert_good_or_nothing(repository, server, database, future)
    # A session that had read all that its worker was given is not missed: then the backup is good.
    if who != COORDINATOR and error:
        # Which of both it is depends on whether the client reads or writes at that moment.
        assert re.search("terminating connection|server closed the connection", str(error))
    assert_resumed(repository, server, database)


@pytest.mark.parametrize(
    "setting", ["statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"]
)
def test_timeouts_of_the_server_are_none_of_ours(
    repository: Repository,
    servers: Servers,
    database: str,
    setting: str,
) -> None:
    server = servers.get(18)
    server.sql("postgres", f"ALTER DATABASE {database} SET {setting} = '1s'")
    server.sql("postgres", f"ALTER ROLE postgres IN DATABASE {database} SET {setting} = '1s'")
    slow = spoilt(repository, partial(time.sleep, 1.5))
    # More than a blob in each range: the server waits for us in the middle of a COPY.
    source = dumper(server, database, range_bytes=256 << 10)
    report = create_backup(slow, source, jobs=JOBS)
    assert verify_backup(repository, source, report.manifest.name).good
    assert any(part.table for part in report.manifest.parts)


def test_a_store_that_fails_for_one_worker(
    repository: Repository, servers: Servers, database: str
) -> None:
    server = servers.get(18)
    puts = iter(range(1_000_000))
    lock = threading.Lock()

    def fail_once() -> None:
        with lock:
            number = next(puts)
        if number == 5:
            raise StoreFull("no room on purpose", hint="Make room")

    began = time.monotonic()
    with pytest.raises(StoreFull, match="no room on purpose"):
        create_backup(spoilt(repository, partial(fail_once)), dumper(server, database), jobs=JOBS)
    assert time.monotonic() - began < PROMPT_SECONDS
    assert not repository.backups()
    wait_until(lambda: server.sessions(database) == 0, what="no session is left", limit=5)
    assert_resumed(repository, server, database)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may stop, with the large table and few connections."""
    server = Server(18)
    try:
        server.create("long")
        server.sql("long", LONG)
        settings = {"max_connections": 10, "superuser_reserved_connections": 0}
        for name, value in {**settings, "reserved_connections": 0, "max_wal_senders": 0}.items():
            server.sql("postgres", f"ALTER SYSTEM SET {name} = {value}")
        server.stop()
        server.start()
        yield server
    finally:
        server.close()


def test_a_server_that_stops(repository: Repository, own_server: Server) -> None:
    with disturbed(repository, own_server, "long") as future:
        own_server.stop("immediate")
    own_server.start()
    assert_good_or_nothing(repository, own_server, "long", future)
    assert_resumed(repository, own_server, "long")


@pytest.mark.parametrize("left", [1, 2, 4])
def test_a_server_with_too_few_connections(
    repository: Repository, own_server: Server, left: int
) -> None:
    count = 10 - left
    sleep = "SET application_name = 'other'; SELECT pg_sleep(60) FROM generate_series(1, 1)"
    with ThreadPoolExecutor(count) as pool:
        others = [pool.submit(own_server.sql, "postgres", sleep) for _ in range(count)]
        time.sleep(1)
        source = dumper(own_server, "long")
        slow = spoilt(repository, partial(time.sleep, 0.3))
        try:
            with pytest.raises(
                DatabaseError, match=r"too many clients|could not connect to database"
            ) as raised:
                create_backup(slow, source, jobs=JOBS)
        finally:
            for child in psutil.Process().children(recursive=True):
                if child.name() == "psql":
                    child.terminate()
        assert all(other.exception() for other in others)
    assert raised.value.hint == DatabaseHint.TOO_MANY_CONNECTIONS()
    assert not repository.backups()


@pytest.fixture(scope="module")
def plain(servers: Servers) -> Iterator[str]:
    """A database with a table that the command line reads in ranges."""
    servers.get(18).create("plain")
    servers.get(18).sql("plain", PLAIN)
    yield "plain"
    servers.get(18).drop("plain")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended(
    servers: Servers, plain: str, tmp_path: Path, number: signal.Signals
) -> None:
    server = servers.get(18)
    ours = cli_for(server, plain, tmp_path)
    cli = Cli(ours.env | {"BACKUP_PARALLEL_JOBS": str(JOBS)})
    process = cli.start("backup", "--name", "disturbed")
    wait_until(
        lambda: len(cli.blobs()) >= 2 and len(server.sql(plain, WORKERS).split()) >= 2,
        what="workers have stored something",
    )
    programs = [*children(process, "psql")]
    process.send_signal(number)
    result = finish(process, PROMPT_SECONDS)
    assert result.status == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: server.sessions(plain) == 0, what="no session is left", limit=5)
    assert not psutil.wait_procs(programs, timeout=5)[1]
    if number == signal.SIGTERM:
        assert not [*Path(cli.env["TMPDIR"]).iterdir()]
        assert not [*cli.store.glob("leases/*")]
    assert cli.backups() == {}
    there = len(cli.blobs())
    document = cli.json("backup", "--name", "resumed")
    assert document["reused_blobs"] >= there - 2
    assert cli.json("verify", "resumed")["good"]
