"""What a user sees of large tables: which were read, which were known, and how far it is."""

import secrets
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from attrs import evolve
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server, Servers

from brownie_backup import (
    Comparison,
    Finding,
    Level,
    Manifest,
    Progress,
    Repository,
    Secret,
    TableRange,
    compare_with_database,
    create_backup,
    restore,
)
from brownie_backup.compressors import Zstd
from brownie_backup.config import load_settings, make_repository
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.format.mac import with_mac
from brownie_backup.stores import LocalStore
from brownie_backup.wording import written

pytestmark = pytest.mark.once

RANGES = 3
TABLES = """
CREATE TABLE large (id int PRIMARY KEY, filler text) WITH (fillfactor = 90);
INSERT INTO large SELECT g, repeat(md5(g::text), 60) FROM generate_series(1, 13000) g;
CREATE TABLE little (id int);
INSERT INTO little SELECT generate_series(1, 1000);
ALTER TABLE large SET (autovacuum_enabled = false);
VACUUM (FREEZE) large;
CHECKPOINT;
"""
"""A table of some 34 MiB: three ranges."""
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
    """A database with a large table."""
    name = f"bulk_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, TABLES)
    yield name
    server.drop(name)


@pytest.fixture
def bulk_cli(server: Server, database: str, tmp_path: Path) -> Cli:
    """The command line, for that database."""
    cli = cli_for(server, database, tmp_path)
    return Cli(cli.env | BULK | {"BACKUP_CACHE_DIR": str(tmp_path / "cache")})


def dumper_of(server: Server, database: str, bulk_table_bytes: int = 8 << 20) -> PostgresDumper:
    url = parse_conninfo(server.url("postgres")).with_database(database)
    return PostgresDumper(url, pg_bin=str(server.client), bulk_table_bytes=bulk_table_bytes)


def test_ranges_are_counted_and_what_is_unchanged_is_not_read(
    bulk_cli: Cli, server: Server, database: str
) -> None:
    first = bulk_cli.json("backup", "--name", "first")
    assert (first["ranges"], first["skipped_ranges"]) == (RANGES, 0)
    assert first["all_read_because"].startswith("no earlier good backup")

    server.sql(database, "UPDATE large SET filler = 'changed' WHERE id = 1")
    second = bulk_cli.run("backup", "--name", "second", "--verbose")
    assert second.status == 0, second
    assert "large tables: 1 range read, 2 unchanged and not read\n" in second.out
    assert "public.large: started\n" in second.err
    assert "public.large: 13000 rows, " in second.err

    full = bulk_cli.json("backup", "--name", "full", "--full")
    assert (full["ranges"], full["skipped_ranges"]) == (RANGES, 0)
    assert full["all_read_because"] == "that was asked for"
    assert full["contradictions"] == []
    assert full["new_blobs"] <= 3  # the beginning of the archive, and what is small

    (large,) = (p for p in full["backup"]["parts"] if p["table_oid"])
    assert large["rows"] == 13000
    shown = bulk_cli.run("show", "full").out
    assert "large tables" in shown
    assert "1, 13000 rows, " in shown
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
            "inventory": None, "globals": None, "archive": None, "public.large": 13000
        }  # fmt: skip
        assert report.skipped_ranges == (0 if full else RANGES)


def swapped(manifest: Manifest) -> Manifest:
    """Return a backup whose first two ranges have each other's blobs."""
    parts = [part for part in manifest.parts if not part.table]
    for part in (part for part in manifest.parts if part.table):
        one, two, *others = part.blobs
        blobs = (evolve(two, begins=one.begins), evolve(one, begins=two.begins), *others)
        parts.append(evolve(part, blobs=blobs))
    return evolve(manifest, name="swapped", id=str(uuid.uuid4()), parts=tuple(parts))


def signed(cli: Cli, manifest: Manifest) -> Manifest:
    """Return a backup as this installation would have made it: only on such is the next built."""
    repository = make_repository(load_settings(cli.env))
    return with_mac(manifest, repository.mac_key(bytes.fromhex(manifest.hash_key)))


