"""A dry run names everything that is known to fail, with the option that gets round it."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from tests.integration.cli import Cli, Result, cli_for
from tests.integration.majors import EACH_MAJOR
from tests.servers.running import Server, Servers

on_each_major = pytest.mark.parametrize("server", EACH_MAJOR, indirect=True)
"""Where the rules of PostgreSQL differ between versions."""


@pytest.fixture
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    return servers.get(getattr(request, "param", 18))


@frozen
class Case:
    """A database, its backup, and roles that begin with its name."""

    server: Server
    database: str
    cli: Cli

    @property
    def role(self) -> str:
        """The name for a role."""
        return f"{self.database}_role"

    def sql(self, sql: str, database: str = "") -> str:
        """Run SQL as a superuser, in the database unless told otherwise."""
        return self.server.sql(database or self.database, sql)

    def restore(self, *options: str, **more: str) -> Result:
        """Restore beside the database."""
        target = ("--target-db", f"{self.database}_r", "--json")
        return self.cli.run("restore", "latest", *target, *options, **more)

    def as_a_role(self, rights: str = "CREATEDB") -> dict[str, str]:
        """Return the environment of one that is no superuser."""
        name = f"{self.database}_restorer"
        self.sql(f"CREATE ROLE {name} LOGIN {rights} PASSWORD 'x'")
        url = f"postgresql://{name}:x@127.0.0.1:{self.server.port}/postgres"
        return {"BACKUP_DATABASE_URL": url}

    def findings(self, *options: str, **more: str) -> dict[str, str]:
        """Return the words of a dry run that must find what would fail, by their subjects."""
        result = self.restore("--dry-run", *options, **more)
        assert result.status == 1, result
        assert result.json["would_fail"]
        errors = [f for f in result.json["findings"] if f["level"] == "error"]
        return {f["subject"]: f"{f['message']} -> {f['hint']}" for f in errors}

    def succeeds(self, *options: str, **more: str) -> None:
        """A dry run finds nothing, and a restore succeeds."""
        result = self.restore("--dry-run", *options, **more)
        assert result.status in {0, 3}, result
        assert not result.json["would_fail"]
        result = self.restore(*options, **more)
        assert result.status in {0, 3}, result


@pytest.fixture
def case(server: Server, tmp_path: Path) -> Iterator[Case]:
    name = f"dry_{secrets.token_hex(4)}"
    server.create(name)
    yield Case(server, name, cli_for(server, name, tmp_path))
    for left in server.databases(f"{name}%"):
        server.drop(left)
    roles = f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{name}%'"
    for role in server.sql("postgres", roles).splitlines():
        server.sql("postgres", f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_that_only_a_setting_needs_is_named_with_the_option_for_settings(case: Case) -> None:
    case.sql(f"CREATE ROLE {case.role}")
    case.sql(f"ALTER ROLE {case.role} IN DATABASE {case.database} SET work_mem = '5MB'")
    case.cli.json("backup")
    case.sql(f"DROP ROLE {case.role}")
    found = case.findings()
    assert case.role in found["roles"]
    assert "--exclude-settings" in found["roles"]
    refused = case.restore()
    assert refused.status == 1
    assert refused.json["error"]["type"] == "RestoreRefused"
    case.succeeds("--exclude-settings")


def test_a_real_restore_names_each_problem_once(case: Case) -> None:
    case.sql(f"CREATE ROLE {case.role}; CREATE TABLE t (id int)")
    case.sql(f"ALTER TABLE t OWNER TO {case.role}")
    case.cli.json("backup")
    case.sql(f"DROP OWNED BY {case.role}; DROP ROLE {case.role}")
    to = ("restore", "latest", "--target-db", f"{case.database}_r")
    result = case.cli.run(*to, **case.as_a_role("NOCREATEDB"))
    first, *problems = result.err.splitlines()
    assert first == "brownie-backup: the restore would fail, so nothing was changed:"
    named = [line for line in problems if line.startswith("  ")]
    assert len(named) == len(set(named)) > 1
    assert any(case.role in line for line in named)


def test_a_role_that_only_a_policy_needs_is_named(case: Case) -> None:
    case.sql(f"CREATE ROLE {case.role}; CREATE TABLE t (id int)")
    case.sql(f"CREATE POLICY theirs ON t TO {case.role}")
    case.cli.json("backup")
    case.sql(f"DROP OWNED BY {case.role}; DROP ROLE {case.role}")
    found = case.findings("--no-owner", "--no-acl")
    assert case.role in found["roles"]
    case.succeeds("--with-roles")


@on_each_major
def test_a_grant_to_a_dropped_role_is_named(case: Case) -> None:
    case.sql(f"CREATE ROLE {case.role}; CREATE TABLE t (id int); GRANT SELECT ON t TO {case.role}")
    number = case.sql(f"SELECT oid FROM pg_roles WHERE rolname = '{case.role}'").strip()
    # As a defect of earlier versions left it.
    case.sql(
        f"DELETE FROM pg_shdepend WHERE refobjid = {number};"
        f"DELETE FROM pg_authid WHERE oid = {number}"
    )
    case.cli.json("backup")
    if f'"{number}"' not in "".join(case.server.plain_dump(case.database)):
        case.succeeds()  # newer minor versions of pg_dump leave it out
        return
    found = case.findings()
    assert number in found["grants"]
    assert "--no-acl" in found["grants"]
    assert case.restore().json["error"]["type"] == "RestoreRefused"
    case.succeeds("--no-acl")


@on_each_major
def test_a_setting_that_this_role_may_not_set_is_named(case: Case) -> None:
    case.sql(f"ALTER DATABASE {case.database} SET log_statement = 'all'")
    case.sql(f"ALTER DATABASE {case.database} SET work_mem = '5MB'")
    case.cli.json("backup")
    restorer = case.as_a_role()
    found = case.findings("--no-owner", **restorer)
    assert "log_statement" in found["settings"]
    assert "--exclude-settings" in found["settings"]
    case.succeeds("--no-owner", "--exclude-settings", **restorer)


def test_an_untrusted_extension_is_named_to_a_role_that_may_not_create_it(case: Case) -> None:
    case.sql("CREATE EXTENSION pageinspect; CREATE EXTENSION hstore")
    case.cli.json("backup")
    restorer = case.as_a_role()
    found = case.findings("--no-owner", **restorer)
    assert "pageinspect" in found["extensions"]
    assert "hstore" not in found["extensions"]
    assert "--exclude-extension pageinspect" in found["extensions"]
    case.succeeds("--no-owner", "--exclude-extension", "pageinspect", **restorer)


@on_each_major
def test_owners_to_whom_this_role_may_give_nothing_are_named(case: Case) -> None:
    case.sql(
        f"CREATE ROLE {case.role}; CREATE TABLE t (id int); ALTER TABLE t OWNER TO {case.role}"
    )
    case.cli.json("backup")
    restorer = case.as_a_role()
    found = case.findings(**restorer)
    assert case.role in found["roles"]
    assert "--no-owner" in found["roles"]
    case.succeeds("--no-owner", **restorer)


def test_event_triggers_are_named_to_a_role_that_may_not_create_them(case: Case) -> None:
    case.sql(
        "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch()"
    )
    case.cli.json("backup")
    restorer = case.as_a_role()
    found = case.findings("--no-owner", **restorer)
    assert "watch" in found["event triggers"]
    assert "--exclude-event-triggers" in found["event triggers"]
    case.succeeds("--no-owner", "--exclude-event-triggers", **restorer)


@on_each_major
def test_what_else_only_a_superuser_may_restore_is_named(case: Case) -> None:
    case.sql(
        "CREATE FUNCTION fine() RETURNS int LANGUAGE sql SET work_mem = '5MB' AS 'SELECT 1';"
        "CREATE FUNCTION loud() RETURNS int LANGUAGE sql SET log_statement = 'all' AS 'SELECT 1';"
        "CREATE FUNCTION words(text) RETURNS text LANGUAGE internal AS 'upper';"
        "CREATE PUBLICATION everything FOR ALL TABLES;"
        "CREATE FOREIGN DATA WRAPPER theirs"
    )
    case.cli.json("backup")
    restorer = case.as_a_role()
    found = case.findings("--no-owner", **restorer)
    assert "loud" in found["functions"]
    assert "fine" not in found["functions"]
    assert "words" in found["functions in C"]
    assert "everything" in found["publications of all tables"]
    assert "theirs" in found["foreign-data wrappers"]
    case.succeeds("--no-owner", "--accept-errors", **restorer)


@on_each_major
@pytest.mark.parametrize("icu", [False, True], ids=["locale", "provider"])
def test_a_collation_that_the_server_cannot_make_is_named(case: Case, *, icu: bool) -> None:
    case.sql("CREATE COLLATION ours (locale = 'C'); CREATE TABLE t (a text COLLATE ours, b int)")
    change = "collcollate = 'xx_XX', collctype = 'xx_XX'"
    if icu:
        case.sql(
            "DO $$ BEGIN CREATE COLLATION tried (provider = icu, locale = 'de');"
            " EXCEPTION WHEN feature_not_supported THEN NULL; END $$"
        )
        if case.sql("SELECT 1 FROM pg_collation WHERE collname = 'tried'"):
            pytest.skip("this server has ICU")
        locale = "colllocale" if case.server.major >= 17 else "colliculocale"
        change = f"collprovider = 'i', {locale} = 'de', collcollate = NULL, collctype = NULL"
    case.sql(f"UPDATE pg_collation SET {change} WHERE collname = 'ours'")
    case.cli.json("backup")
    found = case.findings()
    assert "ours" in found["collations"]
    assert "--accept-errors" in found["collations"]
    case.succeeds("--accept-errors")


@on_each_major
def test_a_tablespace_is_named_and_the_database_itself_may_be_in_it(case: Case) -> None:
    case.sql(f"SET allow_in_place_tablespaces = on; CREATE TABLESPACE {case.database} LOCATION ''")
    try:
        case.sql(f"ALTER DATABASE {case.database} SET TABLESPACE {case.database}", "postgres")
        case.cli.json("backup")
        restorer = case.as_a_role()
        found = case.findings("--no-owner", **restorer)
        assert case.database in found["tablespaces"]
        assert "--no-tablespaces" in found["tablespaces"]
        case.succeeds("--no-owner", "--no-tablespaces", **restorer)
    finally:
        case.server.drop(case.database)
        case.server.sql("postgres", f"DROP TABLESPACE {case.database}")
    case.server.drop(f"{case.database}_r")
    assert case.database in case.findings()["tablespaces"]
    case.succeeds("--no-tablespaces")


def test_a_failing_dry_run_says_so_in_its_words_and_in_the_audit_trail(case: Case) -> None:
    case.cli.json("backup")
    result = case.cli.run("restore", "latest", "--dry-run")  # the database exists
    assert result.status == 1
    assert "would fail: 1 problem; nothing was changed" in result.out
    assert "would restore" not in result.out
    assert result.err.startswith("error: target: ")
    case.findings("--no-owner", **case.as_a_role("NOCREATEDB"))
    (last,) = case.cli.json("audit", "--action", "restore", "--limit", "1")["entries"]
    assert (last["outcome"], last["error_type"]) == ("refused", "RestoreRefused")
    assert last["dry_run"]


def test_an_extension_of_one_database_is_named_before_a_row_is_loaded(
    servers: Servers, tmp_path: Path
) -> None:
    with contextlib.closing(Server(18, {"cron.database_name": "'jobs'"})) as server:
        # It refuses all other databases, as pg_cron does.
        folder = server.data / "more" / "extension"
        folder.mkdir(parents=True)
        (folder / "pg_cron.control").write_text("default_version = '1'\nrelocatable = false\n")
        (folder / "pg_cron--1.sql").write_text(
            "DO $$ BEGIN IF current_database() <> current_setting('cron.database_name') THEN"
            " RAISE EXCEPTION 'can only create extension in database jobs'; END IF; END $$;"
        )
        path = f"{folder.parent}:$system"
        server.sql("postgres", f"ALTER SYSTEM SET extension_control_path = '{path}'")
        server.sql("postgres", "SELECT pg_reload_conf()")
        server.create("jobs")
        server.sql("jobs", "CREATE EXTENSION pg_cron; CREATE TABLE t AS SELECT 1 AS id")
        case = Case(server, "jobs", cli_for(server, "jobs", tmp_path))
        case.cli.json("backup")
        found = case.findings()
        assert "'jobs'" in found["extensions"]
        assert "--exclude-extension pg_cron" in found["extensions"]
        case.succeeds("--exclude-extension", "pg_cron")


def test_a_locale_that_the_server_lacks_is_named(
    servers: Servers, case: Case, tmp_path: Path
) -> None:
    case.server.drop(case.database)
    case.server.create(
        case.database,
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin"
        " BUILTIN_LOCALE 'C.UTF-8'",
    )
    case.cli.json("backup")
    assert "'nowhere'" in case.findings("--locale", "nowhere")["locale"]
    case.succeeds()

    older = servers.get(15)
    there = Case(older, case.database, case.cli)
    url = {"BACKUP_DATABASE_URL": older.url("postgres")}
    try:
        found = there.findings(**url)
        assert "builtin" in found["locale"]
        assert "--locale" in found["locale"]
        there.succeeds("--locale", "C", **url)
    finally:
        older.drop(f"{case.database}_r")
