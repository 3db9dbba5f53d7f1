"""Databases of many tables: what is asked for each of them is asked once.

`tests/benchmarks` compares the time with pg_dump's.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from tests.servers.running import Server, Servers

from brownie_backup.model import PartKind
from brownie_backup.postgres.session import Session

TABLES = """
CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS filler FROM generate_series(1, 5000) g;
DO $$ BEGIN FOR i IN 1 .. 50 LOOP
    EXECUTE format('CREATE TABLE t%s AS SELECT g AS id FROM generate_series(1, 500) g', i);
END LOOP; END $$
"""
MIB = 1 << 20


@pytest.fixture(params=[15, 18])
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    return servers.get(request.param)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    name = f"many_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, TABLES)
    yield name
    server.drop(name)


def test_the_file_of_each_table_is_looked_at_once(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    query = Session.query

    def noted(session: Session, sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        return query(session, sql)

    monkeypatch.setattr(Session, "query", noted)
    with server.dumper(database, bulk_table_bytes=8 * MIB).snapshot() as snapshot:
        (archive,) = (part for part in snapshot.parts if part.kind == PartKind.ARCHIVE)
    for_each_table = [sql for sql in asked if "_size(oid)" in sql or "_size(c.oid)" in sql]
    assert len(for_each_table) == 1
    heaps = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
    wanted = int(server.sql(database, heaps))
    assert archive.estimate_bytes is not None
    assert wanted <= archive.estimate_bytes < wanted + MIB


def test_a_large_table_is_not_in_the_estimate_of_the_archive(server: Server, database: str) -> None:
    with server.dumper(database, bulk_table_bytes=MIB).snapshot() as snapshot:
        sizes = {part.name: part.estimate_bytes or 0 for part in snapshot.parts}
    assert sizes["public.large"] > 2 * MIB
    assert 0 < sizes[PartKind.ARCHIVE] < 2 * MIB
