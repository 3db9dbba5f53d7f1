"""What is told of a table changes whenever the bytes of its unchanged blocks may."""

import secrets
from collections.abc import Iterator
from functools import partial

import pytest
from tests.integration.bulk import describe_tables
from tests.integration.majors import EACH_MAJOR
from tests.servers.running import Server, Servers

from brownie_backup.dumpers.postgres.dump.large_tables import LargeTable

pytestmark = pytest.mark.once


SCHEMA = """
CREATE EXTENSION hstore VERSION '1.7'; CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN moods AS mood[];
CREATE TYPE inner_pair AS (a int, b mood);
CREATE TYPE pair AS (x inner_pair, y text);
CREATE TYPE mood_range AS RANGE (subtype = mood);
CREATE TABLE other (a int);
CREATE TABLE t (
  id int, name varchar(10), gone text, moods moods, pairs pair[], ranges mood_range, h hstore,
  c citext, row other, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO t (id, name, moods) SELECT g, 'n' || g, '{glad}' FROM generate_series(1, 100) g;
"""


def described(server: Server, database: str, role: str | None = None) -> LargeTable:
    """Return what is known of the table `t`."""
    return describe_tables(server, database, role)["t"]


@pytest.fixture(params=EACH_MAJOR)
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    return servers.get(request.param)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    name = f"signed_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, SCHEMA)
    yield name
    server.drop(name)


CHANGES = (
    "ALTER TABLE t ALTER name TYPE varchar(20)",  # without a rewrite
    "ALTER TABLE t ALTER name TYPE text",
    "ALTER TABLE t RENAME name TO called",
    "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'",
    "ALTER TYPE mood ADD VALUE 'so so' BEFORE 'sad'",
    "ALTER TABLE t ADD later int DEFAULT 7",
    "ALTER TABLE t ADD without int",
    "ALTER TABLE t DROP gone",
    "ALTER TYPE inner_pair ADD ATTRIBUTE c int",
    "ALTER TYPE inner_pair DROP ATTRIBUTE a",
    "ALTER TYPE inner_pair RENAME ATTRIBUTE b TO bb",
    "ALTER TABLE other ADD b int",
    "ALTER TABLE other DROP a",
    "ALTER TABLE t ALTER twice DROP EXPRESSION",
    "ALTER EXTENSION hstore UPDATE TO '1.8'",
)


def test_the_signature_changes_with_all_that_rows_are_made_of(
    server: Server, database: str
) -> None:
    look = partial(described, server, database)
    seen = {look().table.signature}
    for change in CHANGES:
        server.sql(database, change)
        after = look().table.signature
        assert after not in seen, change
        seen.add(after)


NO_CHANGES = (
    "INSERT INTO t (id) VALUES (7); UPDATE t SET id = id + 1; DELETE FROM t WHERE id < 5",
    "ANALYZE t", "VACUUM (FREEZE) t", "CREATE INDEX ON t (id)", "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON COLUMN t.id IS 'x'", "COMMENT ON TYPE mood IS 'x'", "GRANT SELECT ON t TO public",
    "ALTER TABLE t ALTER id SET STATISTICS 5", "ALTER TABLE t ALTER id SET NOT NULL",
    "ALTER TABLE t ADD CHECK (id > 0)", "ALTER TABLE t SET (fillfactor = 70)",
    "ALTER TABLE t ALTER id SET DEFAULT 5", "ALTER TABLE t ALTER name SET STORAGE external",
    "CREATE TABLE unrelated (a int)", "CREATE TYPE unrelated_mood AS ENUM ('x')",
    "ALTER DOMAIN moods ADD CHECK (VALUE IS NOT NULL) NOT VALID",
)  # fmt: skip


def test_the_signature_stays_when_only_rows_or_what_is_about_them_change(
    server: Server, database: str
) -> None:
    server.sql(database, "ALTER TABLE t ADD at timestamptz DEFAULT '2001-02-03 04:05+06'")
    look = partial(described, server, database)
    before = look().table
    for change in NO_CHANGES:
        server.sql(database, change)
        assert look().table == before, change


