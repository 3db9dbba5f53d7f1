"""One object that cannot be restored costs that object, and nothing else."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore

pytestmark = pytest.mark.once

BAD = """
SET check_function_bodies = off;
CREATE TABLE fine (id int PRIMARY KEY, what text);
INSERT INTO fine SELECT g, md5(g::text) FROM generate_series(1, 500) g;

CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE orphans (id int CONSTRAINT to_parent REFERENCES parent);
SET session_replication_role = replica;
INSERT INTO orphans VALUES (7);
RESET session_replication_role;

CREATE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql AS
  'BEGIN RETURN (SELECT count(*) FROM public.fine); END';
CREATE MATERIALIZED VIEW unqualified AS SELECT counted() AS n;
CREATE OR REPLACE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql AS
  'BEGIN RETURN (SELECT count(*) FROM fine); END';

CREATE TABLE bytes (id int, t text);
INSERT INTO bytes VALUES (1, 'good');
CREATE CAST (bytea AS text) WITHOUT FUNCTION;
INSERT INTO bytes VALUES (2, CAST('\\xff'::bytea AS text));
DROP CAST (bytea AS text);

CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION four_times(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT twice(twice($1))';
CREATE TABLE inlined (id int, n int GENERATED ALWAYS AS (four_times(id)) STORED);
INSERT INTO inlined (id) VALUES (1);
"""
CAUSES = {
    ("FK CONSTRAINT", "public.orphans to_parent"),
    ("MATERIALIZED VIEW DATA", "public.unqualified"),
    ("TABLE DATA", "public.bytes"),
    ("TABLE", "public.inlined"),
    ("TABLE DATA", "public.inlined"),
}
FINE = "SELECT (SELECT count(*) FROM fine), (SELECT count(*) FROM orphans)"


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    name = f"one_{secrets.token_hex(4)}"
    server.create(name)
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)


@pytest.fixture
def cli(server: Server, database: str, tmp_path: Path) -> Cli:
    return cli_for(server, database, tmp_path)


def test_everything_but_what_fails_is_restored_if_that_is_accepted(
    cli: Cli, server: Server, database: str
) -> None:
    server.sql(database, BAD)
    cli.json("backup")
    target = ("restore", "latest", "--target-db", f"{database}_r")

    refused = cli.run(*target, "--json")
    assert refused.status == 1
    assert refused.json["error"]["type"] == "RestoreFailed"
    assert "--exclude-table public.inlined" in refused.err
    assert "--accept-errors" in refused.err
    assert server.databases(f"{database}_r%") == []

    kept = cli.run(*target, "--keep-failed", "--json")
    assert kept.status == 1
    assert len(kept.json["error"]["details"]) == len(CAUSES)
    (half,) = server.databases(f"{database}_r%")
    assert server.sql(half, FINE) == "500|1\n"
    server.drop(half)

    done = cli.run(*target, "--accept-errors", "--json")
    assert done.status == 3
    failed = done.json["failed"]
    assert {(each["kind"], each["name"]) for each in failed} == CAUSES
    assert all(each["error"] for each in failed)
    assert "public.orphans to_parent" in done.err
    assert server.sql(f"{database}_r", FINE) == "500|1\n"
    assert cli.json("audit", "--action", "restore")["entries"][-1]["accepted"] == ["errors"]


def test_a_bad_row_of_a_large_table_costs_no_other_table_and_no_other_range(
    repository: Repository, server: Server, database: str
) -> None:
    server.sql(
        database,
        f"{BAD} CREATE CAST (bytea AS text) WITHOUT FUNCTION;"
        "CREATE TABLE large (id int, t text);"
        "INSERT INTO large SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 3000) g;"
        "INSERT INTO large VALUES (0, CAST('\\xff'::bytea AS text));"
        "DROP CAST (bytea AS text)",
    )
    dumper = server.dumper(database, bulk_table_bytes=8192, binary=False)
    create_backup(repository, dumper)
    options = RestoreOptions(accept_errors=True)
    report = restore(repository, dumper, "latest", target_database=f"{database}_r", options=options)
    assert ("TABLE DATA", "public.large") in {(e.kind, e.name) for e in report.detail.failed}
    assert server.sql(f"{database}_r", FINE) == "500|1\n"


def test_what_is_excluded_stays_away_with_what_needs_it(
    cli: Cli, server: Server, database: str
) -> None:
    server.sql(
        database,
        "CREATE EXTENSION hstore; CREATE TABLE attributes (id int, h hstore);"
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (9);"
        "INSERT INTO log VALUES (1); CREATE VIEW newest AS SELECT max(id) FROM log;"
        "CREATE TABLE entries (id int CONSTRAINT to_log REFERENCES log, what text);"
        "INSERT INTO entries VALUES (1, 'x'); CREATE INDEX by_what ON entries (what);"
        "CREATE TABLE queue (id serial); INSERT INTO queue SELECT FROM generate_series(1, 5);"
        "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();"
        f"ALTER DATABASE {database} SET work_mem = '5MB'",
    )
    cli.json("backup")
    target = ("restore", "latest", "--target-db", f"{database}_r", "--json")
    options = (
        *("--exclude-extension", "hstore", "--exclude-table", "public.log"),
        *("--exclude-table-data", "public.queue", "--exclude-event-triggers"),
        *("--exclude-settings", "--locale", "C"),
    )
    missing = cli.run(*target, "--exclude-table", "public.lag", "--dry-run")
    assert missing.status == 1
    assert "public.log" in missing.err  # did you mean that?

    done = cli.run(*target, *options)
    assert done.status == 3, done.err
    left_out = [f["message"] for f in done.json["findings"] if f["subject"] == "excluded"]
    assert [message.partition(",")[0] for message in left_out] == [
        "left out: TABLE public.attributes",
        "left out: VIEW public.newest",
        "left out: FK CONSTRAINT public.entries to_log",
    ]
    found = server.sql(
        f"{database}_r",
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace;"
        "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM queue),"
        " (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_extension),"
        " (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase"
        "  WHERE datname = current_database()),"
        " (SELECT datcollate FROM pg_database WHERE datname = current_database())",
    )
    assert found == "by_what entries queue queue_id_seq\n1|0|0|1|0|C\n"


def test_an_extension_that_can_be_made_in_one_database_only_is_named_with_its_option(
    cli: Cli, server: Server, database: str
) -> None:
    more = server.data / "more"  # it cannot read pytest's own folders
    folder = more / "extension"
    folder.mkdir(parents=True)
    (folder / "only_here.control").write_text("default_version = '1'\nrelocatable = false\n")
    (folder / "only_here--1.sql").write_text(
        f"""DO $$ BEGIN IF current_database() <> '{database}' THEN
        RAISE EXCEPTION 'can only be made in {database}'; END IF; END $$;
        CREATE TABLE public.jobs (id int);
        SELECT pg_catalog.pg_extension_config_dump('public.jobs', '');"""
    )
    server.sql("postgres", f"ALTER SYSTEM SET extension_control_path = '{more}:$system'")
    server.sql("postgres", "SELECT pg_reload_conf()")
    try:
        server.sql(
            database,
            "CREATE EXTENSION only_here; INSERT INTO jobs VALUES (1);"
            "CREATE TABLE fine AS SELECT 1 AS id; CREATE VIEW due AS SELECT id FROM jobs",
        )
        cli.json("backup")
        target = ("restore", "latest", "--target-db", f"{database}_r", "--json")
        refused = cli.run(*target)
        assert refused.status == 1
        assert "--exclude-extension only_here" in refused.err

        accepted = cli.run(*target, "--accept-errors")
        assert accepted.status == 3, accepted.err
        assert accepted.json["failed"][0]["kind"] == "EXTENSION"
        assert server.sql(f"{database}_r", "SELECT id FROM fine") == "1\n"
        server.drop(f"{database}_r")

        without = cli.run(*target, "--exclude-extension", "only_here")
        assert without.status == 3, without.err
        assert without.json["failed"] == []
        assert server.sql(f"{database}_r", "SELECT id FROM fine") == "1\n"
    finally:
        server.sql("postgres", "ALTER SYSTEM RESET extension_control_path")
        server.sql("postgres", "SELECT pg_reload_conf()")
