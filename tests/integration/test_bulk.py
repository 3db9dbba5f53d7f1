"""Bulk tables: which are read in ranges, and that all of their rows are."""

import secrets
import subprocess
from collections.abc import Iterator

import pytest
from attrs import frozen
from tests.integration.bulk import (
    dumper_for,
    read_archive,
    read_tables,
    split,
    tables_of,
)
from tests.integration.majors import EACH_MAJOR
from tests.servers.running import Server, Servers

from brownie_backup.dumpers.postgres.segments import TableDetail
from brownie_backup.postgres.copy_rows import begin_copying, copy_out

pytestmark = pytest.mark.once

FILL = "SELECT g AS id, repeat(chr(65 + g % 26), 400) AS what FROM generate_series(1, 400) g"
"""Some 170 KiB of rows."""


@frozen
class Source:
    """A database of its own for a test."""

    server: Server
    name: str

    def sql(self, sql: str) -> str:
        """Run SQL; return what psql printed."""
        return self.server.sql(self.name, sql)

    def oid(self, table: str) -> int:
        """Return a table's number."""
        return int(self.sql(f"SELECT '{table}'::regclass::oid"))

    def reasons(self, role: str | None = None) -> dict[int, str]:
        """Which large tables are in the archive, and why."""
        with dumper_for(self.server, self.name, role=role).snapshot() as snapshot:
            notes = [n for n in snapshot.notes if n.startswith("the large table")]
        pairs = (note.removeprefix("the large table with the oid ").split(" ", 1) for note in notes)
        return {int(oid): text.removeprefix("is in the archive: ") for oid, text in pairs}


@pytest.fixture(params=EACH_MAJOR)
def source(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Source]:
    """An empty database, on every server."""
    server = servers.get(request.param)
    name = f"bulk_{secrets.token_hex(4)}"
    server.create(name)
    yield Source(server, name)
    server.drop(name)


def found(source: Source, role: str | None = None) -> set[str]:
    with dumper_for(source.server, source.name, role=role).snapshot() as snapshot:
        return {spec.name for spec in tables_of(snapshot).values()}


def test_plain_heaps_over_the_threshold_are_read_in_ranges_and_nothing_else(source: Source) -> None:
    source.sql(
        f"""
        CREATE TABLE plain AS {FILL};
        CREATE UNLOGGED TABLE unlogged AS {FILL};
        CREATE TABLE small AS SELECT 1 AS id;
        CREATE MATERIALIZED VIEW matview AS {FILL};
        CREATE TABLE measured (id int, what text) PARTITION BY RANGE (id);
        CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM (0) TO (1000);
        INSERT INTO measured {FILL};
        CREATE TABLE parent (id int, what text);
        CREATE TABLE child () INHERITS (parent);
        INSERT INTO child {FILL};
        CREATE TEMPORARY TABLE passing AS {FILL};
        CREATE EXTENSION hstore;
        CREATE TABLE member AS {FILL};
        ALTER EXTENSION hstore ADD TABLE member;
        CREATE TABLE configured AS {FILL};
        ALTER EXTENSION hstore ADD TABLE configured;
        CREATE SCHEMA "pgX"; CREATE TABLE "pgX"."T" AS {FILL};
        """
    )
    expected = {"public.plain", "public.unlogged", "public.measured_1", "public.child", "pgX.T"}
    assert found(source) == expected
    assert source.reasons() == {}


def test_the_threshold_counts_the_bytes_of_the_heap(source: Source) -> None:
    source.sql(f"CREATE TABLE t AS {FILL}")
    size = int(source.sql("SELECT pg_relation_size('t')"))
    for threshold, expected in ((size - 1, ["t"]), (size, [])):
        dumper = dumper_for(source.server, source.name, bulk_bytes=threshold)
        with dumper.snapshot() as snapshot:
            assert list(tables_of(snapshot)) == expected


