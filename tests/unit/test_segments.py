"""Bulk tables as segments: what is cut, stored and taken apart again is the same."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres.segments import DumpDetail, TableDetail
from brownie_backup.model import (
    BlobRef,
    BlockRange,
    Part,
    PartKind,
    PartSpec,
    Relation,
    RowRange,
    Segment,
    Table,
)
from brownie_backup.model.reports import TableRange

TABLE = Table(16384, 16390, "0f", "text")
RELATION = Relation(16384, "public", "orders", ("id",), "text")
DUMPER = PostgresDumper()


def spec(blocks: int, range_blocks: int) -> PartSpec:
    detail = TableDetail("shop", "1-1", TABLE, RELATION, BlockRange(0, blocks), range_blocks)
    return PartSpec(PartKind.TABLE, "public.orders", detail, estimate_bytes=blocks * 8192)


def cut(part: PartSpec) -> list[PartSpec]:
    pieces = DUMPER.split(part)
    assert pieces is not None
    return [*pieces]


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 3))
def test_what_is_stored_comes_apart_as_it_was_cut(blocks: int, size: int, each: int) -> None:
    part = spec(blocks, size)
    pieces = cut(part)
    segments = [
        Segment(piece.segment, tuple(BlobRef(f"{n}-{i}", 5, 6) for i in range(each)), n)
        for n, piece in enumerate(pieces)
    ]
    stored = DUMPER.join(part, segments)
    assert [*(DUMPER.segments(stored) or ())] == segments
    assert stored.table == TABLE
    assert stored.rows == sum(range(len(pieces)))
    assert stored.size_bytes == 5 * each * len(pieces)
    assert len(pieces) == -(-blocks // size)


def test_a_table_is_stored_as_format_1_has_it() -> None:
    part = spec(15, 10)
    two = [
        Segment("16384/0", (BlobRef("a", 5, 6), BlobRef("b", 1, 2)), 3),
        Segment("16384/10", (BlobRef("c", 7, 8),), 4),
    ]
    assert DUMPER.join(part, two) == Part(
        "table",
        13,
        (
            BlobRef("a", 5, 6, RowRange(BlockRange(0, 10), 3)),
            BlobRef("b", 1, 2),
            BlobRef("c", 7, 8, RowRange(BlockRange(10, 20), 4)),
        ),
        rows=7,
        table=TABLE,
    )
    assert DUMPER.join(part, []) == Part("table", 0, rows=0, table=TABLE)


def test_a_segment_is_located_by_its_blocks() -> None:
    _, second = cut(spec(15, 10))
    assert DUMPER.locate(second) == TableRange(16384, BlockRange(10, 20))
    assert second.segment == "16384/10"
    assert second.name == "public.orders"


def test_what_a_program_writes_has_no_segments() -> None:
    archive = PartSpec(PartKind.ARCHIVE, "archive", DumpDetail("shop", "1-1", (RELATION,)))
    assert DUMPER.split(archive) is None
    assert DUMPER.segments(Part(PartKind.ARCHIVE, 5, (BlobRef("a", 5, 6),))) is None


def test_an_empty_table_has_segments_but_none_is_there() -> None:
    """It is no stream: it would be read as one, and restored as one."""
    assert cut(spec(0, 10)) == []
    assert [*(DUMPER.segments(Part("table", 0, rows=0, table=TABLE)) or "x")] == []


def test_blobs_before_the_first_range_belong_to_none() -> None:
    stray = Part("table", 9, (BlobRef("stray", 9, 9),), rows=0, table=TABLE)
    assert [*(DUMPER.segments(stray) or "x")] == []
    begins = BlobRef("a", 1, 1, RowRange(BlockRange(0, 10), 2))
    both = evolve(stray, blobs=(*stray.blobs, begins))
    assert [*(DUMPER.segments(both) or ())] == [Segment("16384/0", (BlobRef("a", 1, 1),), 2)]
