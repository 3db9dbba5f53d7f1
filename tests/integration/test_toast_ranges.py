"""Tables whose data is nearly all in TOAST are large tables too."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

MIB = 1 << 20
DOCUMENTS = """
CREATE TABLE documents (id int PRIMARY KEY, body bytea);
ALTER TABLE documents ALTER body SET STORAGE EXTERNAL;
CREATE FUNCTION body(seed int, kilobytes int) RETURNS bytea LANGUAGE sql AS $$
  SELECT decode(string_agg(md5((seed * 100000 + i)::text), ''), 'hex')
  FROM generate_series(1, kilobytes * 64) i $$;
INSERT INTO documents SELECT i, body(i, 64) FROM generate_series(1, 800) i;
"""
"""50 MiB of documents in 6 blocks of heap."""
SUMS = "SELECT count(*), md5(string_agg(md5(body), '' ORDER BY id)) FROM documents"


@pytest.fixture(params=[15, 18])
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    return servers.get(request.param)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    name = f"documents_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, DOCUMENTS)
    yield name
    server.drop(name)
    server.drop(f"{name}_r")


@pytest.mark.parametrize("vacuumed", [False, True], ids=["loaded", "vacuumed"])
def test_documents_are_read_in_ranges_and_a_changed_one_costs_its_range(
    server: Server, database: str, tmp_path: Path, *, vacuumed: bool
) -> None:
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    if vacuumed:  # then the catalog has the pages of the TOAST
        server.sql(database, "VACUUM documents; SELECT pg_stat_reset()")
    dumper = server.dumper(database, bulk_table_bytes=8 * MIB)
    first = create_backup(repository, dumper, name="first").manifest
    (part,) = (part for part in first.parts if part.table)
    assert part.rows == 800
    assert part.size_bytes > 50 * MIB
    ranges = [blob for blob in part.blobs if blob.begins]
    assert len(ranges) == 2
    archive = next(part for part in first.parts if part.kind == "archive")
    assert archive.size_bytes < MIB

    server.sql(database, "UPDATE documents SET body = body(9999, 64) WHERE id = 800")
    second = create_backup(repository, dumper, name="second").manifest
    assert second.new_bytes < first.new_bytes * 0.7
    restore(repository, dumper, "second", target_database=f"{database}_r")
    assert server.sql(f"{database}_r", SUMS) == server.sql(database, SUMS)


def test_one_huge_value_goes_straight_into_the_restored_table(
    server: Server, database: str, tmp_path: Path
) -> None:
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    server.sql(database, "TRUNCATE documents; INSERT INTO documents SELECT 1, body(1, 70000)")
    manifest = create_backup(repository, server.dumper(database), name="huge").manifest
    (part,) = (part for part in manifest.parts if part.table)
    assert (part.rows, len([blob for blob in part.blobs if blob.begins])) == (1, 1)
    assert len(part.blobs) > 3
    restore(repository, server.dumper(database), "huge", target_database=f"{database}_r")
    assert server.sql(f"{database}_r", SUMS) == server.sql(database, SUMS)


@pytest.mark.nightly
def test_a_bytea_that_is_too_large_for_pg_dump_comes_back(
    server: Server, database: str, tmp_path: Path
) -> None:
    """As text it would have more than 1 GB. PostgreSQL sends and takes its bytes in binary."""
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    server.sql(
        database,
        "TRUNCATE documents; INSERT INTO documents VALUES (1, convert_to(repeat('x', 300 << 20), "
        "'UTF8')); UPDATE documents SET body = body || body",
    )
    with pytest.raises(AssertionError, match="invalid memory alloc request size"):
        server.plain_dump(database)
    create_backup(repository, server.dumper(database), name="huge")
    restore(repository, server.dumper(database), "huge", target_database=f"{database}_r")
    assert server.sql(f"{database}_r", SUMS) == server.sql(database, SUMS)
