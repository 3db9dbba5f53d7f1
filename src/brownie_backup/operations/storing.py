"""Storing what a snapshot has: streams beside each other, and the ranges of bulk tables."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from attrs import field, frozen

from brownie_backup.model import Manifest, Part, PartSpec
from brownie_backup.operations.base import Base, make_base, prepare, reuse
from brownie_backup.operations.progress import PartMeter
from brownie_backup.operations.ranges import (
    Bench,
    OpenBench,
    StoredPart,
    batches,
    counting,
    cut,
    store_batch,
    store_part,
    table_part,
)
from brownie_backup.protocols import Snapshot
from brownie_backup.reports import TableRange
from brownie_backup.repository import BLOB_BYTES, MOST_WORKERS, StoredBlob
from brownie_backup.repository.blobs import chunked

_log = logging.getLogger(__name__)

_SIDE = 4
"""Threads beside the workers: the parts that are streams, and what waits for the WAL."""
_END_SECONDS = 60.0
"""How long a failed run waits for workers in other processes to end what they are at."""


@frozen
class Workers:
    """Who does the work of one run.

    Args:
        executor: runs ranges.
        open_bench: gives a worker there what it works with.
        bench: ours, in this process.
        count: how many ranges are worked on at once.
    """

    executor: Executor
    open_bench: OpenBench
    bench: Bench
    count: int
    side: ThreadPoolExecutor
    packers: ThreadPoolExecutor
    begun: list[Future[list[StoredPart | None]]] = field(factory=list, eq=False)

    def begin(self, batch: Sequence[PartSpec]) -> Future[list[StoredPart | None]]:
        """Give a batch of ranges to a worker."""
        future = self.executor.submit(store_batch, self.open_bench, batch)
        # What is read in another process is not told of while it is.
        future.add_done_callback(partial(_tell_of, self.bench.meter, batch))
        self.begun.append(future)
        return future


@contextlib.contextmanager
def employ(
    bench: Bench, count: int, executor: Executor | None, open_bench: OpenBench | None
) -> Iterator[Workers]:
    """Have workers while the block runs; at its end none is at work any more.

    The snapshot must be let go inside: that ends what threads of ours still read.
    """
    own = ThreadPoolExecutor(count, thread_name_prefix="range")
    # With one worker all goes one after the other.
    side = ThreadPoolExecutor(_SIDE if count > 1 else 1, thread_name_prefix="part")
    packers = ThreadPoolExecutor(min(count, MOST_WORKERS), thread_name_prefix="blob")
    workers = Workers(executor or own, open_bench or (lambda: bench), bench, count, side, packers)
    try:
        yield workers
    finally:
        bench.stopping.set()
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
    contradicted: tuple[TableRange, ...]
    """Ranges with other bytes, although the WAL shows no change."""


def store_snapshot(
    snapshot: Snapshot, workers: Workers, base: Manifest | None, *, full: bool
) -> Stored:
    """Store all parts of a snapshot.

    Args:
        snapshot: held by the caller.
        workers: who reads and stores.
        base: a backup whose unchanged ranges are used again.
        full: read them all the same, and compare.
    """
    meter = workers.bench.meter
    pieces = [piece for spec in snapshot.parts if spec.blocks for piece in cut(spec)]
    meter.plan([*pieces, *(spec for spec in snapshot.parts if spec.blocks is None)])
    known = workers.side.submit(_look_back, snapshot, workers.bench, base)
    streams = {
        spec: workers.side.submit(_store_stream, workers, spec)
        for spec in snapshot.parts
        if spec.blocks is None
    }
    back = known.result() if base and not full else None
    reused = {p: part for p in pieces if back and (part := reuse(back, workers.bench.writer, p))}
    for piece, part in reused.items():
        meter.end(piece, part.rows)
    begun = [
        (batch, workers.begin(batch))
        for batch in batches([p for p in pieces if p not in reused], workers.count)
    ]
    _wait_for([*streams.values(), *(future for _, future in begun), known])
    ranges = reused | dict(_results(workers.bench, begun))
    parts: list[Part] = []
    blobs: list[StoredBlob] = []
    for spec in snapshot.parts:
        if spec in streams:
            stored = streams[spec].result()
            parts.append(_stream_part(spec, stored))
            blobs += stored.blobs
        else:
            own = [(piece, ranges[piece]) for piece in cut(spec)]
            parts.append(table_part(spec, own))
            blobs += [blob for _, stored in own for blob in stored.blobs]
    compared = known.result() if full else None
    return Stored(
        tuple(parts),
        tuple(blobs),
        ranges=len(pieces) - len(reused),
        skipped=len(reused),
        why_not=back.unchanged.why_not if back else "",
        contradicted=tuple(_contradicted(compared, ranges)),
    )


def _tell_of(
    meter: PartMeter, batch: Sequence[PartSpec], future: Future[list[StoredPart | None]]
) -> None:
    if future.cancelled() or future.exception():
        return
    for spec, stored in zip(batch, future.result(), strict=True):
        if stored:
            meter.end(spec, stored.rows)


def _wait_for(futures: Iterable[Future[Any]]) -> None:
    """Wait until all is done, or raise what went wrong first."""
    done, _ = wait([*futures], return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _look_back(snapshot: Snapshot, bench: Bench, base: Manifest | None) -> Base | None:
    """Find out what has not changed, and let the WAL be sealed for the backups to come."""
    found = None
    if base:
        unchanged = snapshot.unchanged_since(base)
        if unchanged.why_not:
            _log.info("every range is read: %s", unchanged.why_not)
        found = make_base(base, unchanged)
        prepare(found, bench.writer)
    snapshot.wal()
    return found


def _store_stream(workers: Workers, spec: PartSpec) -> StoredPart:
    """Read a part that is one stream; store its blobs, several at once."""
    bench = workers.bench
    _log.info("storing %s", spec.kind)

    def store(chunk: list[bytes]) -> StoredBlob:
        blob = bench.writer.put(chunk.pop())
        bench.meter.add(spec, blob.ref.size_bytes)
        return blob

    counted: list[int | None] = []
    bench.meter.begin(spec)
    with (
        bench.dumper.reading() as reader,
        contextlib.closing(counting(reader.read(spec), counted)) as stream,
    ):
        chunks = chunked(stream, BLOB_BYTES, head=spec.head_bytes)
        blobs = tuple(_ordered(workers, store, chunks))
    rows = counted[0] if counted else None
    bench.meter.end(spec, rows)
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
    bench: Bench,
    begun: Iterable[tuple[Sequence[PartSpec], Future[list[StoredPart | None]]]],
) -> Iterator[tuple[PartSpec, StoredPart]]:
    """Yield what came of each range; what a worker got no lock for is read here."""
    for batch, future in begun:
        for spec, stored in zip(batch, future.result(), strict=True):
            yield spec, stored or _store_here(bench, spec)


def _store_here(bench: Bench, spec: PartSpec) -> StoredPart:
    with bench.dumper.reading() as reader:
        return store_part(bench, reader, spec, bytearray(BLOB_BYTES))


def _stream_part(spec: PartSpec, stored: StoredPart) -> Part:
    refs = tuple(blob.ref for blob in stored.blobs)
    return Part(spec.kind, sum(ref.size_bytes for ref in refs), refs)


def _contradicted(base: Base | None, ranges: Mapping[PartSpec, StoredPart]) -> Iterator[TableRange]:
    """Yield the ranges that changed, although the WAL says not."""
    for spec, stored in ranges.items():
        found = base.find(spec) if base else None
        if found and spec.table and spec.blocks:
            names = [ref.name for ref in found[1]]
            if names != [blob.ref.name for blob in stored.blobs]:
                yield TableRange(spec.table.oid, spec.blocks)
