"""The role that we ship makes backups, and changes nothing."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from attrs import evolve, frozen
from tests.docs.pages import ROOT
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server

from brownie_backup.dumpers.postgres.dump.wal import SUMMARIES_SINCE

pytestmark = pytest.mark.once

SCRIPT = ROOT / "examples" / "sql" / "backup_role.sql"
ROLE = "brownie_backup"
DEFAULTS_SINCE = 18
"""From which major on there are default privileges for large objects."""
CONTENT = """
CREATE TABLE orders (id int PRIMARY KEY, what text NOT NULL);
INSERT INTO orders SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 5000) g;
CREATE TABLE secrets (id int PRIMARY KEY, owner text);
INSERT INTO secrets VALUES (1, 'somebody else');
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE SCHEMA hidden;
CREATE TABLE hidden.numbers AS SELECT 1 AS n;
CREATE SEQUENCE hidden.counter;
SELECT lo_from_bytea(4711, 'a picture');
"""
WRITES = (
    "INSERT INTO orders VALUES (0, 'nothing')",
    "UPDATE orders SET what = ''",
    "DELETE FROM secrets",
    "TRUNCATE orders",
    "DROP TABLE orders",
    "CREATE TABLE mine (n int)",
    "CREATE SCHEMA mine",
    "SELECT nextval('hidden.counter')",
    "SELECT lo_unlink(4711)",
    "SELECT lo_put(4711, 0, 'another')",
    "CREATE ROLE friend",
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "COPY orders TO PROGRAM 'cat'",
)


@frozen
class Scene:
    """A database, and the command line as the role."""

    server: Server
    database: str
    cli: Cli

    def sql(self, sql: str) -> str:
        """Run SQL as a superuser."""
        return self.server.sql(self.database, sql)


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of our own, for roles belong to all of its databases."""
    settings = {"autovacuum": "off"}  # what it writes in between would be read again
    if request.param >= SUMMARIES_SINCE:
        settings["summarize_wal"] = "on"
    own = Server(request.param, settings)
    try:
        yield own
    finally:
        own.close()


@pytest.fixture(scope="module")
def scene(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A database on which the script was run, twice."""
    database = f"shop_{secrets.token_hex(4)}"
    server.create(database)
    server.sql(database, CONTENT)
    server.load(database, SCRIPT)
    server.load(database, SCRIPT)
    server.sql(database, f"ALTER ROLE {ROLE} PASSWORD 'secret'")
    cli = cli_for(server, database, tmp_path_factory.mktemp("role"))
    url = f"postgresql://{ROLE}:secret@127.0.0.1:{server.port}/{database}"
    return Scene(
        server,
        database,
        evolve(cli, env=cli.env | {"BACKUP_DATABASE_URL": url, "BACKUP_BULK_TABLE_BYTES": "64K"}),
    )


def test_a_backup_by_the_role_has_everything(scene: Scene) -> None:
    made = scene.cli.json("backup", "--name", "by-the-role")["backup"]
    assert {part["kind"] for part in made["parts"]} >= {"archive", "table"}
    target = f"{scene.database}_back"
    superuser = scene.server.url(scene.database)
    restored = scene.cli.run(
        "restore", "by-the-role", "--target-db", target, BACKUP_DATABASE_URL=superuser
    )
    assert restored.status == 0, restored
    for sql in (
        "SELECT count(*), md5(string_agg(what, ',' ORDER BY id)) FROM orders",
        "SELECT owner FROM secrets",
        "SELECT n FROM hidden.numbers",
        "SELECT lo_get(4711)",
    ):
        assert scene.server.sql(target, sql) == scene.sql(sql)
    scene.server.drop(target)


def test_what_has_not_changed_is_not_read_again(scene: Scene) -> None:
    said = [scene.cli.run("backup").out for _ in range(3)]
    assert ("1 unchanged and not read" in said[-1]) == (scene.server.major >= SUMMARIES_SINCE), said


def test_the_role_changes_nothing(scene: Scene) -> None:
    url = scene.cli.env["BACKUP_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")  # as a thief would
        for sql in WRITES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(sql)


def test_the_doctor_is_content(scene: Scene) -> None:
    findings = scene.cli.json("doctor")["findings"]
    wrong = {f["subject"]: f for f in findings if f["level"] != "ok"}
    assert wrong == {}
    said = {f["subject"]: f["message"] for f in findings if f["level"] == "ok"}
    assert "may read every table, sequence and large object" in str(findings)
    if scene.server.major >= SUMMARIES_SINCE:
        assert "not read again" in said["WAL summaries"]
    else:
        assert "keeps no WAL summaries" in said["WAL summaries"]


def test_large_objects_to_come_are_readable_from_18_on(scene: Scene) -> None:
    scene.sql("SELECT lo_from_bytea(4712, 'another picture')")
    done = scene.cli.run("doctor")
    if scene.server.major >= DEFAULTS_SINCE:
        assert done.status == 0, done
    else:
        assert done.status == 1
        assert "may not read large object 4712" in done.out
        scene.server.load(scene.database, SCRIPT)
        assert scene.cli.run("doctor").status == 0
    scene.sql("SELECT lo_unlink(4712)")


def test_the_role_may_have_another_name(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "named.sql"
    script.write_text(f"\\set role 'Nächtlich \"2\"'\n\\i {SCRIPT}\n", encoding="utf-8")
    server.load("postgres", script)
    assert "Nächtlich" in server.sql("postgres", "SELECT rolname FROM pg_roles WHERE rolbypassrls")
