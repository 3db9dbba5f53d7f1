"""Storing what a snapshot has: streams beside each other, and the ranges of bulk tables."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from typing import Any

from attrs import field, frozen

from brownie_backup.concurrency.threads import Threads, carrying
from brownie_backup.errors import BackupError, DumpFailed, redact
from brownie_backup.hints import BackupHint, DatabaseHint
from brownie_backup.model import Manifest, Part, PartSpec, Segment
from brownie_backup.pipeline.parent import Parent, make_parent, prepare, reuse
from brownie_backup.pipeline.ranges import (
    OpenContext,
    StoredBatch,
    StoredPart,
    WorkerContext,
    batches,
    counting,
    store_batch,
    totals,
)
from brownie_backup.pipeline.writer import StoredBlob
from brownie_backup.protocols import Snapshot
from brownie_backup.repository import BLOB_BYTES, MOST_WORKERS
from brownie_backup.repository.blobs.chunks import chunked
from brownie_backup.tracing import step

_log = logging.getLogger(__name__)

_SIDE = 4
"""Threads beside the workers: the parts that are streams, and what waits for the WAL."""
_END_SECONDS = 10.0
"""How long a failed run waits for workers in other processes to end what they are at."""


@frozen
class Workers:
    """Who does the work of one run.

    Args:
        executor: runs ranges.
        open_bench: gives a worker there what it works with.
        context: ours, in this process.
        count: how many ranges are worked on at once.
        remote: whether what they work with is their own.
    """

    executor: Executor
    open_context: OpenContext
    context: WorkerContext
    count: int
    side: Threads
    packers: Threads
    remote: bool
    begun: list[Future[StoredBatch]] = field(factory=list, eq=False)

    def begin(self, batch: Sequence[PartSpec]) -> Future[StoredBatch]:
        """Give a batch of ranges to a worker."""
        with self._explained():
            # An executor of the caller's has threads that know nothing of this operation.
            work = store_batch if self.remote else carrying(store_batch)
            future = self.executor.submit(work, self.open_context, batch)
        self.begun.append(future)
        return future

    def merge(self, batch: Sequence[PartSpec], future: Future[StoredBatch]) -> None:
        """Take in what a worker did and saw, when it is done; or raise what went wrong."""
        with self._explained():
            done = future.result()
        self.context.writer.replicas.merge(done.stores)
        for spec, stored in zip(batch, done.parts, strict=True):
            if stored and self.remote:
                self.context.meter.end(spec, stored.rows)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Make an error of ours of whatever else an executor raises: each has its own."""
        try:
            yield
        except BackupError:
            raise
        except Exception as error:
            if not self.remote:
                raise
            why = redact(f"{type(error).__name__}: {error}")
            msg = f"a worker of the executor failed: {why}"
            raise DumpFailed(msg, hint=BackupHint.SEE_WORKERS) from error


@contextlib.contextmanager
def worker_pool(
    context: WorkerContext, count: int, executor: Executor | None, open_context: OpenContext | None
) -> Iterator[Workers]:
    """Have workers while the block runs; at its end none is at work any more.

    The snapshot must be let go inside: that ends what threads of ours still read.
    """
    own = ThreadPoolExecutor(count, thread_name_prefix="range")
    # With one worker all goes one after the other.
    side = Threads(_SIDE if count > 1 else 1, thread_name_prefix="part")
    packers = Threads(min(count, MOST_WORKERS), thread_name_prefix="blob")
    here = contextlib.nullcontext(context)
    workers = Workers(
        executor or own,
        open_context or (lambda: here),
        context,
        count,
        side,
        packers,
        remote=open_context is not None,
    )
    try:
        yield workers
    finally:
        context.stopping.set()
        for future in workers.begun:
            future.cancel()
        for pool in (own, side, packers):
            pool.shutdown(cancel_futures=True)
        wait([future for future in workers.begun if not future.cancelled()], _END_SECONDS)


@frozen
class Stored:
    """What a run has stored, and what it has learnt of the base."""

    parts: tuple[Part, ...]
    blobs: tuple[StoredBlob, ...]
    ranges: int
    """How many ranges were read."""
    skipped: int
    """How many were not."""
    why_not: str
    """Why the base could not spare reading any."""
    contradicted: tuple[PartSpec, ...]
    """Segments with other bytes, although the WAL shows no change."""


