"""Event triggers, in the backup or in the target: a restore neither starts nor trips over them."""

from collections.abc import Callable, Iterator

import pytest
from tests.integration.conftest import SMALL
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import RestoreHint
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

WRITES = """
CREATE TABLE log (what text);
CREATE FUNCTION write() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN IF current_database() <> 'triggered' THEN
  INSERT INTO public.log VALUES (tg_event || ' ' || tg_tag); END IF; END $$;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM orders;
CREATE EVENT TRIGGER writes ON ddl_command_end EXECUTE FUNCTION write();
"""
AT_LOGIN = """
CREATE EVENT TRIGGER logs_in ON login EXECUTE FUNCTION write();
CREATE FUNCTION refuse_login() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN IF current_setting('application_name') = 'brownie-backup' THEN
  RAISE 'go away'; END IF; END $$;
"""
REFUSE_LOGIN = "CREATE EVENT TRIGGER refuses ON login EXECUTE FUNCTION refuse_login()"
NO_DROP = """
CREATE FUNCTION no_drop() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE 'nothing is dropped here'; END $$;
CREATE EVENT TRIGGER no_drop ON sql_drop EXECUTE FUNCTION no_drop();
"""
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^_restoring'"
TABLE = RestoreOptions(tables=("public.orders",))


@pytest.fixture(scope="module", params=[18, 15])
def server(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with the setting `event_triggers`, and one without."""
    server = servers.get(request.param)
    server.sql("postgres", "CREATE ROLE helper LOGIN CREATEDB PASSWORD 'h'")
    yield server
    server.sql("postgres", "DROP ROLE helper")


@pytest.fixture(scope="module")
def repository(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with a backup of a database that has event triggers."""
    repository = Repository(LocalStore(tmp_path_factory.mktemp("store")), Zstd(), Cleartext())
    server.create("triggered")
    server.sql("triggered", SMALL + WRITES + "GRANT ALL ON ALL TABLES IN SCHEMA public TO helper")
    if server.major >= 17:
        server.sql("triggered", AT_LOGIN)
    create_backup(repository, server.dumper("triggered"), name="one")
    server.drop("triggered")
    return repository


@pytest.fixture
def database(server: Server, repository: Repository) -> Iterator[Callable[[str], str]]:
    """Make the target, a database with that SQL; what is named after it is dropped at the end."""
    del repository
    name = "triggered"

    def make(sql: str) -> str:
        server.create(name, "OWNER helper TEMPLATE template0")
        server.sql(name, sql)
        return name

    yield make
    for each in server.databases(f"{name}%"):
        server.drop(each)


def helper(server: Server) -> PostgresDumper:
    url = f"postgresql://helper:h@127.0.0.1:{server.port}/triggered"
    return PostgresDumper(url, pg_bin=str(server.client))


def log(server: Server, database: str) -> str:
    return server.sql(database, "SET search_path = pg_catalog; SELECT * FROM public.log")


def test_triggers_of_a_restored_database_do_not_start_for_the_restore(
    server: Server, repository: Repository, database: Callable[[str], str]
) -> None:
    database("")
    restore(repository, server.dumper("triggered"), "one", target_database="triggered_r")
    ours = {18: "login LOGIN\n", 15: ""}[server.major]  # by psql, here
    assert log(server, "triggered_r") == ours
    assert server.sql("triggered_r", "SELECT count FROM mv") == "1000\n"


def test_a_login_trigger_that_refuses_the_restore_is_restored(
    server: Server, repository: Repository, database: Callable[[str], str], tmp_path: str
) -> None:
    if server.major < 17:
        pytest.skip("there are no login triggers before 17")
    database(SMALL + WRITES + AT_LOGIN)
    ours = Repository(LocalStore(f"{tmp_path}/store"), Zstd(), Cleartext())
    server.sql("triggered", REFUSE_LOGIN + "; ALTER EVENT TRIGGER refuses DISABLE")
    create_backup(ours, server.dumper("triggered"), name="two")
    server.sql("triggered", "ALTER EVENT TRIGGER refuses ENABLE; DROP TABLE orders CASCADE")
    restore(ours, server.dumper("triggered"), "two", options=TABLE)
    assert server.sql("triggered", "SELECT count(*) FROM orders") == "1000\n"


def test_a_trigger_that_forbids_to_drop_does_not_keep_tables_from_coming_back(
    server: Server, repository: Repository, database: Callable[[str], str]
) -> None:
    database(NO_DROP)
    restore(repository, server.dumper("triggered"), "one", options=TABLE)
    assert server.sql("triggered", "SELECT count(*) FROM orders") == "1000\n"
    assert server.sql("triggered", SCHEMAS) == ""


def test_a_role_that_may_not_switch_triggers_off_is_told_and_what_stays_is_named(
    server: Server, repository: Repository, database: Callable[[str], str]
) -> None:
    database(NO_DROP)
    options = RestoreOptions(tables=("public.orders",), owner=False, privileges=False)
    report = restore(repository, helper(server), "one", options=options)
    assert server.sql("triggered", "SELECT count(*) FROM orders") == "1000\n"
    found = {each.subject: each for each in report.findings}
    assert "no_drop" in found["event triggers"].message
    assert found["event triggers"].hint == RestoreHint.EVENT_TRIGGERS()
    left = server.sql("triggered", SCHEMAS).strip()
    assert left
    assert left in found["schemas"].message


def test_what_a_failed_restore_could_not_drop_is_named(
    server: Server, repository: Repository, database: Callable[[str], str]
) -> None:
    database(
        NO_DROP + "CREATE FUNCTION no_index() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'no index'; END $$; CREATE EVENT TRIGGER no_index ON ddl_command_start"
        " WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION no_index()"
    )
    options = RestoreOptions(tables=("public.orders",), owner=False, privileges=False)
    with pytest.raises(RestoreFailed) as failed:
        restore(repository, helper(server), "one", options=options)
    left = server.sql("triggered", SCHEMAS).strip()
    assert left
    assert left in str(failed.value.hint)
