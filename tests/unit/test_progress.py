"""Progress by the plan: never back, exactly to the end, whatever the rows' bytes are."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.dumpers.postgres.segments import TableDetail, split_table
from brownie_backup.model import BlockRange, PartKind, PartSpec, Relation, Table
from brownie_backup.pipeline.progress import PartMeter

if TYPE_CHECKING:
    from brownie_backup import Progress

ARCHIVE = PartSpec(PartKind.ARCHIVE, "archive", None, estimate_bytes=1000)


def table(oid: int, blocks: int, estimate: int, *, range_blocks: int = 10) -> PartSpec:
    relation = Relation(oid, "public", f"t{oid}", ("a",), "text")
    numbers = Table(oid, oid, "", "text")
    detail = TableDetail("shop", "1", numbers, relation, BlockRange(0, blocks), range_blocks)
    return PartSpec(PartKind.TABLE, f"public.t{oid}", detail, estimate_bytes=estimate)


def split(spec: PartSpec) -> list[PartSpec]:
    assert isinstance(spec.detail, TableDetail)
    return [*split_table(spec, spec.detail)]


@given(st.integers(1, 200), st.integers(0, 10**9), st.integers(1, 50))
def test_the_shares_of_ranges_are_the_whole(blocks: int, estimate: int, size: int) -> None:
    shares = [p.estimate_bytes for p in split(table(1, blocks, estimate, range_blocks=size))]
    assert sum(share or 0 for share in shares) == estimate
    assert all(share is not None and share >= 0 for share in shares)


def test_a_range_without_an_estimate_has_no_share() -> None:
    spec = evolve(table(1, 20, 0), estimate_bytes=None)
    assert {piece.estimate_bytes for piece in split(spec)} == {None}


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 5000)), max_size=4),
    st.lists(st.integers(0, 4000), min_size=30, max_size=30),
)
def test_it_never_goes_back_and_ends_at_the_total(
    tables: list[tuple[int, int]], sizes: list[int]
) -> None:
    seen: list[Progress] = []
    meter = PartMeter(seen.append, "backup")
    specs = [table(number, *each) for number, each in enumerate(tables)]
    pieces = [ARCHIVE, *(piece for spec in specs for piece in split(spec))]
    meter.plan(pieces)

    def work(number: int) -> None:
        piece, size = pieces[number], sizes[number % len(sizes)]
        if number % 3:
            meter.begin(piece)
            meter.add(piece, size // 2)
            meter.add(piece, size // 2)
        meter.end(piece, 7)
        meter.end(piece, 7)  # a worker elsewhere, of which its future tells as well
        meter.add(piece, 99)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(len(pieces))))
    done = [progress.done_bytes for progress in seen]
    total = 1000 + sum(estimate for _, estimate in tables)
    assert done == sorted(done)
    assert done[-1] == total
    assert {progress.total_bytes for progress in seen} == {total}
    parts = [progress.part for progress in seen if progress.part and progress.part.ended]
    counted = {part.name: part.rows for part in parts}
    expected = {f"public.t{n}": 7 * -(-blocks // 10) for n, (blocks, _) in enumerate(tables)}
    assert counted == {"archive": 7} | expected
    assert len(parts) == len(counted)


def test_what_was_not_read_took_no_time() -> None:
    seen: list[Progress] = []
    meter = PartMeter(seen.append, "backup")
    (first, second) = split(table(1, 20, 500))
    meter.plan([first, second])
    meter.end(first, 3)
    meter.end(second, 4)
    parts = [progress.part for progress in seen if progress.part]
    assert [(p.rows, p.read_bytes, p.duration, p.ended) for p in parts] == [
        (3, 0, timedelta(0), False),
        (7, 0, timedelta(0), True),
    ]


def test_without_estimates_there_is_no_total_and_bytes_count_as_they_are() -> None:
    seen: list[Progress] = []
    meter = PartMeter(seen.append, "backup")
    spec = evolve(ARCHIVE, estimate_bytes=None)
    meter.plan([spec, PartSpec(PartKind.GLOBALS, "globals", None)])
    meter.begin(spec)
    meter.add(spec, 12)
    meter.end(spec, None)
    assert [each.done_bytes for each in seen] == [0, 12, 12]
    assert {each.total_bytes for each in seen} == {None}


def test_segments_have_their_table_and_first_block_as_key() -> None:
    assert [piece.segment for piece in split(table(7, 25, 9))] == ["7/0", "7/10", "7/20"]
    assert split(table(7, 0, 9)) == []