def test_a_table_that_cannot_be_split_is_in_the_archive_and_a_note_says_why(source: Source) -> None:
    source.sql(
        f"""
        CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
        CREATE TABLE strange USING other AS {FILL};
        CREATE TYPE mood AS ENUM ('glad', 'sad');
        CREATE TABLE moods (mood mood, what text) PARTITION BY HASH (mood);
        CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 1, REMAINDER 0)
          PARTITION BY LIST (mood);
        CREATE TABLE moods_1 PARTITION OF moods_0 DEFAULT;
        INSERT INTO moods SELECT 'sad', f.what FROM ({FILL}) f;
        CREATE TABLE "line
        break" AS {FILL};
        CREATE SCHEMA "tab\t"; CREATE TABLE "tab\t".plain AS {FILL};
        CREATE TABLE hollow (a int); INSERT INTO hollow SELECT 1 FROM generate_series(1, 9000);
        ALTER TABLE hollow DROP a;
        CREATE TABLE computed (x int GENERATED ALWAYS AS (1 + 1) STORED);
        INSERT INTO computed SELECT FROM generate_series(1, 9000);
        """
    )
    assert found(source) == set()
    control = "its name has control characters"
    assert source.reasons() == {
        source.oid("strange"): "it is not a plain heap",
        source.oid("moods_1"): "its rows are spread by the hash of an enum,"
        " which is another in each database",
        source.oid('"line\n        break"'): control,
        source.oid('"tab\t".plain'): control,
        source.oid("hollow"): "it has no columns",
        source.oid("computed"): "it has no columns",
    }


def test_what_a_role_may_not_read_whole_is_in_the_archive(source: Source) -> None:
    role = f"reader_{secrets.token_hex(4)}"
    password = source.server.password.reveal()
    source.sql(
        f"""
        CREATE ROLE {role} LOGIN PASSWORD '{password}';
        CREATE TABLE open AS {FILL};
        CREATE TABLE guarded AS {FILL};
        CREATE TABLE closed AS {FILL};
        CREATE TABLE by_column AS {FILL};
        ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON guarded USING (id < 5);
        GRANT SELECT ON open, guarded TO {role};
        GRANT SELECT (id) ON by_column TO {role};
        """
    )
    try:
        assert found(source, role) == {"public.open"}
        assert source.reasons(role) == {
            source.oid("guarded"): "row security applies to the backup role",
            source.oid("closed"): "the backup role may not lock it",
            source.oid("by_column"): "the backup role may not lock it",
        }
        assert found(source) == {
            "public.open",
            "public.guarded",
            "public.closed",
            "public.by_column",
        }
    finally:
        source.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


ODD_NAMES = (
    'quo"te', "do.t", "dol$lar", "spa ce", "UPPER", "back\\slash", ":name", "ünïcødé 表", "a*",
    "a?c", "a|b", "(x)", "[y]", "E'x'", "pct%s", "-- x", "'", "$1", "x" * 63, "a", "abc", "tb",
)  # fmt: skip


def test_any_name_of_a_table_or_a_column_can_be_read(source: Source) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    for name in ODD_NAMES:
        source.sql(
            f"CREATE TABLE {quoted(name)} AS SELECT id AS {quoted(name)}, what FROM ({FILL}) f"
        )
    read = read_tables(dumper_for(source.server, source.name))
    assert set(read) == set(ODD_NAMES)
    for name, rows in read.items():
        assert rows.text.decode() == source.sql(f"COPY {quoted(name)} TO STDOUT")
        assert rows.count == 400
    assert_apart(source, set())


def assert_apart(source: Source, of_archive: set[str]) -> None:
    """The archive has rows of these tables only."""
    archive = read_archive(dumper_for(source.server, source.name))
    program = str(source.server.client / "pg_restore")
    script = subprocess.run(
        [program, "--data-only", "--file=-"], input=archive, capture_output=True, check=True
    ).stdout.decode()
    copied = [line.split()[1] for line in script.splitlines() if line.startswith("COPY ")]
    assert set(copied) == of_archive


