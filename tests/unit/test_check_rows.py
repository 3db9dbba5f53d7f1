"""What a reader without a server can say of the rows of a large table."""

import pytest

from brownie_backup.errors import DamagedError
from brownie_backup.model import Part, PartKind, RowFormat, Table
from brownie_backup.postgres.copy_rows import BINARY_HEAD, BINARY_TAIL, check_rows

RANGE = BINARY_HEAD + b"\0" * 8 + b"rows" + BINARY_TAIL


def stored(row_format: RowFormat, rows: int) -> Part:
    table = Table(16384, 16384, "signature", row_format)
    return Part(PartKind.TABLE, 0, table=table, rows=rows)


@pytest.mark.parametrize(
    ("row_format", "rows", "chunks"),
    [
        (RowFormat.TEXT, 0, []),
        (RowFormat.TEXT, 3, [b"1\n2", b"\n3\n"]),
        (RowFormat.BINARY, 0, []),  # a table that was emptied just before it was locked
        (RowFormat.BINARY, 5, [RANGE, RANGE]),
        (RowFormat.BINARY, 5, [RANGE[:4], RANGE[4:-1], RANGE[-1:]]),
    ],
)
def test_whole_rows_are_whole(row_format: RowFormat, rows: int, chunks: list[bytes]) -> None:
    check_rows(stored(row_format, rows), chunks)


@pytest.mark.parametrize(
    ("row_format", "rows", "chunks"),
    [
        (RowFormat.TEXT, 1, []),
        (RowFormat.TEXT, 2, [b"1\n2"]),
        (RowFormat.TEXT, 3, [b"1\n2\n"]),
        (RowFormat.BINARY, 5, []),
        (RowFormat.BINARY, 5, [RANGE[:-1]]),
        (RowFormat.BINARY, 5, [RANGE[1:]]),
        (RowFormat.BINARY, 0, [BINARY_TAIL]),
    ],
)
def test_cut_rows_are_damage(row_format: RowFormat, rows: int, chunks: list[bytes]) -> None:
    with pytest.raises(DamagedError):
        check_rows(stored(row_format, rows), chunks)
