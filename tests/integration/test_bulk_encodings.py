"""Bulk tables in databases that are not in UTF-8."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen
from tests.integration.bulk import dumper_for, read_archive, read_tables
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore

pytestmark = pytest.mark.once


@frozen
class Encoded:
    """A database, and the name of a table, the name of a column and a value in its encoding."""

    server: Server
    database: str
    encoding: str
    table: bytes
    column: bytes
    value: bytes

    def run(self, program: str, *arguments: str, given: bytes) -> bytes:
        """Run a program in the database's own encoding; return what it printed."""
        url = self.server.url(self.database)
        argv = [str(self.server.client / program), *arguments, "--dbname", url]
        env = os.environ | {"PGCLIENTENCODING": self.encoding}
        return subprocess.run(argv, input=given, env=env, check=True, stdout=subprocess.PIPE).stdout

    def psql(self, sql: bytes) -> bytes:
        """Run SQL in the database's own encoding; return what was printed."""
        return self.run("psql", "-XqAt", "--set=ON_ERROR_STOP=1", given=sql)


NAMES = {
    "LATIN1": (b"Gr\xf6\xdfe", b"\xe4 \x80", b"\xff\xa0"),
    # The second is a character that PostgreSQL knows in EUC_JP, and Python does not.
    "EUC_JP": (b"\xc9\xbd\xad\xa1", b"\xce\xf3\\\xa1\xc0", b"\xcd\xcd\xad\xa2"),
    "WIN1252": (b"\x80\x99", b"\x9f", b"\x8e"),
    "EUC_TW": (b"\xc4\xa1", b"\xc4\xa2", b"\xc4\xa3"),
    "SQL_ASCII": (b"t\xfc\xe9", b"c\xff", b"\xe9\xff"),
    "UTF8": ("Größe 表".encode(), "ä\u0080".encode(), "é🙂".encode()),
}


@pytest.fixture(params=NAMES)
def encoded(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Encoded]:
    server = servers.get(18)
    database = f"encoded_{secrets.token_hex(4)}"
    server.create(database, f"TEMPLATE template0 LOCALE 'C' ENCODING '{request.param}'")
    made = Encoded(server, database, request.param, *NAMES[request.param])
    column, table = made.column, made.table
    made.psql(
        b"CREATE TYPE type AS ENUM ('%b');" % made.value
        + b"CREATE TABLE \"%b\" AS SELECT g AS id, '%b'::text || repeat('x', 300) AS \"%b\","
        % (table, made.value, column)
        + b"'%b'::type AS kind FROM generate_series(1, 500) g" % made.value
    )
    yield made
    server.drop(database)


def test_rows_are_in_the_encoding_of_the_database(encoded: Encoded) -> None:
    ((_, rows),) = read_tables(dumper_for(encoded.server, encoded.database)).items()
    assert rows.text == encoded.psql(b'COPY "%b" TO STDOUT' % encoded.table)
    assert rows.count == 500
    encoded.psql(b'ALTER TABLE "%b" DROP kind' % encoded.table)
    dumper = dumper_for(encoded.server, encoded.database, binary=True)
    ((_, rows),) = read_tables(dumper, 1000).items()
    assert rows.text == encoded.psql(b'COPY "%b" TO STDOUT (FORMAT binary)' % encoded.table)


def test_the_archive_has_none_of_them_whatever_encoding_clients_get(
    encoded: Encoded, tmp_path: Path
) -> None:
    other = "UTF8" if encoded.encoding != "SQL_ASCII" else "LATIN1"
    encoded.psql(f"ALTER DATABASE {encoded.database} SET client_encoding = '{other}'".encode())
    archive = tmp_path / "archive"
    archive.write_bytes(read_archive(dumper_for(encoded.server, encoded.database)))
    program = str(encoded.server.client / "pg_restore")
    done = subprocess.run([program, "--file=-", archive], capture_output=True, check=True)
    assert b'CREATE TABLE public."%b"' % encoded.table in done.stdout
    assert b"COPY " not in done.stdout


def test_a_backup_is_made_and_restored(encoded: Encoded, repository: Repository) -> None:
    dumper = dumper_for(encoded.server, encoded.database)
    report = create_backup(repository, dumper)
    assert [part.rows for part in report.manifest.parts if part.table] == [500]
    copy = f"{encoded.database}_copy"
    try:
        restore(repository, dumper, "latest", target_database=copy)
        restored = evolve(encoded, database=copy)
        rows = b'COPY (SELECT * FROM "%b" ORDER BY id) TO STDOUT' % encoded.table
        assert restored.psql(rows) == encoded.psql(rows)
    finally:
        encoded.server.drop(copy)
