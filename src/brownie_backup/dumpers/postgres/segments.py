"""The parts of a logical dump: how large tables are cut into segments, and how they are stored.

A segment is a range of a table's blocks. Its key is the table's OID and the first block.
"""

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from brownie_backup.model import (
    BlobRef,
    BlockRange,
    Part,
    PartSpec,
    Relation,
    RowRange,
    Segment,
    Table,
)
from brownie_backup.model.reports import TableRange
from brownie_backup.postgres.endpoint import Endpoint


@frozen
class DumpDetail:
    """The dumper's data for reading the inventory, the roles or the archive."""

    database: str
    snapshot: str
    apart: tuple[Relation, ...] = ()
    """The large tables, which the inventory names, and whose rows are not in the archive."""
    server: Endpoint | None = None
    """Where the snapshot is."""


@frozen
class TableDetail:
    """The dumper's data for reading the rows of a large table, or of a range of its blocks."""

    database: str
    snapshot: str
    table: Table
    relation: Relation
    blocks: BlockRange
    range_blocks: int
    """The number of blocks of a segment."""
    server: Endpoint | None = None
    """Where the snapshot is."""


def segment_key(oid: int, first_block: int) -> str:
    """Return the key of a table's segment that begins with a block."""
    return f"{oid}/{first_block}"


def split_table(part: PartSpec, detail: TableDetail) -> Iterator[PartSpec]:
    """Yield the segments of a table, with boundaries that are the same each time. Pure.

    The last one may reach past the table's end, so that it stays the same while rows are added.
    """
    size = detail.range_blocks
    for first in range(detail.blocks.first, detail.blocks.end, size):
        blocks = BlockRange(first, first + size)
        yield evolve(
            part,
            detail=evolve(detail, blocks=blocks),
            segment=segment_key(detail.table.oid, first),
            estimate_bytes=_share(part.estimate_bytes, detail.blocks, blocks),
        )


def _share(estimate_bytes: int | None, whole: BlockRange, blocks: BlockRange) -> int | None:
    """Return a range's share of its table's estimate; the shares of all ranges add up to it."""
    if estimate_bytes is None:
        return None
    before, until = (
        estimate_bytes * (min(block, whole.end) - whole.first) // (whole.end - whole.first)
        for block in (blocks.first, blocks.end)
    )
    return until - before


def join_table(detail: TableDetail, kind: str, segments: Sequence[Segment]) -> Part:
    """Return a table as the manifest has it, made of its segments in order."""
    refs: list[BlobRef] = []
    for segment in segments:
        first = int(segment.key.rpartition("/")[2])
        blocks = BlockRange(first, first + detail.range_blocks)
        head, *others = segment.blobs
        refs += [evolve(head, begins=RowRange(blocks, segment.rows or 0)), *others]
    return Part(
        kind,
        sum(ref.size_bytes for ref in refs),
        tuple(refs),
        rows=sum(segment.rows or 0 for segment in segments),
        table=detail.table,
    )


def stored_segments(part: Part, table: Table) -> Iterator[Segment]:
    """Yield the segments of a stored table, in order."""
    begins: RowRange | None = None
    refs: list[BlobRef] = []
    for ref in part.blobs:
        if ref.begins:
            if begins:
                yield _segment(table, begins, refs)
            begins, refs = ref.begins, []
        refs.append(ref)
    if begins:
        yield _segment(table, begins, refs)


def _segment(table: Table, begins: RowRange, refs: Sequence[BlobRef]) -> Segment:
    head, *others = refs
    blobs = (evolve(head, begins=None), *others)
    return Segment(segment_key(table.oid, begins.blocks.first), blobs, begins.rows)


def located(detail: TableDetail) -> TableRange:
    """Return the table and the blocks for messages."""
    return TableRange(detail.table.oid, detail.blocks)