def test_the_archive_has_no_rows_of_bulk_tables_and_all_of_the_others(source: Source) -> None:
    source.sql(
        f"""
        CREATE TABLE big AS {FILL};
        CREATE TABLE big_small AS SELECT 1 AS id;
        CREATE TABLE "Big" AS SELECT 1 AS id;
        CREATE TABLE "b*" AS {FILL};
        CREATE TABLE bb AS SELECT 1 AS id;
        CREATE TABLE "pub.big" AS SELECT 1 AS id;
        CREATE SCHEMA other; CREATE TABLE other.big AS SELECT 1 AS id;
        CREATE TABLE "t$" AS {FILL};
        CREATE TABLE t AS SELECT 1 AS id;
        CREATE TABLE "a|big" AS {FILL};
        CREATE TABLE a AS SELECT 1 AS id;
        CREATE TABLE measured (id int, what text) PARTITION BY RANGE (id);
        CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM (0) TO (1000);
        CREATE TABLE measured_2 PARTITION OF measured FOR VALUES FROM (1000) TO (2000);
        INSERT INTO measured {FILL};
        INSERT INTO measured VALUES (1500);
        CREATE TABLE parent (id int, what text);
        CREATE TABLE child () INHERITS (parent);
        INSERT INTO parent {FILL};
        INSERT INTO child VALUES (1);
        """
    )
    assert found(source) == {
        *("public.big", "public.b*", "public.t$", "public.a|big"),
        *("public.measured_1", "public.parent"),
    }
    small = "big_small", '"Big"', "bb", '"pub.big"', "t", "a", "measured_2", "child"
    assert_apart(source, {"other.big", *(f"public.{name}" for name in small)})
    rows = read_tables(dumper_for(source.server, source.name))
    assert rows["parent"].count == rows["measured_1"].count == 400


EVERY_TYPE = r"""
CREATE EXTENSION hstore; CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('glad', 'so so', 'sad');
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE spans AS RANGE (subtype = float8);
CREATE TABLE every (
  gone int, id int GENERATED ALWAYS AS IDENTITY, serial bigserial,
  twice int GENERATED ALWAYS AS (number * 2) STORED, number int, again text,
  mood mood, moods mood[], positive positive, positives positive[], pair pair, pairs pair[],
  span spans, ranges int4multirange, bytes bytea, long text, long_bytes bytea, h hstore, c citext,
  at timestamptz, day date, took interval, real float4, double float8, cash money, x xml, j json,
  b jsonb, kind regclass, proc regprocedure, acl aclitem, ts tsvector, lines text
);
INSERT INTO every (number, mood, moods, positive, positives, pair, pairs, span, ranges, bytes, long,
  long_bytes, h, c, at, day, took, real, double, cash, x, j, b, kind, proc, acl, ts, lines)
SELECT g, 'so so', '[3:4]={glad,NULL}', g, ARRAY[g, g + 0.5], (g, E'x,"\\n')::pair,
  ARRAY[(g, NULL)::pair], spans(g, g + 1 / 3.0), int4multirange(int4range(g, g + 3)),
  decode('00ff00' || md5(g::text), 'hex'),
  (SELECT string_agg(md5((g * i)::text), '') FROM generate_series(1, 100) i),
  (SELECT string_agg(sha256((g * i)::text::bytea), '\x00') FROM generate_series(1, 200) i),
  hstore('k' || g, NULL), 'Case' || g, '2020-01-01 12:00+02'::timestamptz + g * interval '1 h',
  '0044-03-15 BC', '1 year -3 days 04:05:06.7', g / 3.0, g / 3.0, g, xmlelement(name a, g),
  '{"a":  1}', '{"a":  1}', 'every', 'now()', 'postgres=r/postgres', 'a:1 b:2',
  E'tab\tline\nback\slash\r\b'
FROM generate_series(1, 300) g;
ALTER TABLE every DROP gone, DROP again;
ALTER TABLE every ADD later text DEFAULT 'missing''s',
  ADD last timestamptz DEFAULT '2001-02-03 04:05+00', ADD again int DEFAULT 7;
UPDATE every SET again = NULL WHERE id % 7 = 0;
DELETE FROM every WHERE id % 11 = 0;
"""

TEXT = """
SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = 'UTC'; SET lc_monetary = 'C';
SET extra_float_digits = 3; SET bytea_output = hex; SET search_path = pg_catalog;
"""


def test_the_ranges_have_every_row_once_and_just_as_copy_writes_it(source: Source) -> None:
    source.sql(EVERY_TYPE)
    if source.server.major >= 18:
        source.sql("ALTER TABLE every ADD virtual int GENERATED ALWAYS AS (number * 2) VIRTUAL")
    rows = read_tables(dumper_for(source.server, source.name))["every"]
    assert len(rows.ranges) > 3
    assert rows.text.decode() == source.sql(TEXT + "COPY public.every TO STDOUT")
    assert rows.count == int(source.sql("SELECT count(*) FROM every")) == rows.text.count(b"\n")


