"""COPY statements for large tables, and the settings that must be the same whenever one runs."""

from collections.abc import Generator, Iterable
from typing import Protocol

from brownie_backup.errors import DamagedError, DumpFailed
from brownie_backup.hints import BackupHint, DatabaseHint
from brownie_backup.model import BlockRange, Part, Relation, RowFormat
from brownie_backup.postgres.client import qualified, quote_name, quote_text
from brownie_backup.postgres.encoding import sql_bytes

TEXT_SETTINGS = (
    "SET LOCAL DateStyle = ISO",
    "SET LOCAL IntervalStyle = postgres",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL extra_float_digits = 3",
    "SET LOCAL bytea_output = hex",
    "SET LOCAL lc_monetary = 'C'",
    "SET LOCAL xmloption = content",
    "SET LOCAL quote_all_identifiers = off",
    "SET LOCAL row_security = off",
)
"""All settings that the bytes of a row depend on, so that the same rows give the same bytes
whatever a role, a database or an environment sets."""

_PLAN_SETTINGS = (
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL enable_tidscan = on",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_indexscan = off",
    "SET LOCAL enable_indexonlyscan = off",
    "SET LOCAL enable_bitmapscan = off",
)
# So that one process scans blocks, only those of the range, and in their order.

BINARY_HEAD = b"PGCOPY\n\xff\r\n\0"
BINARY_TAIL = b"\xff\xff"
"""The beginning and end of COPY's binary format (PostgreSQL manual, COPY)."""


class RowSource(Protocol):
    """A session that rows are read from: of psql, or our own."""

    @property
    def encoding(self) -> str:
        """The encoding of the database, which rows and COPY statements use."""

    def run(self, *statements: str) -> object:
        """Run statements, one after the other."""

    def copy_out(self, statement: bytes) -> Generator[bytes, None, int]:
        """Run one ``COPY … TO STDOUT``; yield its output, and return its count of rows."""

    def value(self, sql: bytes) -> str:
        """Run a SELECT of one value, which may be in the encoding of the database."""


def begin_copying(source: RowSource) -> None:
    """Prepare a session's transaction for COPY."""
    source.run(*TEXT_SETTINGS, *_PLAN_SETTINGS)


def columns_of(relation: Relation) -> str:
    """Return the list of columns in SQL."""
    return ", ".join(map(quote_name, relation.columns))


def copy_out(relation: Relation, blocks: BlockRange) -> str:
    """Return the statement that writes the rows of a range of a table's blocks."""
    query = f"SELECT {columns_of(relation)} FROM ONLY {named(relation)}{_within(blocks)}"
    return f"COPY ({query}) TO STDOUT (FORMAT {relation.format})"


def copy_rows(
    source: RowSource, relation: Relation, blocks: BlockRange
) -> Generator[bytes, None, int]:
    """Yield the rows of a range of a table, which the session has locked; return their number.

    Raises:
        DumpFailed: another table has taken this one's name: schemas can be renamed even while
            tables in them are locked.
        DatabaseError: PostgreSQL could not do it.
    """
    rows = yield from source.copy_out(sql_bytes(copy_out(relation, blocks), source.encoding))
    name = quote_text(named(relation))
    oid = source.value(sql_bytes(f"SELECT {name}::regclass::oid", source.encoding))
    if int(oid) != relation.oid:
        msg = f"the table with the oid {relation.oid} got another name while it was read"
        raise DumpFailed(msg, hint=DatabaseHint.BACK_UP_AGAIN)
    return rows


def copy_in(relation: Relation) -> str:
    """Return the statement that reads the output of `copy_out`."""
    return f"COPY {named(relation)} ({columns_of(relation)}) FROM STDIN (FORMAT {relation.format})"


def check_rows(part: Part, chunks: Iterable[bytes]) -> None:
    """Read the rows of a stored part to their end, without a server.

    In text format the rows are counted: a line is a row, since COPY escapes line breaks within
    values. In binary format the beginning and end are checked.

    Raises:
        DamagedError: they are truncated, or their number differs from the recorded one.
    """
    binary = part.table is not None and part.table.format == RowFormat.BINARY
    lines, head, tail = 0, b"", b""
    for chunk in chunks:
        head = head if len(head) >= len(BINARY_HEAD) else (head + chunk)[: len(BINARY_HEAD)]
        tail = (tail + chunk[-len(BINARY_TAIL) :])[-len(BINARY_TAIL) :]
        lines += 0 if binary else chunk.count(b"\n")
    whole = head == BINARY_HEAD and tail == BINARY_TAIL if binary else tail[-1:] in {b"", b"\n"}
    # A table that was truncated just before it was locked has no blocks, and so no ranges.
    whole = whole or (part.rows == 0 and not head)
    counted = binary or part.rows is None or lines == part.rows
    if not whole or not counted:
        number = part.table.oid if part.table else 0
        msg = f"the rows of the table with the oid {number} do not reach their end"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)


def named(relation: Relation) -> str:
    """Return the table's name in SQL."""
    return qualified(relation.schema, relation.name)


def _within(blocks: BlockRange) -> str:
    return f" WHERE ctid >= '({blocks.first},0)'::tid AND ctid < '({blocks.end},0)'::tid"
