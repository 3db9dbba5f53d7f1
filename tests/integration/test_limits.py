"""Limits of the server, and damage: each error has a hint that helps, and doctor says it first."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import cli_for
from tests.integration.majors import EACH_MAJOR
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.errors import BackupError, DumpFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.model import PartKind
from brownie_backup.model.findings import Finding, Level

FEW_LOCKS = {
    "max_connections": "10",
    "max_locks_per_transaction": "10",
    "max_worker_processes": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum_max_workers": "1",
}
BLOCK = 8192
LARGE = "CREATE TABLE large AS SELECT g, repeat('x', 500) FROM generate_series(1, 1000) g"


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A database, and a role of its name that may read it."""
    name = f"limits_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, f"{LARGE}; CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)
    server.sql("postgres", f"DROP ROLE {name}")


def reader(server: Server, name: str) -> PostgresDumper:
    """Return a dumper of the role that is limited: a superuser never is."""
    url = f"postgresql://{name}:x@127.0.0.1:{server.port}/{name}"
    return PostgresDumper(url, pg_bin=str(server.client), bulk_table_bytes=BLOCK)


def finding(dumper: PostgresDumper, subject: str, jobs: int = 2) -> Finding:
    (found,) = (each for each in dumper.diagnose(jobs=jobs) if each.subject == subject)
    return found


def failure(repository: Repository, dumper: PostgresDumper) -> BackupError:
    with pytest.raises(BackupError) as raised:
        create_backup(repository, dumper, jobs=2)
    assert not repository.backups()
    return raised.value


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("ROLE", DatabaseHint.ROLE_CONNECTION_LIMIT),
        ("DATABASE", DatabaseHint.DATABASE_CONNECTION_LIMIT),
    ],
)
def test_a_connection_limit_is_named_with_what_raises_it(
    kind: str, hint: DatabaseHint, server: Server, database: str, repository: Repository
) -> None:
    dumper = reader(server, database)
    assert finding(dumper, "connections").level is Level.OK
    server.sql("postgres", f"ALTER {kind} {database} CONNECTION LIMIT 1")
    warned = finding(dumper, "connections")
    assert warned.level is Level.WARNING
    assert f"of the {kind.lower()} '{database}'" in warned.message
    failed = failure(repository, dumper)
    for advice in (warned.hint, failed.hint):
        assert advice
        assert advice.code is hint
        assert f'"{database}"' in str(advice)


@pytest.mark.once
def test_a_restore_beyond_a_connection_limit_names_it(
    server: Server, database: str, tmp_path: Path
) -> None:
    cli = cli_for(server, database, tmp_path)
    cli.json("backup")
    server.sql("postgres", f"ALTER ROLE {database} CREATEDB CONNECTION LIMIT 1")
    url = f"postgresql://{database}:x@127.0.0.1:{server.port}/postgres"
    refused = cli.run(
        *("restore", "latest", "--target-db", f"{database}_r", "--no-owner", "--json"),
        BACKUP_DATABASE_URL=url,
        BACKUP_PARALLEL_JOBS="4",
    )
    assert refused.status == 1
    assert f'ALTER ROLE "{database}" CONNECTION LIMIT' in refused.err
    assert server.databases(f"{database}_r%") == []


@pytest.mark.parametrize("major", EACH_MAJOR)
def test_too_few_locks_are_computed_beforehand_and_the_error_is_short(
    major: int, repository: Repository
) -> None:
    more = {"autovacuum_worker_slots": "1"} if major >= 18 else {}
    with contextlib.closing(Server(major, FEW_LOCKS | more)) as server:
        server.create("many")
        make = "SELECT format('CREATE TABLE %I ()', 'one_of_many_tables_' || n)"
        server.sql("many", f"{make} FROM generate_series(1, 500) n \\gexec")
        dumper = server.dumper("many")
        warned = finding(dumper, "locks")
        assert warned.level is Level.WARNING
        assert warned.hint == DatabaseHint.MAX_LOCKS()
        failed = failure(repository, dumper)
        assert failed.hint == DatabaseHint.MAX_LOCKS()
        assert len(failed.message) < 1000

        server.stop()
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("max_locks_per_transaction = 200\n")
        server.start()
        assert finding(dumper, "locks").level is Level.OK
        create_backup(repository, dumper, jobs=2)


@pytest.mark.parametrize("major", EACH_MAJOR)
@pytest.mark.parametrize("bulk_bytes", [BLOCK, 1 << 30], ids=["ranges", "archive"])
def test_a_damaged_table_is_named(major: int, bulk_bytes: int, repository: Repository) -> None:
    with contextlib.closing(Server(major)) as server:
        server.sql("postgres", LARGE.replace("large", '"The large"', 1) + "; CHECKPOINT")
        path = server.sql("postgres", "SELECT pg_relation_filepath('\"The large\"')").strip()
        server.stop()
        with (server.data / path).open("r+b") as file:
            file.seek(3 * BLOCK)
            file.write(b"\xaa" * 100)
        server.start()
        failed = failure(repository, server.dumper("postgres", bulk_table_bytes=bulk_bytes))
    assert isinstance(failed, DumpFailed)
    assert "The large" in failed.message
    assert "invalid page in block 3" in failed.message
    assert failed.hint == DatabaseHint.DAMAGED_TABLE()


@pytest.fixture
def standby() -> Iterator[tuple[Server, Server]]:
    """A primary, and a standby of it that waits for no query."""
    with (
        contextlib.closing(Server(18, {"wal_level": "replica"})) as primary,
        contextlib.closing(Server(18, {"max_standby_streaming_delay": "0"})) as standby,
    ):
        primary.sql("postgres", LARGE)
        for each in (primary, standby):
            each.stop()
        aside = standby.data / "postgresql.conf"
        settings = aside.read_text()
        subprocess.run(["rm", "-r", str(standby.data)], check=True)
        subprocess.run(["cp", "-a", str(primary.data), str(standby.data)], check=True)
        secret = primary.password.reveal()
        source = f"host=127.0.0.1 port={primary.port} user=postgres password={secret}"
        aside.write_text(f"{settings}primary_conninfo = '{source}'\n")
        (standby.data / "standby.signal").touch()
        for each in (primary, standby):
            each.start()
        standby.password = primary.password
        yield primary, standby


@pytest.mark.once
def test_a_dump_that_a_standby_cancels_says_which_settings_prevent_that(
    standby: tuple[Server, Server],
) -> None:
    primary, second = standby
    url = f"postgresql://postgres:{primary.password.reveal()}@127.0.0.1:{second.port}/postgres"
    dumper = PostgresDumper(url, pg_bin=str(second.client))
    warned = finding(dumper, "standby")
    assert "max_standby_streaming_delay is 0" in warned.message
    assert warned.hint == DatabaseHint.STANDBY_DELAY()
    with dumper.snapshot() as snapshot:
        primary.sql("postgres", "TRUNCATE large")
        gone = "SELECT count(*) = 0 FROM pg_locks WHERE relation = 'large'::regclass"
        wait_until(lambda: second.sql("postgres", gone) == "t\n", what="our locks go")
        for part in snapshot.parts:
            if part.kind != PartKind.GLOBALS:  # which is of no snapshot
                with pytest.raises(DumpFailed) as raised, dumper.reading() as reading:
                    b"".join(reading.read(part))
                assert raised.value.hint == DatabaseHint.STANDBY_DELAY()
