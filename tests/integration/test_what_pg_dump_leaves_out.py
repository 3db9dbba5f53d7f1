"""What pg_dump leaves out of an archive is not expected of a restore."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.majors import EACH_MAJOR
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore
from brownie_backup.dumpers.postgres import inventory
from brownie_backup.dumpers.postgres.restore import comparison
from brownie_backup.dumpers.postgres.restore.expected import FOUND_SQL
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import RestoreHint

SCHEMA = Path(__file__).parent / "left_out.sql"

pytestmark = pytest.mark.once


@pytest.fixture
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    return servers.get(getattr(request, "param", 18))


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A database with objects that pg_dump leaves out, and some of nearly every other kind."""
    name = f"left_out_{secrets.token_hex(4)}"
    server.create(name)
    server.load(name, SCHEMA)
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)


@contextlib.contextmanager
def temporary_objects(server: Server, database: str) -> Iterator[None]:
    """Keep a session with objects in its temporary schema."""
    with server.dumper(database)._client.session(database) as session:
        session.run(
            "SET search_path = public, pg_catalog",
            "CREATE TEMPORARY TABLE passing (n int PRIMARY KEY CHECK (n > 0))",
            "CREATE TEMPORARY VIEW passing_view AS SELECT n FROM passing",
            "CREATE TEMPORARY SEQUENCE passing_numbers",
            "CREATE POLICY passing ON passing USING (true)",
            "CREATE FUNCTION pg_temp.passing() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION pg_temp.passing_too() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER passing BEFORE INSERT ON passing"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp.passing_too()",
            "CREATE TYPE pg_temp.passing_type AS (a int)",
        )
        yield


@pytest.mark.parametrize("server", EACH_MAJOR, indirect=True)
def test_a_database_with_all_that_pg_dump_leaves_out_is_restored_without_a_warning(
    repository: Repository, server: Server, database: str
) -> None:
    with temporary_objects(server, database):
        create_backup(repository, server.dumper(database))
    report = restore(repository, server.dumper(database), "latest", target_database=f"{database}_r")
    assert not report.warnings
    assert not report.detail.differences
    (objects,) = [f.message for f in report.findings if f.subject == "objects"]
    assert objects.endswith("listed in the archive, and found")
    assert server.plain_dump(f"{database}_r") == server.plain_dump(database)


def test_a_backup_whose_counts_have_more_than_its_archive_is_restored_with_a_warning(
    repository: Repository, server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "'large object', 7 + count(*)"
    counting = inventory.INVENTORY_SQL.replace("'large object', count(*)", more)
    monkeypatch.setattr(inventory, "INVENTORY_SQL", counting)
    create_backup(repository, server.dumper(database))
    report = restore(repository, server.dumper(database), "latest", target_database=f"{database}_r")
    (warning,) = report.warnings
    assert "large object: 3 of 10" in warning.message
    assert warning.hint
    assert warning.hint.code is RestoreHint.NOT_IN_THE_ARCHIVE
    assert server.databases(f"{database}_r%") == [f"{database}_r"]


def test_a_database_that_lacks_something_stays_under_another_name_until_that_is_accepted(
    repository: Repository, server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = FOUND_SQL.replace("relkind = 'v'", "relkind = 'v' AND o.relname <> 'ids'")
    monkeypatch.setattr(comparison, "FOUND_SQL", blind)
    create_backup(repository, server.dumper(database))
    target = f"{database}_r"
    with pytest.raises(RestoreFailed, match="views: 0 of 1") as caught:
        restore(repository, server.dumper(database), "latest", target_database=target)
    (loaded,) = server.databases(f"{target}%")
    assert f'ALTER DATABASE "{loaded}" RENAME TO "{target}"' in str(caught.value)
    assert "accept_differences=True" in str(caught.value)
    assert server.sql(loaded, "SELECT count(*) FROM doubled") == "2\n"

    accepting = RestoreOptions(accept_differences=True)
    report = restore(
        repository, server.dumper(database), "latest", target_database=target, options=accepting
    )
    assert report.detail.differences == ("views: 0 of 1",)
    assert report.detail.accepted == ("differences",)
    assert "objects" in {f.subject for f in report.warnings}
    assert server.databases(target) == [target]
