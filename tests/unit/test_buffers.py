"""The desk: a buffer is not filled again before what is in it is stored."""
# ruff: noqa: D102 - the methods are those of the protocols

import hashlib
import threading
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, cast

import pytest

from brownie_backup.errors import LockRefused
from brownie_backup.model import BlobRef, PartKind, PartSpec
from brownie_backup.pipeline.ranges import WorkerContext, store_batch
from brownie_backup.pipeline.writer import BlobWriter, StoredBlob

if TYPE_CHECKING:
    from brownie_backup.protocols import Dumper

SIZE = 1000
LAG_SECONDS = 0.3


class Rows:
    """A dumper of ranges, each of the given bytes; None for one that it gets no lock for."""

    def __init__(self, ranges: Sequence[bytes | None]) -> None:
        self.all_read = threading.Event()
        self._ranges = ranges

    def reading(self) -> AbstractContextManager["Rows"]:
        return nullcontext(self)

    def read(self, part: PartSpec) -> Generator[bytes, None, int]:
        assert isinstance(part.detail, int)
        data = self._ranges[part.detail]
        if data is None:
            raise LockRefused("somebody waits for it")
        yield data
        if part.detail + 1 == len(self._ranges):
            self.all_read.set()
        return 1


class SlowWriter:
    """A writer that looks at a blob only when all has been read, unless that takes too long."""

    blob_bytes = SIZE

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, data: memoryview) -> StoredBlob:
        self._rows.all_read.wait(LAG_SECONDS)
        ref = BlobRef(hashlib.sha256(data).hexdigest(), len(data), len(data))
        return StoredBlob(ref, new=True)


@pytest.mark.parametrize(
    "ranges",
    [
        (b"a" * 10, b"b" * 10, b"c" * 10, b"d" * 10),
        (b"a" * SIZE, b"b" * 10),
        (b"a" * 10, b"b" * 2 * SIZE, b"c" * 10),
        (b"a" * 10, None, b"b" * 10),
        (b"a" * 10, b"b" * 10, None, None, None, b"c" * 10),
        (b"a" * 10, b"", b"c" * 10, None, b"d" * 10),
    ],
)
def test_each_range_is_stored_as_it_was_read(ranges: Sequence[bytes | None]) -> None:
    """Also after one that ends with its last blob, or that nothing was read of."""
    rows = Rows(ranges)
    bench = WorkerContext(cast("Dumper", rows), cast("BlobWriter", SlowWriter(rows)))
    specs = [PartSpec(PartKind.TABLE, "public.t", n, segment=f"1/{n}") for n in range(len(ranges))]
    done = store_batch(lambda: nullcontext(bench), specs)
    for data, part in zip(ranges, done.parts, strict=True):
        if data is None:
            assert part is None
        else:
            assert part
            pieces = [data[at : at + SIZE] for at in range(0, max(1, len(data)), SIZE)]
            names = [hashlib.sha256(piece).hexdigest() for piece in pieces]
            assert [blob.ref.name for blob in part.blobs] == names
