"""Reading the bulk tables of a database as a backup does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from attrs import evolve, frozen
from tests.servers.running import Server

from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.dump.bulk import BulkTable
from brownie_backup.dumpers.postgres.dump.snapshot import PostgresSnapshot
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.pipeline.ranges import counting, split_ranges

BULK_BYTES = 64 << 10
"""From which size on the tests' tables are bulk tables."""
RANGE_BLOCKS = 5
"""How many blocks the tests' ranges have, so that small tables have several."""


@frozen
class Rows:
    """The ranges of a table as they were read, in order."""

    spec: PartSpec
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
    lock_timeout: timedelta = timedelta(seconds=20),
) -> PostgresDumper:
    """Return a dumper for which small tables are bulk tables."""
    conninfo = parse_conninfo(server.url("postgres")).with_database(database)
    if role:  # whose password is the superuser's
        conninfo = evolve(conninfo, parameters={**conninfo.parameters, "user": role})
    return PostgresDumper(
        conninfo,
        pg_bin=str(server.client),
        lock_timeout=lock_timeout,
        bulk_table_bytes=bulk_bytes,
        binary=binary,
    )


def tables_of(snapshot: PostgresSnapshot) -> dict[str, PartSpec]:
    """Return a snapshot's bulk tables by their names."""
    specs = [spec for spec in snapshot.parts if spec.kind == PartKind.TABLE]
    return {spec.relation.name: spec for spec in specs if spec.relation}


def read_tables(dumper: PostgresDumper, range_blocks: int = RANGE_BLOCKS) -> Mapping[str, Rows]:
    """Read all bulk tables of a database, range by range."""
    with dumper.snapshot() as snapshot, dumper.reading() as reader:
        read = {}
        for name, spec in tables_of(snapshot).items():
            counts: list[int | None] = []
            pieces = [*split_ranges(evolve(spec, range_blocks=range_blocks))]
            ranges = tuple(b"".join(counting(reader.read(p), counts)) for p in pieces)
            read[name] = Rows(spec, ranges, sum(count or 0 for count in counts))
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


def describe_tables(server: Server, database: str, role: str | None = None) -> dict[str, BulkTable]:
    """Return what a snapshot knows of all tables, by their names."""
    with dumper_for(server, database, role=role, binary=True, bulk_bytes=-1).snapshot() as snapshot:
        return {table.relation.name: table for table in snapshot._tracker._bulk}
