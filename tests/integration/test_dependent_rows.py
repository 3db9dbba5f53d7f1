"""Rows whose values or validity depend on rows of other tables, whatever PostgreSQL is told."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import frozen
from tests.integration.bulk import BULK_BYTES, dumper_for
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers.postgres.dump.large_tables import BULK_TABLE_BYTES
from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.dumpers.postgres.inventory import parse_inventory
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import Hint, RestoreHint
from brownie_backup.model import PartKind
from brownie_backup.stores import LocalStore

# The table that is read takes a while to load, since it has other rows too. Most of those that read
# it are larger, so that pg_restore begins with them when it has several jobs.
SCHEMA = """
CREATE TABLE a_rate (code text PRIMARY KEY, rate numeric, pad text);
INSERT INTO a_rate SELECT 'x' || i, i, repeat('x', 1500) FROM generate_series(1, 100) i;
INSERT INTO a_rate VALUES ('de', 19);
CREATE FUNCTION rate(x text) RETURNS numeric IMMUTABLE LANGUAGE sql
  AS 'SELECT rate FROM public.a_rate WHERE code = x';
CREATE FUNCTION known(x text) RETURNS bool IMMUTABLE LANGUAGE sql
  AS 'SELECT EXISTS (SELECT FROM public.a_rate WHERE code = x)';
CREATE DOMAIN known_code AS text CHECK (known(VALUE));
CREATE TYPE labelled AS (label text, codes known_code[]);
CREATE OPERATOR @@@ (FUNCTION = known, RIGHTARG = text);

CREATE TABLE b_invoice (id int, code text, pad text, net numeric,
  gross numeric GENERATED ALWAYS AS (net * (100 + rate(code)) / 100) STORED);
CREATE TABLE c_check (id int, code text, pad text, CHECK (known(code)));
CREATE TABLE d_domain (id int, code known_code, pad text);
CREATE TABLE e_nested (id int, code labelled, pad text);
CREATE TABLE f_operator (id int, code text, pad text, CHECK (@@@ code));
CREATE TABLE g_partitioned (id int, code text, pad text) PARTITION BY LIST (known(code));
CREATE TABLE g_part PARTITION OF g_partitioned FOR VALUES IN (true);
CREATE TABLE h_index (id int, code text, pad text);
CREATE INDEX h_index_rate ON h_index (rate(code));
CREATE TABLE i_exclusion (id int, code text, pad text,
  EXCLUDE USING btree ((rate(code) + id) WITH =));
CREATE TABLE j_query (id int, code text, pad text,
  CHECK (query_to_xml('TABLE public.a_rate LIMIT 1', false, false, '')::text LIKE '%rate%'));
CREATE TABLE "k two
words" (id int, code text, pad text, CHECK (known(code)));

INSERT INTO b_invoice SELECT i, 'de', repeat('y', 1500), i FROM generate_series(1, 300) i;
"""
READERS = (
    *("c_check", "d_domain", "f_operator", "g_partitioned", "h_index", "i_exclusion", "j_query"),
    '"k two\nwords"',
)
FILL = """INSERT INTO {} SELECT i, 'de', repeat('z', 1500) FROM generate_series(1, 300) i;"""
LARGE = pytest.param(BULK_BYTES, id="large tables")
SMALL = pytest.param(BULK_TABLE_BYTES, id="small tables")


@frozen
class Case:
    """A database, and a dumper of it."""

    server: Server
    database: str


@pytest.fixture(scope="module")
def source(servers: Servers) -> Iterator[Case]:
    """A database with tables that read a_rate; what is named after it goes with it."""
    server, name = servers.get(18), f"dependent_{secrets.token_hex(4)}"
    server.create(name)
    nested = "INSERT INTO e_nested SELECT id, ROW('l', '{de}')::labelled, pad FROM b_invoice;"
    server.sql(name, SCHEMA + "".join(FILL.format(table) for table in READERS) + nested)
    yield Case(server, name)
    for left in server.databases(f"{name}%"):
        server.drop(left)


@pytest.mark.once
@pytest.mark.parametrize("bulk_bytes", [SMALL, LARGE])
@pytest.mark.parametrize("jobs", [1, 4])
def test_rows_that_depend_on_other_tables_come_back_as_they_were(
    tmp_path: Path, source: Case, bulk_bytes: int, jobs: int
) -> None:
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    dumper = dumper_for(source.server, source.database, bulk_bytes=bulk_bytes)
    create_backup(repository, dumper, name="one")
    copy = f"{source.database}_copy"
    report = restore(
        repository, dumper, "one", target_database=copy, options=RestoreOptions(jobs=jobs)
    )
    assert not report.warnings
    tables = ("a_rate", "b_invoice", "e_nested", *READERS)
    hashes = "; ".join(
        f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t" for table in tables
    )
    assert source.server.sql(copy, hashes) == source.server.sql(source.database, hashes)
    source.server.drop(copy)


BEFORE_WHAT_IT_READS = """
CREATE TABLE z_rate (code text, rate numeric);
INSERT INTO z_rate VALUES ('de', 19);
CREATE FUNCTION rate(x text) RETURNS numeric IMMUTABLE LANGUAGE plpgsql
  AS 'BEGIN RETURN (SELECT coalesce(max(rate), {missing}) FROM public.z_rate WHERE code = x); END';
