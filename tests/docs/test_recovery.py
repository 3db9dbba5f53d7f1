"""Pages that restore on a new server: what they recover there is what was lost, row by row."""

from collections.abc import Iterator

import pytest

from tests.docs.pages import all_pages
from tests.docs.sandbox import Sandbox
from tests.servers.running import Server

pytestmark = pytest.mark.once

NEW = "new.example.com"
PAGES = {
    each.name: each
    for each in all_pages()
    if each.examples and NEW in each.path.read_text(encoding="utf-8")
}

# Several large tables with several ranges each, names that need quotes, rows in both formats of
# COPY, and what else a database is made of.
MORE = """
CREATE ROLE clerk LOGIN PASSWORD 'secret' CONNECTION LIMIT 7;
CREATE ROLE "Ärzte | all" NOLOGIN;
GRANT "Ärzte | all" TO clerk;
ALTER DATABASE shop OWNER TO clerk;
ALTER DATABASE shop SET datestyle = 'German';
ALTER ROLE clerk IN DATABASE shop SET work_mem = '5MB';
ALTER TABLE customers OWNER TO clerk;
GRANT SELECT ON orders TO "Ärzte | all";
CREATE SCHEMA "Lager | eins" AUTHORIZATION clerk;
CREATE TABLE "Lager | eins"."Teile, ""alle"" " (
  "Nr." bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "Größe | cm" interval NOT NULL,
  doc xml,
  double int GENERATED ALWAYS AS (length("wer?")) STORED,
  "wer?" varchar(99)
);
INSERT INTO "Lager | eins"."Teile, ""alle"" " ("Größe | cm", doc, "wer?")
  SELECT make_interval(months => -n, hours => n), '<a>ß</a>', repeat('→', n % 30)
  FROM generate_series(1, 9000) AS n;
CREATE TABLE prices (id int PRIMARY KEY, at timestamptz, cents int);
INSERT INTO prices SELECT n, timestamptz '2026-01-01 UTC' + n * interval '1 minute', n % 977
  FROM generate_series(1, 30000) AS n;
CREATE VIEW totals AS SELECT customer_id, sum(total) FROM orders GROUP BY 1;
CREATE SEQUENCE invoices START 5000 OWNED BY orders.id;
SELECT nextval('invoices') FROM generate_series(1, 42) \\g /dev/null
SELECT lo_from_bytea(4711, 'a picture') \\g /dev/null
SELECT lo_from_bytea(4712, repeat('x', 99999)::bytea) \\g /dev/null
GRANT SELECT ON LARGE OBJECT 4711 TO clerk;
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER gone BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION gone();
"""

TABLES = """
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) FROM %s AS t',
  c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v') AND n.nspname !~ '^(pg_|information_schema)'
ORDER BY c.oid::regclass::text
\\gexec
"""
REST = """
SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2;
SELECT m.oid, md5(lo_get(m.oid)), m.lomacl FROM pg_largeobject_metadata m ORDER BY 1;
SELECT c.oid::regclass, pg_get_userbyid(c.relowner), c.relacl FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.oid::regclass::text;
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
  WHERE conrelid >= 16384 ORDER BY conrelid::regclass::text, conname;
SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal;
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datacl
  FROM pg_database WHERE datname = current_database();
SELECT setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 1::text;
SELECT rolname, rolcanlogin, rolconnlimit, rolpassword FROM pg_authid
  WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY 1;
SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE roleid >= 16384;
"""


@pytest.fixture(scope="module")
def new_server() -> Iterator[Server]:
    """A server that has none of the roles, and another password."""
    server = Server(18)
    yield server
    server.close()


@pytest.mark.parametrize("name", PAGES)
def test_what_is_recovered_is_what_was_lost(
    name: str, sandbox: Sandbox, docs_server: Server, new_server: Server
) -> None:
    docs_server.sql("shop", MORE)
    lost = _contents(docs_server)
    with sandbox.beside(new_server, NEW):
        sandbox.run_page(PAGES[name])
        assert _contents(new_server) == lost


def _contents(server: Server) -> list[str]:
    return (server.sql("shop", TABLES) + server.sql("shop", REST)).splitlines()
