"""Bulk tables in ranges: nothing is lost on the way, however many work on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_round_trip import SCHEMA, SOURCE
from tests.servers.running import Server, Servers

from brownie_backup import (
    Repository,
    RestoreOptions,
    create_backup,
    restore,
    verify_backup,
)
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.model import PartKind
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

LARGE = """
CREATE TABLE narrow (id bigint PRIMARY KEY, account int, at timestamptz);
INSERT INTO narrow SELECT g, g % 97, '2024-01-01'::timestamptz + g * interval '1 s'
  FROM generate_series(1, 400000) g;
DELETE FROM narrow WHERE id BETWEEN 100000 AND 250000;
CREATE TABLE wide (id bigint, key uuid, price numeric, doc jsonb, note text, tags text[]);
INSERT INTO wide SELECT g, md5(g::text)::uuid, g / 7.0, jsonb_build_object('n', g),
  repeat(md5(g::text), 6), ARRAY[g::text, NULL] FROM generate_series(1, 120000) g;
UPDATE wide SET note = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 900) i)
  WHERE id = 77;
VACUUM narrow;
"""
"""Some 50 MiB: several ranges, one without rows, and a value in TOAST."""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository without encryption: a passphrase costs its time with each of many blobs."""
    return Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())


@pytest.fixture
def source(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with every kind of object in a database."""
    server = servers.get(request.param)
    if SOURCE not in server.databases():
        server.create(SOURCE)
        server.load(SOURCE, SCHEMA)
    yield server
    server.drop("restored")


@pytest.fixture(scope="module")
def large(servers: Servers) -> Iterator[Server]:
    """PostgreSQL 18 with large tables."""
    server = servers.get(18)
    server.create("large")
    server.sql("large", LARGE)
    yield server
    server.drop("large")


@pytest.mark.parametrize(
    ("source", "binary"),
    [
        pytest.param(15, False, id="15 in text"),
        pytest.param(16, True, marks=pytest.mark.nightly, id="16"),
        pytest.param(17, True, marks=pytest.mark.nightly, id="17"),
        pytest.param(18, True, id="18"),
        pytest.param(18, False, marks=pytest.mark.nightly, id="18 in text"),
    ],
    indirect=["source"],
)
def test_with_every_table_in_ranges_all_comes_back_byte_for_byte(
    repository: Repository, source: Server, *, binary: bool
) -> None:
    before = source.plain_dump(SOURCE)
    dumper = source.dumper(SOURCE, bulk_table_bytes=0, binary=binary)
    manifest = create_backup(repository, dumper).manifest
    tables = [part for part in manifest.parts if part.kind == PartKind.TABLE]
    assert len(tables) > 20
    assert {part.table.format for part in tables if part.table} == (
        {"text", "binary"} if binary else {"text"}
    )
    outcome = verify_backup(repository, dumper, "latest")
    assert outcome.good, outcome.problems
    restored = restore(repository, dumper, "latest", target_database="restored")
    assert not restored.warnings
    assert source.plain_dump("restored") == before


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "text"])
@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_however_many_work_on_it_the_same_rows_come_back(
    repository: Repository, large: Server, jobs: int, *, binary: bool
) -> None:
    dumper = large.dumper("large", bulk_table_bytes=1 << 20, binary=binary)
    manifest = create_backup(repository, dumper, jobs=jobs).manifest
    parts = [part for part in manifest.parts if part.table]
    assert len(parts) == 2
    assert sum(blob.begins is not None for part in parts for blob in part.blobs) >= 4
    options = RestoreOptions(jobs=jobs)
    try:
        restore(repository, dumper, "latest", target_database="large_again", options=options)
        expected, found = large.plain_dump("large"), large.plain_dump("large_again")
        if jobs == 1:
            assert found == expected
        assert in_one_order(found) == in_one_order(expected)
    finally:
        large.drop("large_again")


def in_one_order(dump: list[str]) -> list[str]:
    """Return a dump with the rows of each table in one order: several sessions mix them."""
    lines: list[str] = []
    rows: list[str] | None = None
    for line in dump:
        if rows is None:
            lines.append(line)
            rows = [] if line.startswith("COPY ") else None
        elif line == "\\.":
            lines += [*sorted(rows), line]
            rows = None
        else:
            rows.append(line)
    return lines