CREATE TABLE a_invoice (
  net numeric, code text, gross numeric GENERATED ALWAYS AS (net + rate(code)) STORED);
INSERT INTO a_invoice VALUES (1, 'de'), (2, 'de');
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("missing", "what"),
    [("NULL", "has 0 values that are not NULL, and had 2"), ("0", "has other values than it had")],
)
def test_a_generated_column_that_came_back_with_other_values_is_refused(
    tmp_path: Path, source: Case, missing: str, what: str
) -> None:
    name = f"{source.database}_{secrets.token_hex(4)}"
    source.server.create(name)
    source.server.sql(name, BEFORE_WHAT_IT_READS.format(missing=missing))
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    dumper = source.server.dumper(name)
    create_backup(repository, dumper, name="one")
    copy = f"{name}_copy"
    with pytest.raises(RestoreFailed, match=f'"a_invoice"."gross" {what}') as failed:
        # as pg_restore does, in the order of the names
        restore(repository, dumper, "one", target_database=copy, options=RestoreOptions(jobs=1))
    assert failed.value.hint
    advice = failed.value.hint.data["first"]
    assert isinstance(advice, Hint)
    assert advice.code is RestoreHint.COMPUTE_AGAIN
    accepted = RestoreOptions(jobs=1, accept_differences=True)
    report = restore(repository, dumper, "one", target_database=copy, options=accepted)
    assert any(what in finding.message for finding in report.warnings)
    source.server.drop(copy)
    restore(repository, dumper, "one", target_database=copy, options=RestoreOptions(jobs=2))
    rows = "SELECT sum(gross) FROM a_invoice"
    assert source.server.sql(copy, rows).strip() == "41"
    source.server.drop(copy)


@pytest.mark.once
def test_a_backup_does_not_wait_for_a_table_with_generated_columns_that_others_wait_for(
    source: Case,
) -> None:
    server, name = source.server, f"{source.database}_{secrets.token_hex(4)}"
    server.create(name)
    columns = "(id int, twice int GENERATED ALWAYS AS (id * 2) STORED)"
    server.sql(
        name, f"CREATE TABLE a {columns}; CREATE TABLE b {columns}; INSERT INTO b VALUES (1)"
    )
    dumper = server.dumper(name)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    with ThreadPoolExecutor(1) as pool, dumper.snapshot() as snapshot, dumper.reading() as reader:
        altering = pool.submit(server.sql, name, "ALTER TABLE a ADD added int")
        wait_until(lambda: server.sql(name, waiting) != "0\n", what="ALTER TABLE waits")
        (part,) = [each for each in snapshot.parts if each.kind == PartKind.INVENTORY]
        inventory = parse_inventory(b"".join(reader.read(part)))
        assert not altering.done()
    assert inventory.generated == (GeneratedColumn("public", "b", "twice", values=1),)
