"""The parent of a backup: which earlier one it is, and that nobody has changed it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DATABASE, DAY, NOON, make_manifest, make_repository, make_writer

from brownie_backup.format.mac import with_mac
from brownie_backup.model import (
    Backup,
    BlobRef,
    BlockRange,
    Manifest,
    Part,
    RowRange,
    Status,
    WalPosition,
)
from brownie_backup.pipeline.parent import FoundParent, ParentFinder, full_read_due
from brownie_backup.pipeline.writer import BlobWriter
from brownie_backup.version import TOOL_VERSION

SECRET = b"of this host"
POSITION = WalPosition(1, 100, 100, 700, 200, NOON - DAY)
ROWS = Part(
    "table",
    20,
    (
        BlobRef("aa", 10, 9, RowRange(BlockRange(0, 8), 5)),
        BlobRef("bb", 10, 9, RowRange(BlockRange(8, 16), 6)),
    ),
    rows=11,
)


@pytest.fixture
def writer() -> BlobWriter:
    return make_writer(make_repository())


def _ours(writer: BlobWriter) -> Manifest:
    return evolve(
        make_manifest("ours", NOON, parts=(ROWS,)),
        tool_version=TOOL_VERSION,
        compression=writer.compressor.name,
        encryption=writer.encryption,
        hash_key=writer.hash_key.hex(),
        wal=POSITION,
    )


def _found(writer: BlobWriter, *backups: Backup) -> FoundParent:
    candidates = ParentFinder()
    for backup in backups:
        candidates.add(backup)
    return candidates.find(writer, _ours(writer).backup_set, SECRET)


def test_it_is_the_newest_good_one_of_the_same_kin(writer: BlobWriter) -> None:
    ours, later = _ours(writer), NOON + DAY

    def found(*others: Backup) -> str:
        signed = with_mac(ours, SECRET)
        manifest = _found(writer, Backup("ours", Status.GOOD, signed), *others).manifest
        return manifest.name if manifest else ""

    newer = evolve(ours, name="newer", finished_at=later)
    signed = with_mac(newer, SECRET)
    assert found(Backup("newer", Status.GOOD, signed)) == "newer"
    older = with_mac(evolve(ours, name="older", finished_at=NOON - DAY), SECRET)
    assert found(Backup("older", Status.GOOD, older)) == "ours"
    assert found(Backup("newer", Status.DAMAGED, signed)) == "ours"
    assert found(Backup("gone", Status.DAMAGED, None)) == "ours"
    for other in (
        evolve(newer, database=evolve(DATABASE, name="another")),
        evolve(newer, kind="physical"),
        evolve(newer, tool_version="0"),
        evolve(newer, compression="gzip"),
        evolve(newer, hash_key="00"),
        evolve(newer, encryption=evolve(newer.encryption, identity="another")),
    ):
        assert found(Backup("newer", Status.GOOD, with_mac(other, SECRET))) == "ours"
    assert found(Backup("newer", Status.GOOD, newer)) == "ours"
    assert found(Backup("newer", Status.GOOD, with_mac(newer, b"another host"))) == "ours"
    assert _found(writer) == FoundParent()


CHANGES: dict[str, Callable[[Manifest], Manifest]] = {
    "rows of another backup": lambda m: evolve(
        m, parts=(evolve(ROWS, blobs=(evolve(ROWS.blobs[0], name="cc"), ROWS.blobs[1])),)
    ),
    "ranges swapped": lambda m: evolve(m, parts=(evolve(ROWS, blobs=ROWS.blobs[::-1]),)),
    "a range less": lambda m: evolve(m, parts=(evolve(ROWS, blobs=ROWS.blobs[:1]),)),
    "rows counted otherwise": lambda m: evolve(
        m,
        parts=(
            evolve(
                ROWS,
                blobs=(ROWS.blobs[0], evolve(ROWS.blobs[1], begins=RowRange(BlockRange(8, 16), 7))),
            ),
        ),
    ),
    "a blob moved to another part": lambda m: evolve(
        m,
        parts=(evolve(ROWS, blobs=ROWS.blobs[:1]), evolve(ROWS, blobs=ROWS.blobs[1:])),
    ),
    "a position of another backup": lambda m: evolve(m, wal=evolve(POSITION, changes_from=300)),
    "never to be read again": lambda m: evolve(m, read_fully_at=NOON + 9999 * DAY),
    "a newer time": lambda m: evolve(m, finished_at=NOON + DAY),
    "another field": lambda m: evolve(m, unknown={"hint": "trust me"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_that_was_changed_in_the_store_is_not_taken(writer: BlobWriter, change: str) -> None:
    signed = with_mac(_ours(writer), SECRET)
    changed = CHANGES[change](signed)
    assert changed != signed
    found = _found(writer, Backup("ours", Status.GOOD, changed))
    assert found == FoundParent(None, forged=changed)


def test_a_copy_in_another_store_is_authentic_though_sizes_differ_there(writer: BlobWriter) -> None:
    blobs = tuple(evolve(blob, stored_bytes=99) for blob in ROWS.blobs)
    copied = evolve(with_mac(_ours(writer), SECRET), parts=(evolve(ROWS, blobs=blobs),))
    assert _found(writer, Backup("ours", Status.GOOD, copied)).manifest == copied


def test_every_block_is_read_again_when_the_last_time_lies_in_the_future() -> None:
    week = timedelta(days=7)
    read = evolve(make_manifest("one", NOON), read_fully_at=NOON)
    assert not full_read_due(read, NOON, week)
    assert not full_read_due(read, NOON + 6 * DAY, week)
    assert full_read_due(read, NOON + week, week)
    assert full_read_due(read, NOON - timedelta(seconds=1), week)
    assert full_read_due(evolve(read, read_fully_at=NOON + 9999 * DAY), NOON, week)
    assert not full_read_due(evolve(read, read_fully_at=NOON + DAY), NOON, None)