OTHERWISE = (
    "DateStyle = 'German, DMY'", "IntervalStyle = 'iso_8601'", "TimeZone = 'Asia/Kathmandu'",
    "extra_float_digits = -5", "bytea_output = 'escape'", "row_security = on",
    "search_path = public, pg_catalog", "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on", "default_transaction_deferrable = on",
    "statement_timeout = 100", "lock_timeout = 1", "idle_in_transaction_session_timeout = 1",
    "client_encoding = 'LATIN1'", "xmloption = document", "random_page_cost = 0.01",
    "enable_tidscan = off", "max_parallel_workers_per_gather = 8", "parallel_setup_cost = 0",
    "min_parallel_table_scan_size = 0", "standard_conforming_strings = off",
    "quote_all_identifiers = on", "escape_string_warning = on", "xmlbinary = hex",
)  # fmt: skip


def test_settings_of_a_role_change_no_byte(source: Source) -> None:
    role = f"other_{secrets.token_hex(4)}"
    source.sql(
        f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{source.server.password.reveal()}';"
        + ";".join(f"ALTER ROLE {role} SET {setting}" for setting in OTHERWISE)
    )
    try:
        source.sql(EVERY_TYPE)
        before = read_tables(dumper_for(source.server, source.name))["every"]
        after = read_tables(dumper_for(source.server, source.name, role=role))["every"]
        assert after.ranges == before.ranges
        assert after.count == before.count
        assert after.detail.table == before.detail.table
    finally:
        source.sql(f"DROP ROLE {role}")


def test_binary_ranges_have_every_row_once(source: Source) -> None:
    source.sql(
        """
        CREATE TABLE numbers AS SELECT g AS id, g / 7.0 AS ratio, md5(g::text) AS hash,
          ARRAY[g, NULL] AS pair, now() AS at FROM generate_series(1, 3000) g;
        DELETE FROM numbers WHERE id % 11 = 0;
        CREATE TABLE copied (LIKE numbers);
        """
    )
    rows = read_tables(dumper_for(source.server, source.name, binary=True))["numbers"]
    assert len(rows.ranges) > 3
    for each in rows.ranges:
        load(source, "copied", each)
    same = "SELECT count(*) FROM (TABLE numbers INTERSECT ALL TABLE copied) x"
    assert int(source.sql(same)) == rows.count == int(source.sql("SELECT count(*) FROM copied"))


def load(source: Source, table: str, data: bytes) -> None:
    """Load binary rows."""
    client = dumper_for(source.server, source.name)._client
    argv = [
        *(str(source.server.client / "psql"), "-X", "-q", "--dbname", client.access.command_line()),
        *("-c", f"COPY {table} FROM STDIN (FORMAT binary)"),
    ]
    subprocess.run(argv, input=data, env=client.access.environment(), check=True)


HARD_PLANS = """
CREATE TABLE t AS SELECT g AS a, g AS b, repeat('x', 200) AS c FROM generate_series(1, 3000) g;
CREATE INDEX ON t (a); CREATE INDEX ON t (b) INCLUDE (a, c); CREATE INDEX ON t (c);
CREATE INDEX ON t USING brin (a); CLUSTER t USING t_b_a_c_idx; ANALYZE t;
"""


@pytest.mark.parametrize(
    "setting",
    [
        "random_page_cost = 0.01",
        "cpu_tuple_cost = 1000",
        "seq_page_cost = 0",
        "min_parallel_table_scan_size = 0",
    ],
)
def test_one_process_scans_just_the_range_and_in_order(source: Source, setting: str) -> None:
    source.sql(HARD_PLANS + f"ALTER DATABASE {source.name} SET {setting}")
    dumper = dumper_for(source.server, source.name)
    with dumper.snapshot() as snapshot, dumper._client.session(source.name) as session:
        (spec,) = tables_of(snapshot).values()
        session.run("BEGIN")
        begin_copying(session)
        detail = split(spec)[0].detail
        assert isinstance(detail, TableDetail)
        query = (
            copy_out(detail.relation, detail.blocks)
            .removeprefix("COPY (")
            .rpartition(") TO STDOUT")[0]
        )
        rows = session.query(f"EXPLAIN (COSTS off) {query}")
    plan = [row["QUERY PLAN"] for row in rows]
    assert plan[0].startswith("Tid Range Scan on")
    assert len(plan) == 2, plan
    text = read_tables(dumper)["t"].text.decode()
    assert text == source.sql(
        "SET enable_indexscan = off; SET enable_bitmapscan = off;"
        "COPY (SELECT * FROM t ORDER BY ctid) TO STDOUT"
    )