def test_what_is_unchanged_is_as_in_the_database(
    repository: Repository, server: Server, database: str
) -> None:
    dumper = dumper_of(server, database)
    manifest = create_backup(repository, dumper, name="one").manifest
    before = {found.key: found.modified_at for found in repository.store.list("")}
    server.sql(database, "DELETE FROM large WHERE id = 1")
    comparison = compare_with_database(repository, dumper, "latest")
    assert comparison == Comparison("one", compared_ranges=RANGES - 1, total_ranges=RANGES)
    assert comparison.good
    assert {found.key: found.modified_at for found in repository.store.list("")} == before

    repository.add(swapped(manifest))
    comparison = compare_with_database(repository, dumper, "swapped", jobs=1)
    (table,) = (part.table for part in manifest.parts if part.table)
    blocks = [blob.begins.blocks for blob in manifest.blobs if blob.begins]
    assert comparison.differences == (TableRange(table.oid, blocks[1]),)  # the first has changed
    assert not comparison.good


def test_a_range_with_another_count_of_rows_differs(
    repository: Repository, server: Server, database: str
) -> None:
    dumper = dumper_of(server, database)
    manifest = create_backup(repository, dumper, name="one").manifest
    *others, large = manifest.parts
    *most, last = large.blobs
    assert last.begins
    miscounted = evolve(last, begins=evolve(last.begins, rows=last.begins.rows + 1))
    large = evolve(large, blobs=(*most, miscounted))
    repository.add(evolve(manifest, name="miscounted", parts=(*others, large)))
    comparison = compare_with_database(repository, dumper, "miscounted")
    assert [each.blocks for each in comparison.differences] == [last.begins.blocks]


def test_verify_against_the_database(bulk_cli: Cli, server: Server, database: str) -> None:
    without_key = {"BACKUP_PASSPHRASE": "", "BACKUP_GPG_PRIVATE_KEY": ""}
    bulk_cli.json("backup", "--name", "one")
    found = bulk_cli.json("verify", "--against-database", **without_key)
    assert found["good"]
    assert found["comparison"]["compared_ranges"] == RANGES

    store = Repository(LocalStore(bulk_cli.store), Zstd(), Cleartext())
    manifest = store.backup("one").manifest
    assert manifest
    store.add(signed(bulk_cli, swapped(manifest)))
    failed = bulk_cli.run("verify", "swapped", "--against-database")
    assert failed.status == 1
    assert "DIFFERS FROM THE DATABASE" in failed.out
    assert failed.out.count("of the table with oid") == 2
    assert "--full" in failed.out

    # A backup that reads everything finds it as well, if that one is what it has to go by.
    store.remove("one")
    full = bulk_cli.run("backup", "--full", "--json")
    assert full.status == 3
    assert [each["first_block"] for each in full.json["contradictions"]] == [0, 2048]
    assert "2 ranges of the tables" in full.err

    server.sql(database, "VACUUM FULL large")
    nothing = bulk_cli.run("verify", "latest", "--against-database")
    assert nothing.status == 3
    assert "nothing could be compared: all of them may have changed since" in nothing.err

    wrong = bulk_cli.run("verify", "--against-database", "--sample", "10%")
    assert wrong.status == 2


def test_all_is_read_again_when_it_is_time(bulk_cli: Cli) -> None:
    bulk_cli.json("backup", "--name", "one")
    store = Repository(LocalStore(bulk_cli.store), Zstd(), Cleartext())
    manifest = store.backup("one").manifest
    assert manifest
    last_week = manifest.started_at - timedelta(days=7)
    store.remove("one")
    store.add(signed(bulk_cli, evolve(manifest, read_fully_at=last_week)))
    report = bulk_cli.json("backup", "--name", "two", BACKUP_FULL_EVERY="8")
    assert report["skipped_ranges"] == RANGES
    report = bulk_cli.json("backup", "--name", "three")
    assert report["ranges"] == RANGES
    assert report["all_read_because"] == f"the last full read was at {written(last_week)}"
    assert bulk_cli.json("backup")["skipped_ranges"] == RANGES


def test_a_backup_of_another_database_is_not_compared(
    repository: Repository, server: Server, database: str
) -> None:
    create_backup(repository, dumper_of(server, database), name="one")
    comparison = compare_with_database(repository, dumper_of(server, "postgres"), "one")
    assert comparison.compared_ranges == 0
    assert "not of 'postgres'" in comparison.why_not


