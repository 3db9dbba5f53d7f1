"""Nothing is lost on the way: every kind of object, from and to every server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.majors import EACH_MAJOR
from tests.servers.install import MAJORS
from tests.servers.running import Server, Servers

from brownie_backup import (
    Repository,
    RestoreOptions,
    create_backup,
    list_backups,
    restore,
    verify_backup,
)
from brownie_backup.errors import RestoreFailed

SCHEMA = Path(__file__).parent / "everything.sql"
# A name that must be quoted in SQL, in a connection string and in the names of backups.
SOURCE = 'Große "Datenbank" 1'
EVERY_SERVER = [
    pytest.param(MAJORS[0], marks=pytest.mark.once),
    *(pytest.param(major, marks=pytest.mark.nightly) for major in MAJORS[1:-1]),
    MAJORS[-1],
]
ALL_ROLES = RestoreOptions(with_roles=True)


@pytest.fixture
def source(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with the schema in it."""
    server = servers.get(request.param)
    if SOURCE not in server.databases():
        server.create(SOURCE)
        server.load(SOURCE, SCHEMA)
    yield server
    server.drop("restored")


@pytest.mark.parametrize("source", EVERY_SERVER, indirect=True)
def test_a_restored_database_dumps_byte_for_byte_as_the_source(
    repository: Repository, source: Server
) -> None:
    before = source.plain_dump(SOURCE)
    report = create_backup(repository, source.dumper(SOURCE))
    outcome = verify_backup(repository, source.dumper(SOURCE), report.manifest.name)
    restored = restore(repository, source.dumper(SOURCE), "latest", target_database="restored")
    assert outcome.good, outcome.problems
    assert outcome.complete
    assert not restored.warnings
    assert source.plain_dump("restored") == before
    assert source.plain_dump(SOURCE) == before


@pytest.mark.once
@pytest.mark.parametrize("source", EACH_MAJOR, indirect=True)
def test_a_backup_restores_on_a_new_server_of_18_with_roles_and_database_settings(
    repository: Repository, source: Server
) -> None:
    newest = Server(18)
    try:
        # As PostgreSQL's manual says for moving to a newer major: with the newer one's programs.
        create_backup(repository, source.dumper(SOURCE, client=newest.client))
        report = restore(repository, newest.dumper(SOURCE), "latest", options=ALL_ROLES)
        assert {"rt_owner", 'rt_Ünï "q"'} <= set(report.detail.created_roles)
        assert report.target_database == SOURCE
        expected = source.plain_dump(SOURCE, "--create", client=newest.client)
        found = newest.plain_dump(SOURCE, "--create")
        assert _comparable(found) == _comparable(expected)
        assert _roles(newest) == _roles(source)
    finally:
        newest.close()


@pytest.mark.once
@pytest.mark.parametrize("source", EACH_MAJOR[:-1], indirect=True)
def test_programs_of_18_back_up_and_restore_an_older_server(
    repository: Repository, source: Server, servers: Servers
) -> None:
    programs = servers.get(18).client
    dumper = source.dumper(SOURCE, client=programs)
    create_backup(repository, dumper)
    assert all(backup.good for backup in list_backups(repository))
    if source.major == 15:
        # pg_dump 18 writes subscriptions as 16 and later know them: 15 refuses, and we say so.
        with pytest.raises(RestoreFailed, match="run_as_owner"):
            restore(repository, dumper, "latest", target_database="restored")
        assert source.databases("restored%") == []
        return
    report = restore(repository, dumper, "latest", target_database="restored")
    assert not report.warnings
    assert source.plain_dump("restored") == source.plain_dump(SOURCE)


def _comparable(lines: list[str]) -> list[str]:
    """Return a dump without the server's version, and with what has no order in one order.

    pg_dump reads pg_db_role_setting as it lies, so the roles' settings come in any order.
    """
    by_role = sorted(line for line in lines if " IN DATABASE " in line)
    return [
        *(x for x in lines if not x.startswith("-- Dumped from database") and x not in by_role),
        *by_role,
    ]


def _roles(server: Server) -> str:
    """Return the roles of the schema, their attributes, passwords, settings and memberships."""
    return server.sql(
        "postgres",
        "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
        " rolreplication, rolbypassrls, rolconnlimit, rolpassword, rolvaliduntil,"
        " (SELECT array_agg(c ORDER BY c) FROM pg_db_role_setting s, unnest(setconfig) c"
        "  WHERE s.setrole = r.oid AND s.setdatabase = 0),"
        " (SELECT array_agg(m.member::regrole::text || m.admin_option"
        "   ORDER BY m.member::regrole::text)"
        "  FROM pg_auth_members m WHERE m.roleid = r.oid)"
        " FROM pg_authid r WHERE rolname LIKE 'rt\\_%' ORDER BY 1",
    )
