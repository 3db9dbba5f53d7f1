"""A restore takes the place of a database only when all is well, and then keeps what was there."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, children, finish
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once

UNRESTORABLE = """
CREATE TABLE limits (most int);
INSERT INTO limits VALUES (5);
CREATE FUNCTION most() RETURNS int LANGUAGE plpgsql AS
  'BEGIN RETURN (SELECT max(l.most) FROM limits l); END';
CREATE TABLE a_first (n int CHECK (n < most()));
INSERT INTO a_first VALUES (1);
"""
"""A real trap: pg_dump takes it, but the function finds nothing in the empty search_path that a
restore has."""

UNINDEXABLE = """
CREATE TABLE limits (most int);
CREATE FUNCTION most(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN RETURN (SELECT max(l.most) FROM limits l); END';
CREATE TABLE counted (n int);
CREATE INDEX ON counted (most(n));
INSERT INTO counted VALUES (1);
CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p
  WITH (connect = false, slot_name = 'theirs');
"""


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A role that owns something in the small database, and is gone afterwards."""
    name = 'Röle "x"'
    yield name
    quoted = '"Röle ""x"""'
    for database in server.databases("small%"):
        if server.sql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
            server.sql(database, f"DROP OWNED BY {quoted} CASCADE")
    server.sql("postgres", f"DROP ROLE IF EXISTS {quoted}")


def rows(server: Server, database: str) -> str:
    return server.sql(
        database, "SELECT count(*), md5(string_agg(what, ',' ORDER BY id)) FROM orders"
    )


@pytest.mark.parametrize("name", ["template0", "template1"])
def test_a_template_of_the_server_is_never_replaced(
    name: str, small_cli: Cli, server: Server
) -> None:
    small_cli.json("backup")
    for dry_run in ((), ("--dry-run",)):
        result = small_cli.run("restore", "latest", "--target-db", name, "--replace", *dry_run)
        assert result.status == 1, result
        assert f"'{name}' is a template for new databases" in result.err
    assert name in server.databases()


def test_an_existing_target_is_refused(small_cli: Cli, small: str, server: Server) -> None:
    small_cli.json("backup")
    result = small_cli.run("restore", "latest", "--json")
    assert result.status == 1
    assert result.json["error"]["type"] == "TargetExists"
    assert "--replace" in result.err
    assert server.databases(f"{small}%") == [small]


def test_replace_swaps_and_keeps_the_old_database_whoever_is_connected(
    small_cli: Cli, small: str, server: Server
) -> None:
    small_cli.json("backup")
    before = rows(server, small)
    server.sql(small, "DELETE FROM orders WHERE id > 10")
    stop = threading.Event()

    def keep_connecting() -> None:
        while not stop.is_set():
            command = [
                str(server.client / "psql"),
                "-X",
                server.url(small),
                "-c",
                "SELECT pg_sleep(9)",
            ]
            subprocess.run(command, check=False, capture_output=True)

    crowd = [threading.Thread(target=keep_connecting) for _ in range(2)]
    for thread in crowd:
        thread.start()
    try:
        document = small_cli.json("restore", "latest", "--replace")
    finally:
        stop.set()
        server.end_sessions(f"{small}%")
        for thread in crowd:
            thread.join()
    kept = document["replaced_database"]
    assert kept.startswith(f"{small}_before_20")
    assert server.databases(f"{small}%") == sorted([small, kept])
    assert rows(server, small) == before
    assert server.sql(kept, "SELECT count(*) FROM orders") == "10\n"


def test_a_failed_restore_leaves_the_target_and_nothing_else(
    small_cli: Cli, small: str, server: Server
) -> None:
    server.sql(small, UNRESTORABLE)
    small_cli.json("backup")
    before = server.plain_dump(small)
    result = small_cli.run("restore", "latest", "--replace", "--json")
    assert result.status == 1
    assert result.json["error"]["type"] == "RestoreFailed"
    assert 'relation "limits" does not exist' in result.json["error"]["details"][0]
    assert server.databases(f"{small}%") == [small]
    assert server.plain_dump(small) == before


def test_keep_failed_names_the_half_made_database(
    small_cli: Cli, small: str, server: Server
) -> None:
    server.sql(small, UNRESTORABLE)
    small_cli.json("backup")
    result = small_cli.run("restore", "latest", "--target-db", f"{small}_r", "--keep-failed")
    assert result.status == 1
    (half,) = server.databases(f"{small}_r%")
    assert f"'{half}'" in result.err
    assert server.sql(half, "SELECT count(*) FROM orders") in {"0\n", "1000\n"}


def test_a_failed_restore_with_a_subscription_leaves_nothing_and_drops_no_slot(
    small_cli: Cli, small: str, server: Server
) -> None:
    server.sql(small, UNINDEXABLE)
    small_cli.json("backup")
    result = small_cli.run("restore", "latest", "--target-db", f"{small}_r", "--json")
    assert result.status == 1
    assert any("limits" in detail for detail in result.json["error"]["details"])
    assert server.databases(f"{small}_r%") == []


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    small_cli: Cli, small: str, server: Server
) -> None:
    small_cli.json("backup")
    before = _but_the_trail(small_cli)
    document = small_cli.json("restore", "latest", "--target-db", f"{small}_r", "--dry-run")
    assert document["dry_run"]
    assert document["target_database"] == f"{small}_r"
    assert small_cli.run("restore", "latest", "--dry-run").status == 1  # it would be refused
    assert server.databases(f"{small}%") == [small]
    assert _but_the_trail(small_cli) == before


