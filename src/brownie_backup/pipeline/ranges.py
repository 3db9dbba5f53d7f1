"""Large tables as many small pieces of work, which any worker can do in any order."""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager

from attrs import Factory, field, frozen

from brownie_backup.errors import LockRefused
from brownie_backup.model import PartSpec
from brownie_backup.pipeline.buffers import BufferPool, StreamBuffers
from brownie_backup.pipeline.progress import PartMeter
from brownie_backup.pipeline.replica import ReplicaState
from brownie_backup.pipeline.writer import BlobWriter, StoredBlob
from brownie_backup.protocols import Dumper, Reader
from brownie_backup.repository.blobs.chunks import refilled
from brownie_backup.tracing import step

MOST_RANGES = 16
"""How many ranges a worker reads in one go, by one session."""
_SHARES = 3
"""The number of pieces into which a worker's fair share of the remaining work is cut."""


@frozen
class StoredPart:
    """The blobs that were read, and their number of rows, if rows are counted."""

    blobs: tuple[StoredBlob, ...]
    rows: int | None = None


@frozen
class StoredBatch:
    """The outcome of some ranges, as a worker sends it back."""

    parts: tuple[StoredPart | None, ...]
    """In the order of the ranges; None for a range that the worker could not lock."""
    stores: tuple[ReplicaState, ...] = ()
    """What it has learnt about the stores, unless it shares them with the process that gave it the
    work."""


@frozen
class WorkerContext:
    """The context of a worker: the objects that it needs."""

    dumper: Dumper
    writer: BlobWriter
    meter: PartMeter = field(factory=lambda: PartMeter(None, ""), eq=False)
    """Counts finished work; a meter without a plan ignores it."""
    stopping: threading.Event = field(factory=threading.Event, eq=False)
    stores: Callable[[], tuple[ReplicaState, ...]] = tuple
    """Returns what the worker has learnt about the stores, for a process that does not share
    them."""
    buffers: BufferPool = field(
        default=Factory(lambda self: BufferPool(self.writer.blob_bytes), takes_self=True), eq=False
    )


OpenContext = Callable[[], AbstractContextManager[WorkerContext]]


class Stopped(Exception):
    """The run no longer waits for the work."""


def batches(specs: Sequence[PartSpec], workers: int) -> Iterator[tuple[PartSpec, ...]]:
    """Yield ranges in groups, each for one worker in one go. Pure.

    Groups get smaller towards the end, so that no worker has much left when the others are done.
    """
    start = 0
    while start < len(specs):
        size = max(1, min(MOST_RANGES, (len(specs) - start) // (_SHARES * max(1, workers))))
        yield tuple(specs[start : start + size])
        start += size


def store_batch(open_context: OpenContext, specs: Sequence[PartSpec]) -> StoredBatch:
    """Read ranges and store them. This runs in a process of the executor."""
    begun: list[_Begun | None] = []
    with (
        step("store ranges", ranges=len(specs)) as measured,
        open_context() as context,
        contextlib.closing(StreamBuffers(context.buffers)) as buffers,
        context.dumper.reading() as reader,
    ):
        for spec in specs:
            try:
                begun.append(_read(context, buffers, reader, spec))
            except LockRefused:
                begun.append(None)
        parts = tuple(_finish(context, each) if each else None for each in begun)
        measured.tell(**totals([blob for part in parts if part for blob in part.blobs]))
        return StoredBatch(parts, context.stores())


def store_stream(context: WorkerContext, spec: PartSpec, at_once: int) -> StoredPart:
    """Read a part that is one stream, and store several of its blobs at once."""
    with (
        step("store part", kind=spec.kind) as measured,
        contextlib.closing(StreamBuffers(context.buffers, at_once)) as buffers,
        context.dumper.reading() as reader,
    ):
        stored = _finish(context, _read(context, buffers, reader, spec))
        measured.tell(**totals(stored.blobs))
    return stored


def totals(blobs: Sequence[StoredBlob]) -> Mapping[str, int]:
    """Return the attributes of blobs for a span."""
    return {
        "blobs": len(blobs),
        "size_bytes": sum(blob.ref.size_bytes for blob in blobs),
        "stored_bytes": sum(blob.ref.stored_bytes for blob in blobs if blob.new),
    }


@frozen
class _Begun:
    """A part that has been read, and whose blobs are being stored."""

    spec: PartSpec
    blobs: tuple[Future[StoredBlob], ...]
    rows: int | None


def _read(context: WorkerContext, buffers: StreamBuffers, reader: Reader, spec: PartSpec) -> _Begun:
    """Read a part; its last blobs may still be being stored."""

    def put(chunk: memoryview) -> StoredBlob:
        blob = context.writer.put(chunk)
        context.meter.add(spec, len(chunk))
        return blob

    counted: list[int | None] = []
    blobs = []
    context.meter.begin(spec)
    with contextlib.closing(counting(reader.read(spec), counted)) as stream:
        for chunk in refilled(stream, buffers.buffer, head=spec.head_bytes):
            if context.stopping.is_set():
                raise Stopped
            blobs.append(buffers.put(put, chunk))
    if not blobs:  # so that a range without rows is recorded too
        blobs.append(buffers.put(put, memoryview(b"")))
    return _Begun(spec, tuple(blobs), counted[0])


def _finish(context: WorkerContext, begun: _Begun) -> StoredPart:
    blobs = tuple(future.result() for future in begun.blobs)
    context.meter.end(begun.spec, begun.rows)
    return StoredPart(blobs, begun.rows)


def counting(
    stream: Generator[bytes, None, int | None], counted: list[int | None]
) -> Generator[bytes]:
    """Yield the stream's items, and put its return value into `counted`."""
    counted.append((yield from stream))
