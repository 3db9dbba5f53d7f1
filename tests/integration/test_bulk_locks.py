"""Locks on large tables: somebody else's before, during and behind ours."""

import contextlib
import functools
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta

import pytest
from attrs import frozen
from tests.integration import bulk
from tests.integration.bulk import BULK_BYTES, holding, read_tables, tables_of
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, list_backups
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.dump import large_tables, locks, snapshot
from brownie_backup.dumpers.postgres.dump.large_tables import Candidates
from brownie_backup.dumpers.postgres.dump.reader import PostgresReader
from brownie_backup.errors import DumpFailed
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.postgres.session import Session
from brownie_backup.protocols import Reader

pytestmark = pytest.mark.once

FILL = "SELECT g AS id, repeat('x', 400) AS what FROM generate_series(1, 1000) g"
SECOND = timedelta(seconds=1)
RANGE_BYTES = 80 << 10
dumper_for = functools.partial(bulk.dumper_for, range_bytes=RANGE_BYTES)


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A database with two large tables of some ranges, and a small one."""
    name = f"locked_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(
        name,
        f"CREATE TABLE a AS {FILL}; CREATE TABLE b AS {FILL}; CREATE TABLE small AS SELECT 1 AS id",
    )
    yield name
    server.drop(name)


def stored_rows(repository: Repository, dumper: PostgresDumper) -> list[int | None]:
    """Back up with two workers; return how many rows each large table has."""
    manifest = create_backup(repository, dumper, jobs=2).manifest
    return [part.rows for part in manifest.parts if part.table]


@frozen
class Altering:
    """Somebody's ALTER TABLE, that waits for our locks to go."""

    server: Server
    database: str
    process: subprocess.Popen[bytes]

    @property
    def waits(self) -> bool:
        """Whether it is waiting."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        return self.server.sql(self.database, waiting) != "0\n"


def alter(server: Server, database: str, before: str = "") -> Altering:
    """Begin an ALTER TABLE behind our locks."""
    client = dumper_for(server, database)._client
    argv = [
        *(str(server.client / "psql"), "-Xq", "--dbname", client.access.command_line(database)),
        *("-c", f"{before}; ALTER TABLE a ADD added int"),
    ]
    altering = Altering(server, database, subprocess.Popen(argv, env=client.access.environment()))
    wait_until(lambda: altering.waits, what="ALTER TABLE waits")
    return altering


class Disturbed(PostgresDumper):
    """Calls `disturb` once, when the archive or when the first range is to be read."""

    def __init__(
        self, server: Server, database: str, kind: PartKind, disturb: Callable[[], object]
    ) -> None:
        super().__init__(
            parse_conninfo(server.url("postgres")).with_database(database),
            pg_bin=str(server.client),
            bulk_table_bytes=BULK_BYTES,
            range_bytes=RANGE_BYTES,
            lock_timeout=timedelta(minutes=5),
        )
        self.kind_to_disturb = kind
        self.disturb = disturb
        self.archive_begun = threading.Event()
        self.lock = threading.Lock()
        self.done = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reader]:  # type: ignore[override]
        """Begin to read."""
        with super().reading() as reader:
            yield DisturbedReader(self, reader)


@frozen
class DisturbedReader:
    """A reader that calls its dumper's `disturb` first."""

    dumper: Disturbed
    reader: PostgresReader

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Read a part, somewhat later."""
        if part.kind == PartKind.TABLE:
            self.dumper.archive_begun.wait(60)
        with self.dumper.lock:
            if part.kind == self.dumper.kind_to_disturb and not self.dumper.done:
                self.dumper.done = True
                self.dumper.disturb()
        stream = self.reader.read(part)
        if part.kind == PartKind.ARCHIVE:
            yield next(stream)  # pg_dump has all of its locks
            self.dumper.archive_begun.set()
        return (yield from stream)


def test_behind_a_queued_alter_table_all_ranges_are_read_by_the_session_with_the_locks(
    server: Server, database: str, repository: Repository
) -> None:
    begun: list[Altering] = []
    dumper = Disturbed(
        server, database, PartKind.TABLE, lambda: begun.append(alter(server, database))
    )
    assert stored_rows(repository, dumper) == [1000, 1000]
    assert begun[0].process.wait(30) == 0
    wait_until(lambda: server.sessions(database) == 0, what="no session is left")


def test_pg_dump_behind_a_queued_alter_table_is_given_up_soon(
    server: Server, database: str, repository: Repository
) -> None:
    begun: list[Altering] = []
    dumper = Disturbed(
        server, database, PartKind.ARCHIVE, lambda: begun.append(alter(server, database))
    )
    dumper.archive_begun.set()
    started = time.monotonic()
    with pytest.raises(DumpFailed, match="a session waits for an exclusive lock") as failed:
        create_backup(repository, dumper, jobs=2)
    assert "Run the backup again" in str(failed.value.hint)
    assert time.monotonic() - started < 60
    assert begun[0].process.wait(30) == 0
    assert not list_backups(repository)
    wait_until(lambda: server.sessions(database) == 0, what="no session is left")


def test_pg_dump_behind_an_alter_table_that_gives_up_goes_on(
    server: Server, database: str, repository: Repository
) -> None:
    begun: list[Altering] = []
    dumper = Disturbed(
        server,
        database,
        PartKind.ARCHIVE,
        lambda: begun.append(alter(server, database, "SET lock_timeout = '2s'")),
    )
    dumper.archive_begun.set()
    assert stored_rows(repository, dumper) == [1000, 1000]
    assert begun[0].process.wait(30) == 1


@pytest.mark.parametrize("table", ["a", "small"])
def test_a_table_that_stays_locked_fails_the_backup_in_time(
    server: Server, database: str, repository: Repository, table: str
) -> None:
    dumper = dumper_for(server, database, lock_timeout=SECOND)
    with holding(server, database, f"BEGIN; LOCK TABLE public.{table};"):
        started = time.monotonic()
        with pytest.raises(DumpFailed, match="lock timeout") as failed:
            create_backup(repository, dumper, jobs=2)
        assert time.monotonic() - started < 20
        assert "holds an exclusive lock on a table" in str(failed.value.hint)
        wait_until(lambda: server.sessions(database) == 1, what="just the other's session is left")
    assert not list_backups(repository)


def test_a_table_that_is_locked_for_a_while_is_waited_for(
    server: Server, database: str, repository: Repository
) -> None:
    with contextlib.ExitStack() as locked:
        locked.enter_context(holding(server, database, "BEGIN; LOCK TABLE public.a;"))
        timer = threading.Timer(1.0, locked.close)
        timer.start()
        assert stored_rows(repository, dumper_for(server, database)) == [1000, 1000]
        timer.join()


Find = Callable[[Session, int], Candidates]


def disturb_discovery(monkeypatch: pytest.MonkeyPatch, disturb: Callable[[int], object]) -> None:
    """Call `disturb` after each discovery, before tables are locked, with how many there were."""
    find: Find = large_tables.find_candidates
    found = 0

    def find_and_disturb(session: Session, from_bytes: int) -> Candidates:
        nonlocal found
        candidates = find(session, from_bytes)
        found += 1
        disturb(found)
        return candidates

    monkeypatch.setattr(snapshot, "find_candidates", find_and_disturb)


SWAP = f"""
CREATE SCHEMA s; CREATE TABLE s.a AS {FILL} LIMIT 900;
ALTER SCHEMA public RENAME TO old; ALTER SCHEMA s RENAME TO public;
"""


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("DROP TABLE a", {"b": 1000}),
        ("ALTER TABLE a RENAME TO c", {"b": 1000, "c": 1000}),
        (f"DROP TABLE a; CREATE TABLE a AS {FILL} LIMIT 900", {"a": 900, "b": 1000}),
        ("CREATE SCHEMA s; ALTER TABLE a SET SCHEMA s", {"a": 1000, "b": 1000}),
        (SWAP, {"a": 900, "b": 1000}),
        ("TRUNCATE a", {"a": 0, "b": 1000}),
    ],
)
def test_a_table_that_changes_between_discovery_and_lock_is_looked_at_again(
    server: Server,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    left: dict[str, int],
) -> None:
    disturb_discovery(monkeypatch, lambda time: server.sql(database, change) if time == 1 else None)
    read = read_tables(dumper_for(server, database))
    assert {name: rows.count for name, rows in read.items()} == left


def test_no_table_can_be_emptied_once_the_snapshot_is_taken(server: Server, database: str) -> None:
    # TRUNCATE takes effect for older snapshots too: what pg_dump locks later would be empty.
    with dumper_for(server, database).snapshot():
        for table in ("a", "small"):
            with pytest.raises(AssertionError, match="lock timeout"):
                server.sql(database, f"SET lock_timeout = '200ms'; TRUNCATE {table}")
    server.sql(database, "TRUNCATE a, small")


def test_a_table_that_is_made_before_the_tables_are_locked_is_locked_too(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, found = locks.find_tables, 0

    def find_and_disturb(session: Session) -> frozenset[locks.LockedTable]:
        nonlocal found
        tables, found = find(session), found + 1
        if found == 1:
            server.sql(database, "CREATE TABLE late (id int)")
        return tables

    monkeypatch.setattr(snapshot, "find_tables", find_and_disturb)
    with (
        dumper_for(server, database).snapshot(),
        pytest.raises(AssertionError, match="lock timeout"),
    ):
        server.sql(database, "SET lock_timeout = '200ms'; TRUNCATE late")
    assert found == 4  # two looks, and two again


def test_a_bulk_table_without_any_row_can_be_stored(
    server: Server, database: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturb_discovery(monkeypatch, lambda _: server.sql(database, "TRUNCATE a"))
    assert stored_rows(repository, dumper_for(server, database)) == [1000, 0]


def test_a_table_that_cannot_be_split_any_more_is_in_the_archive(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"reader_{secrets.token_hex(4)}"
    password = server.password.reveal()
    server.sql(database, f"CREATE ROLE {role} LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data")
    disturb_discovery(
        monkeypatch, lambda _: server.sql(database, "ALTER TABLE a ENABLE ROW LEVEL SECURITY")
    )
    try:
        with dumper_for(server, database, role=role).snapshot() as held:
            assert set(tables_of(held)) == {"b"}
            assert any("row security" in note for note in held.notes)
    finally:
        server.sql(database, f"DROP ROLE {role}")


def test_tables_that_change_every_time_fail_the_backup(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturb_discovery(
        monkeypatch,
        lambda time: server.sql(
            database, f"DROP TABLE a; CREATE TABLE a AS {FILL} LIMIT {900 + time}"
        ),
    )
    dumper = dumper_for(server, database)
    with pytest.raises(DumpFailed, match="got other names each time"), dumper.snapshot():
        pass
    wait_until(lambda: server.sessions(database) == 0, what="no session is left")


@pytest.mark.parametrize("kept", [True, False])
def test_schemas_that_are_swapped_while_rows_are_read_fail_the_backup(
    server: Server, database: str, repository: Repository, *, kept: bool
) -> None:
    swap = f"CREATE SCHEMA s; CREATE TABLE s.a AS {FILL}; ALTER SCHEMA public RENAME TO old"
    again = "; ALTER SCHEMA s RENAME TO public; CREATE TABLE b (LIKE old.b)" if kept else ""
    dumper = Disturbed(server, database, PartKind.TABLE, lambda: server.sql(database, swap + again))
    with pytest.raises(DumpFailed, match="got another name" if kept else "does not exist"):
        create_backup(repository, dumper, jobs=2)
    assert not list_backups(repository)