def store_snapshot(
    snapshot: Snapshot, workers: Workers, parent: Manifest | None, *, full: bool
) -> Stored:
    """Store all parts of a snapshot.

    Args:
        snapshot: held by the caller.
        workers: who reads and stores.
        parent: a backup whose unchanged ranges are used again.
        full: read them all the same, and compare.
    """
    meter = workers.context.meter
    dumper = workers.context.dumper
    cuts = {spec: tuple(own) for spec in snapshot.parts if (own := dumper.split(spec)) is not None}
    pieces = [piece for own in cuts.values() for piece in own]
    meter.plan([*pieces, *(spec for spec in snapshot.parts if spec not in cuts)])
    known = workers.side.submit(_look_back, snapshot, workers.context, parent)
    streams = {
        spec: workers.side.submit(_store_stream, workers, spec)
        for spec in snapshot.parts
        if spec not in cuts
    }
    back = known.result() if parent and not full else None
    reused: dict[str, StoredPart] = {}
    for piece in pieces if back else ():
        if back and (part := reuse(back, workers.context.writer, piece)):
            reused[piece.segment] = part
            meter.end(piece, part.rows)
    begun = [
        (batch, workers.begin(batch))
        for batch in batches([p for p in pieces if p.segment not in reused], workers.count)
    ]
    _wait_for([*streams.values(), known], workers, begun)
    ranges = reused | dict(_results(workers.context, begun))
    parts: list[Part] = []
    blobs: list[StoredBlob] = []
    for spec in snapshot.parts:
        if spec in streams:
            stored = streams[spec].result()
            parts.append(_stream_part(spec, stored))
            blobs += stored.blobs
        else:
            keys = [piece.segment for piece in cuts[spec]]
            parts.append(dumper.join(spec, [_segment(key, ranges[key]) for key in keys]))
            blobs += [blob for key in keys for blob in ranges[key].blobs]
    compared = known.result() if full else None
    return Stored(
        tuple(parts),
        tuple(blobs),
        ranges=len(pieces) - len(reused),
        skipped=len(reused),
        why_not=back.unchanged.why_not if back else "",
        contradicted=tuple(_contradicted(compared, pieces, ranges)),
    )


def _wait_for(
    futures: Iterable[Future[Any]],
    workers: Workers,
    begun: Iterable[tuple[Sequence[PartSpec], Future[StoredBatch]]],
) -> None:
    """Wait until all is done, or raise what went wrong first."""
    batches_ = {future: batch for batch, future in begun}
    for future in as_completed([*futures, *batches_]):
        if future in batches_:
            workers.merge(batches_[future], future)
        else:
            future.result()


def _look_back(
    snapshot: Snapshot, context: WorkerContext, parent: Manifest | None
) -> Parent | None:
    """Find out what has not changed, and let the WAL be sealed for the backups to come."""
    found = None
    with step("look back"):
        if parent:
            unchanged = snapshot.unchanged_since(parent)
            if unchanged.why_not:
                _log.info("every range is read: %s", unchanged.why_not)
            found = make_parent(parent, unchanged, context.dumper)
            prepare(found, context.writer)
        snapshot.wal()
    return found


def _store_stream(workers: Workers, spec: PartSpec) -> StoredPart:
    """Read a part that is one stream; store its blobs, several at once."""
    context = workers.context
    _log.info("storing %s", spec.kind)

    def store(chunk: list[bytes]) -> StoredBlob:
        blob = context.writer.put(chunk.pop())
        context.meter.add(spec, blob.ref.size_bytes)
        return blob

    counted: list[int | None] = []
    context.meter.begin(spec)
    with (
        step("store part", kind=spec.kind) as measured,
        context.dumper.reading() as reader,
        contextlib.closing(counting(reader.read(spec), counted)) as stream,
    ):
        chunks = chunked(stream, BLOB_BYTES, head=spec.head_bytes)
        blobs = tuple(_ordered(workers, store, chunks))
        measured.tell(**totals(blobs))
    rows = counted[0] if counted else None
    context.meter.end(spec, rows)
    return StoredPart(blobs, rows)


def _ordered(
    workers: Workers, store: Callable[[list[bytes]], StoredBlob], chunks: Iterable[bytes]
) -> Iterator[StoredBlob]:
    """Store chunks, and never have more in memory than there are packers."""
    waiting: deque[Future[StoredBlob]] = deque()
    most = min(workers.count, MOST_WORKERS)
    for chunk in chunks:
        # In a list, which is emptied: the pool would keep it until it is stored, and longer than it
        # is needed.
        waiting.append(workers.packers.submit(store, [chunk]))
        del chunk
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _results(
    context: WorkerContext,
    begun: Iterable[tuple[Sequence[PartSpec], Future[StoredBatch]]],
) -> Iterator[tuple[str, StoredPart]]:
    """Yield what came of each segment; what a worker got no lock for is read here."""
    for batch, future in begun:
        for spec, stored in zip(batch, future.result().parts, strict=True):
            yield spec.segment, stored or _store_here(context, spec)


def _store_here(context: WorkerContext, spec: PartSpec) -> StoredPart:
    (stored,) = store_batch(lambda: contextlib.nullcontext(context), [spec]).parts
    if stored is None:
        msg = "no worker could lock a table, although the snapshot's session should hold it"
        raise DumpFailed(msg, hint=DatabaseHint.BACK_UP_AGAIN)
    return stored


def _stream_part(spec: PartSpec, stored: StoredPart) -> Part:
    refs = tuple(blob.ref for blob in stored.blobs)
    return Part(spec.kind, sum(ref.size_bytes for ref in refs), refs)


def _segment(key: str, stored: StoredPart) -> Segment:
    return Segment(key, tuple(blob.ref for blob in stored.blobs), stored.rows)


def _contradicted(
    parent: Parent | None, pieces: Iterable[PartSpec], stored: Mapping[str, StoredPart]
) -> Iterator[PartSpec]:
    """Yield the segments that changed, although the WAL says not."""
    for piece in pieces:
        found = parent.find(piece) if parent else None
        if found:
            names = [blob.ref.name for blob in stored[piece.segment].blobs]
            if names != [ref.name for ref in found.blobs]:
                yield piece