def test_progress_of_a_restore_is_of_the_rows_and_names_the_tables(
    bulk_cli: Cli, repository: Repository, server: Server, database: str
) -> None:
    dumper = dumper_of(server, database)
    manifest = create_backup(repository, dumper, name="one").manifest
    seen: list[Progress] = []
    restored = f"{database}_r"
    try:
        restore(repository, dumper, "one", target_database=restored, on_progress=seen.append)
        done = [progress.done_bytes for progress in seen]
        assert done == sorted(done)
        assert done[-1] == manifest.size_bytes
        assert {progress.total_bytes for progress in seen} == {manifest.size_bytes}
        ended = {p.part.name: p.part.rows for p in seen if p.part and p.part.ended}
        assert ended == {
            "inventory": None, "globals": None, "archive": None, "public.large": 13000
        }  # fmt: skip

        bulk_cli.json("backup")
        said = bulk_cli.run("restore", "latest", "--target-db", restored, "--replace", "-v").err
        assert "public.large: started\n" in said
        assert "public.large: 13000 rows, " in said
    finally:
        for left in server.databases(f"{restored}%"):
            server.drop(left)


ROLE = "reader_of_bulk_tables"


@pytest.fixture
def reader(server: Server, database: str) -> Iterator[PostgresDumper]:
    """A dumper of the database, as a role that may read everything and do nothing else."""
    server.sql(database, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
    url = parse_conninfo(server.url(database))
    parameters = {**url.parameters, "user": ROLE}
    yield PostgresDumper(
        evolve(url, parameters=parameters, password=Secret("x")),
        pg_bin=str(server.client),
        bulk_table_bytes=8 << 20,
    )
    server.sql(database, f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def findings_on(dumper: PostgresDumper, subject: str) -> list[Finding]:
    return [finding for finding in dumper.diagnose() if finding.subject == subject]


def test_doctor_says_what_a_role_needs_to_skip_what_is_unchanged(
    reader: PostgresDumper, repository: Repository, server: Server, database: str
) -> None:
    (finding,) = findings_on(reader, "WAL summaries")
    assert finding.level is Level.WARNING
    assert str(finding.hint) == f'GRANT pg_checkpoint TO "{ROLE}"'
    server.sql(database, str(finding.hint))
    (finding,) = findings_on(reader, "WAL summaries")
    assert finding.level is Level.OK
    create_backup(repository, reader)
    assert create_backup(repository, reader).skipped_ranges == RANGES

    server.sql("postgres", "ALTER SYSTEM SET summarize_wal = off; SELECT pg_reload_conf()")
    try:
        (finding,) = findings_on(dumper_of(server, database), "WAL summaries")
        assert finding.level is Level.WARNING
        assert "summarize_wal = on" in str(finding.hint)
    finally:
        server.sql("postgres", "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()")


def test_doctor_says_which_large_tables_are_left_to_the_archive(
    server: Server, database: str
) -> None:
    dumper = dumper_of(server, database)
    (finding,) = findings_on(dumper, "large tables")
    assert finding.message == "1 table is larger than 8 MiB, and read in ranges"
    server.sql(
        database,
        "CREATE TYPE colour AS ENUM ('red');"
        "CREATE TABLE p (c colour, t text) PARTITION BY HASH (c);"
        "CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        "INSERT INTO p SELECT 'red', repeat('x', 1800) FROM generate_series(1, 6000)",
    )
    found = findings_on(dumper, "large tables")
    assert [finding.level for finding in found] == [Level.OK, Level.OK]
    assert found[1].message.startswith('"public"."p0" is in the archive: its rows are spread by')

    (finding,) = findings_on(dumper_of(server, database, 64 << 20), "large tables")
    assert finding.message == "no table is larger than 64 MiB"


def test_doctor_does_not_wait_without_end_for_a_table(server: Server, database: str) -> None:
    with psycopg.connect(server.url(database)) as other:
        other.execute("LOCK TABLE little IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        (finding,) = findings_on(dumper_of(server, database), "large tables")
        assert time.monotonic() - started < 30
    assert finding.level is Level.WARNING
    assert "lock timeout" in finding.message


def test_doctor_of_a_server_without_summaries(servers: Servers) -> None:
    older = servers.get(16)
    name = f"bulk_{secrets.token_hex(4)}"
    older.create(name)
    try:
        older.sql(name, TABLES)
        (finding,) = findings_on(dumper_of(older, name), "WAL summaries")
        assert finding.level is Level.OK
        assert "PostgreSQL 16 keeps no WAL summaries" in finding.message
    finally:
        older.drop(name)