def test_another_role_with_other_settings_and_a_restart_change_nothing() -> None:
    server = Server(18)
    try:
        server.create("signed")
        server.sql("signed", SCHEMA)
        server.sql(
            "signed",
            "ALTER TABLE t ADD at timestamptz DEFAULT '2001-02-03 04:05+06',"
            "ADD took interval DEFAULT '1 day', ADD bytes bytea DEFAULT '\\x0001',"
            "ADD ratio float8 DEFAULT 0.1::float8 + 0.2::float8;"
            f"CREATE ROLE other LOGIN PASSWORD '{server.password.reveal()}';"
            "GRANT pg_read_all_data TO other; ALTER ROLE other SET TimeZone = 'Asia/Tokyo';"
            "ALTER ROLE other SET DateStyle = 'German'; ALTER ROLE other SET bytea_output = escape;"
            "ALTER ROLE other SET extra_float_digits = -5;"
            "ALTER ROLE other SET IntervalStyle = iso_8601",
        )
        before = described(server, "signed").table
        assert described(server, "signed", role="other").table == before
        server.stop()
        server.start()
        assert described(server, "signed").table == before
    finally:
        server.close()


@pytest.mark.parametrize("rewrite", ["VACUUM FULL t", "TRUNCATE t", "CLUSTER t USING t_id_idx"])
def test_the_filenode_changes_with_every_rewrite(
    server: Server, database: str, rewrite: str
) -> None:
    server.sql(database, "CREATE INDEX ON t (id)")
    before = described(server, database).table
    server.sql(database, rewrite)
    after = described(server, database).table
    assert after.filenode != before.filenode


BASE_TYPE = """
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal STRICT IMMUTABLE AS 'int4in';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'int4out';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, LIKE = int4, CATEGORY = 'A');
CREATE TYPE mood AS ENUM ('glad');
CREATE DOMAIN class AS regclass;
CREATE DOMAIN base_domain AS base;
CREATE TYPE pair AS (a int, b base);
CREATE TYPE proc_pair AS (a int, b regprocedure);
CREATE TYPE mood_range AS RANGE (subtype = mood);
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
CREATE EXTENSION lo; CREATE EXTENSION intarray;
"""
UNTRACKED = (
    "base", "base[]", "base_domain", "base_domain[]", "pair", "pair[]", "proc_pair", "class",
    "regclass", "regclass[]", "regproc", "regprocedure", "regoper", "regoperator", "regtype",
    "regrole", "regnamespace", "regconfig", "regdictionary", "regcollation", "aclitem", "aclitem[]",
    "query_int",
)  # fmt: skip
TRACKED = (
    "int", "int[]", "text", "timestamptz", "money", "xml", "jsonb", "tsvector", "int4range", "mood",
    "mood[]", "mood_range", "int4multirange", "citext", "hstore", "ltree", "citext[]", "point",
    "name", "inet", "information_schema.sql_identifier",
)  # fmt: skip


def test_a_table_is_tracked_when_its_text_depends_on_nothing_else(server: Server) -> None:
    name = f"tracked_{secrets.token_hex(4)}"
    server.create(name)
    try:
        server.sql(name, BASE_TYPE)
        tables = [(kind, False) for kind in UNTRACKED] + [(kind, True) for kind in TRACKED]
        create = (f"CREATE TABLE t{n} (id int, it {kind});" for n, (kind, _) in enumerate(tables))
        server.sql(name, "".join(create))
        server.sql(name, "CREATE UNLOGGED TABLE unlogged (id int)")
        known = describe_tables(server, name)
        assert [(k, known[f"t{n}"].tracked) for n, (k, _) in enumerate(tables)] == tables
        assert not known["unlogged"].tracked
    finally:
        server.drop(name)