def _but_the_trail(cli: Cli) -> list[Path]:
    """Return all that is in the store but what says who has looked at it."""
    return sorted(path for path in cli.store.rglob("*") if cli.store / "audit" not in path.parents)


def test_missing_roles_are_named_before_anything_starts_and_made_on_request(
    small_cli: Cli, small: str, server: Server, role: str
) -> None:
    quoted = '"Röle ""x"""'
    server.sql(
        small,
        f"CREATE ROLE {quoted} LOGIN PASSWORD 'rp' CONNECTION LIMIT 7;"
        f"ALTER TABLE orders OWNER TO {quoted}; ALTER ROLE {quoted} SET work_mem = '5MB'",
    )
    small_cli.json("backup")
    password = server.sql("postgres", f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
    server.sql(small, f"ALTER TABLE orders OWNER TO postgres; DROP ROLE {quoted}")

    target = ("restore", "latest", "--target-db", f"{small}_r")
    refused = small_cli.run(*target, "--json")
    assert refused.status == 1
    assert refused.json["error"]["type"] == "RestoreRefused"
    assert role in refused.err
    assert "--with-roles" in refused.err
    assert server.databases(f"{small}_r%") == []

    small_cli.json(*target, "--no-owner", "--no-acl")
    server.drop(f"{small}_r")

    assert small_cli.json(*target, "--with-roles")["created_roles"] == [role]
    found = "SELECT rolpassword FROM pg_authid WHERE rolconnlimit = 7 AND rolname ="
    assert server.sql("postgres", f"{found} '{role}'") == password
    owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'orders'"
    assert server.sql(f"{small}_r", owner) == f"{quoted}\n"


def test_with_roles_makes_only_those_that_the_database_needs_and_lists_the_others(
    small_cli: Cli, small: str, server: Server
) -> None:
    parts = ("owner", "reader", "group", "login", "policy", "setting", "mapping", "other", "its")
    roles = {part: f"{small}_{part}" for part in parts}
    drop = "; ".join(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}" for role in roles.values())
    server.sql(
        small,
        "; ".join(f"CREATE ROLE {role}" for role in roles.values())
        + f"; GRANT {roles['group']} TO {roles['login']}; GRANT {roles['other']} TO {roles['its']}"
        + f"; GRANT {roles['other']} TO {roles['reader']}"
        + f"; ALTER TABLE orders OWNER TO {roles['owner']}"
        + f"; GRANT SELECT ON orders TO {roles['reader']}"
        + f"; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {roles['group']}"
        + f"; CREATE POLICY theirs ON orders TO {roles['policy']}"
        + f"; ALTER ROLE {roles['setting']} IN DATABASE {small} SET work_mem = '5MB'"
        + "; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w"
        + f"; CREATE USER MAPPING FOR {roles['mapping']} SERVER s",
    )
    small_cli.json("backup")
    server.sql(small, drop)
    try:
        target = ("restore", "latest", "--target-db", f"{small}_r", "--with-roles")
        done = small_cli.json(*target)
        unneeded = {roles["other"], roles["its"]}
        assert {*done["created_roles"]} == {*roles.values()} - unneeded
        found = " ".join(f["message"] for f in done["findings"] if f["subject"] == "roles")
        assert all(role in found for role in roles.values())
        member = f"SELECT pg_has_role('{roles['login']}', '{roles['group']}', 'MEMBER')"
        assert server.sql("postgres", member) == "t\n"
    finally:
        server.drop(f"{small}_r")
        left = f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{small}%'"
        for role in server.sql("postgres", left).splitlines():
            server.sql(small, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_roles_that_a_failed_restore_made_are_gone(
    small_cli: Cli, small: str, server: Server, role: str
) -> None:
    quoted = '"Röle ""x"""'
    server.sql(small, f"{UNRESTORABLE} CREATE ROLE {quoted}; ALTER TABLE orders OWNER TO {quoted}")
    small_cli.json("backup")
    server.sql(small, f"ALTER TABLE orders OWNER TO postgres; DROP ROLE {quoted}")
    result = small_cli.run("restore", "latest", "--target-db", f"{small}_r", "--with-roles")
    assert result.status == 1
    assert server.sql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'") == ""


def test_a_missing_extension_is_named_before_anything_starts(
    small_cli: Cli, small: str, server: Server, tmp_path: Path
) -> None:
    # One that no other test uses: all servers of a version share its files.
    server.sql(small, "CREATE EXTENSION tcn")
    small_cli.json("backup")
    control = server.client.parent / "share" / "extension" / "tcn.control"
    if not control.exists():
        (control,) = server.client.parent.rglob("tcn.control")
    aside = control.rename(control.with_suffix(".aside"))
    try:
        result = small_cli.run("restore", "latest", "--target-db", f"{small}_r")
    finally:
        aside.rename(control)
    assert result.status == 1
    assert "extension" in result.err or "tcn" in result.err
    assert server.databases(f"{small}_r%") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restore_that_is_ended_leaves_the_target(
    cli: Cli, bulky: str, server: Server, number: signal.Signals
) -> None:
    cli.json("backup")
    process = cli.start("restore", "latest", "--target-db", "bulky_r")
    wait_until(
        lambda: server.databases("bulky_r%") and any(children(process, "pg_restore")),
        what="pg_restore at work in a fresh database",
    )
    process.send_signal(number)
    status = finish(process).status
    wait_until(lambda: server.sessions("bulky%") == 0, what="no session is left")
    left = server.databases("bulky_r%")
    if number == signal.SIGTERM:
        assert status == 128 + signal.SIGTERM
        assert left == []
    else:
        assert len(left) == 1
        assert "bulky_r" not in left
        result = cli.run("restore", "latest", "--target-db", "bulky_r")
        assert result.status == 3  # done, and what was left over is named
        assert all(name in result.err for name in left)
        for name in server.databases("bulky_r%"):
            server.drop(name)


def test_an_unknown_backup_has_a_status_of_its_own(small_cli: Cli) -> None:
    for command in (("restore", "none"), ("show", "latest"), ("delete", "none"), ("verify", "x")):
        assert small_cli.run(*command).status == 10
