"""Reading the large tables of a database as a backup does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from attrs import evolve, frozen
from tests.servers.running import Server

from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.dump.large_tables import RANGE_BYTES, LargeTable
from brownie_backup.dumpers.postgres.dump.snapshot import PostgresSnapshot
from brownie_backup.dumpers.postgres.segments import TableDetail, split_table
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.pipeline.ranges import counting

BULK_BYTES = 64 << 10
"""From which size on the tests' tables are large tables."""
RANGE_BLOCKS = 5
"""How many blocks the tests' ranges have, so that small tables have several."""


@frozen
class Rows:
    """The ranges of a table as they were read, in order."""

    detail: TableDetail
    ranges: tuple[bytes, ...]
    count: int

    @property
    def text(self) -> bytes:
        """All rows, in COPY's text format."""
        return b"".join(self.ranges)


def dumper_for(
    server: Server,
    database: str,
    *,
    role: str | None = None,
    binary: bool = False,
    bulk_bytes: int = BULK_BYTES,
    range_bytes: int = RANGE_BYTES,
    lock_timeout: timedelta = timedelta(seconds=20),
) -> PostgresDumper:
    """Return a dumper for which small tables are large tables."""
    conninfo = parse_conninfo(server.url("postgres")).with_database(database)
    if role:  # whose password is the superuser's
        conninfo = evolve(conninfo, parameters={**conninfo.parameters, "user": role})
    return PostgresDumper(
        conninfo,
        pg_bin=str(server.client),
        lock_timeout=lock_timeout,
        bulk_table_bytes=bulk_bytes,
        range_bytes=range_bytes,
        binary=binary,
    )


def tables_of(snapshot: PostgresSnapshot) -> dict[str, PartSpec]:
    """Return a snapshot's large tables by their names."""
    details = [(spec, spec.detail) for spec in snapshot.parts]
    return {d.relation.name: spec for spec, d in details if isinstance(d, TableDetail)}


def split(spec: PartSpec, range_blocks: int = RANGE_BLOCKS) -> list[PartSpec]:
    """Return the ranges of a large table, of that many blocks each."""
    assert isinstance(spec.detail, TableDetail)
    return [*split_table(spec, evolve(spec.detail, range_blocks=range_blocks))]


def read_tables(dumper: PostgresDumper, range_blocks: int = RANGE_BLOCKS) -> Mapping[str, Rows]:
    """Read all large tables of a database, range by range."""
    with dumper.snapshot() as snapshot, dumper.reading() as reader:
        read = {}
        for name, spec in tables_of(snapshot).items():
            detail = spec.detail
            assert isinstance(detail, TableDetail)
            counts: list[int | None] = []
            pieces = split(spec, range_blocks)
            ranges = tuple(b"".join(counting(reader.read(p), counts)) for p in pieces)
            read[name] = Rows(detail, ranges, sum(count or 0 for count in counts))
        return read


def read_archive(dumper: PostgresDumper) -> bytes:
    """Read the archive of a database."""
    with dumper.snapshot() as snapshot, dumper.reading() as reader:
        (spec,) = [spec for spec in snapshot.parts if spec.kind == PartKind.ARCHIVE]
        return b"".join(reader.read(spec))


@contextmanager
def holding(server: Server, database: str, sql: str) -> Iterator[None]:
    """Run statements in a session that stays open, and in a transaction if they begin one."""
    with dumper_for(server, database)._client.session(database) as session:
        session.run(sql)
        yield


def describe_tables(
    server: Server, database: str, role: str | None = None
) -> dict[str, LargeTable]:
    """Return what a snapshot knows of all tables, by their names."""
    with dumper_for(server, database, role=role, binary=True, bulk_bytes=-1).snapshot() as snapshot:
        return {table.relation.name: table for table in snapshot._tracker._tables}
