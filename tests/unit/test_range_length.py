"""How many blocks a range has."""

import pytest

from brownie_backup.dumpers.postgres.dump.large_tables import RangePolicy, range_length

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK = 8 * KIB


@pytest.mark.parametrize(
    ("blocks", "size_bytes", "length"),
    [
        (0, 0, 2048),
        (10_000, 10_000 * BLOCK, 2048),
        (10_000, 7 * 10_000 * BLOCK, 2048),  # up to seven times as much TOAST as heap
        (10_000, 8 * 10_000 * BLOCK, 256),
        (8192, 64 * GIB, 4),
        (8192, 1024 * GIB, 1),
        (1, 500 * MIB, 1),
    ],
)
def test_a_range_has_fewer_blocks_the_more_toast_there_is(
    blocks: int, size_bytes: int, length: int
) -> None:
    assert range_length(blocks, BLOCK, size_bytes, RangePolicy()) == length


def test_small_ranges_have_a_block_at_least() -> None:
    assert range_length(10, BLOCK, 10 * BLOCK, RangePolicy(range_bytes=1)) == 1
