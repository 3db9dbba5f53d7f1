"""What a user sees of bulk tables: which were read, which were known, and how far it is."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server, Servers

from brownie_backup import Progress, Repository, create_backup
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo

RANGES = 4
TABLES = """
CREATE TABLE large (id int PRIMARY KEY, filler text) WITH (fillfactor = 90);
INSERT INTO large SELECT g, repeat(md5(g::text), 60) FROM generate_series(1, 20000) g;
CREATE TABLE little (id int);
INSERT INTO little SELECT generate_series(1, 1000);
ALTER TABLE large SET (autovacuum_enabled = false);
VACUUM (FREEZE) large;
CHECKPOINT;
"""
"""A table of some 52 MiB: four ranges."""
BULK = {"BACKUP_BULK_TABLE_BYTES": "8M", "BACKUP_PARALLEL_JOBS": "2"}


@pytest.fixture(scope="module")
def server(servers: Servers) -> Iterator[Server]:
    """A server that summarizes its WAL."""
    found = servers.get(18)
    found.sql("postgres", "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()")
    yield found
    found.sql("postgres", "ALTER SYSTEM RESET summarize_wal; SELECT pg_reload_conf()")


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A database with a bulk table."""
    name = f"bulk_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, TABLES)
    yield name
    server.drop(name)


@pytest.fixture
def bulk_cli(server: Server, database: str, tmp_path: Path) -> Cli:
    """The command line, for that database."""
    cli = cli_for(server, database, tmp_path)
    return Cli(cli.env | BULK)


def dumper_of(server: Server, database: str) -> PostgresDumper:
    url = parse_conninfo(server.url("postgres")).with_database(database)
    return PostgresDumper(url, pg_bin=str(server.client), bulk_table_bytes=8 << 20)


def test_ranges_are_counted_and_what_is_unchanged_is_not_read(
    bulk_cli: Cli, server: Server, database: str
) -> None:
    first = bulk_cli.json("backup", "--name", "first")
    assert (first["ranges"], first["skipped_ranges"]) == (RANGES, 0)
    assert first["all_read_because"].startswith("there is no earlier good backup")

    server.sql(database, "UPDATE large SET filler = 'changed' WHERE id = 1")
    second = bulk_cli.run("backup", "--name", "second", "--verbose")
    assert second.status == 0, second
    assert "ranges of bulk tables read: 1; known to be unchanged: 3\n" in second.out
    assert "public.large: begun\n" in second.err
    assert "public.large: 20000 rows, " in second.err

    full = bulk_cli.json("backup", "--name", "full", "--full")
    assert (full["ranges"], full["skipped_ranges"]) == (RANGES, 0)
    assert full["all_read_because"] == "that was asked for"
    assert full["contradictions"] == []
    assert full["new_blobs"] <= 3  # the beginning of the archive, and what is small

    (large,) = (p for p in full["backup"]["parts"] if p["table_oid"])
    assert large["rows"] == 20000
    shown = bulk_cli.run("show", "full").out
    assert "bulk tables" in shown
    assert "1, 20000 rows, " in shown
    assert "public.large" not in shown


def test_without_bulk_tables_nothing_is_said_of_them(bulk_cli: Cli) -> None:
    result = bulk_cli.run("backup", BACKUP_BULK_TABLE_BYTES="1G")
    assert result.status == 0, result
    assert "ranges" not in result.out


def test_progress_is_of_the_tables_sizes_and_ends_at_the_total(
    repository: Repository, server: Server, database: str
) -> None:
    size = int(server.sql(database, "SELECT pg_relation_size('large')"))
    little = int(server.sql(database, "SELECT pg_relation_size('little')"))
    for full in (True, False):
        seen: list[Progress] = []
        dumper = dumper_of(server, database)
        report = create_backup(repository, dumper, full=full, on_progress=seen.append)
        done = [progress.done_bytes for progress in seen]
        assert done == sorted(done)
        assert {progress.total_bytes for progress in seen} == {done[-1]}
        assert size + little <= done[-1] < size + little + (1 << 20)
        ended = {p.part.name: p.part.rows for p in seen if p.part and p.part.ended}
        assert ended == {
            "inventory": None, "globals": None, "archive": None, "public.large": 20000
        }  # fmt: skip
        assert report.skipped_ranges == (0 if full else RANGES)
