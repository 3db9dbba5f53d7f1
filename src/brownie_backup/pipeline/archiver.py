"""Storing the parts of a snapshot: streams and the ranges of large tables, in parallel."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from typing import Any, TypeVar

from attrs import frozen

from brownie_backup.errors import DumpFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.model import Manifest, Part, PartKind, PartSpec, Segment
from brownie_backup.pipeline.parent import Parent, make_parent, prepare, reuse
from brownie_backup.pipeline.ranges import (
    StoredBatch,
    StoredPart,
    WorkerContext,
    batches,
    store_batch,
    store_stream,
    totals,
)
from brownie_backup.pipeline.worker_pool import Workers
from brownie_backup.pipeline.writer import StoredBlob
from brownie_backup.protocols import Dumper, Snapshot
from brownie_backup.repository import MOST_WORKERS
from brownie_backup.repository.blobs.chunks import chunked
from brownie_backup.tracing import step

_log = logging.getLogger(__name__)

T = TypeVar("T")

_StoredPart = tuple[Part, tuple[StoredBlob, ...]]
"""A part as the manifest has it, and its blobs."""


@frozen
class Stored:
    """What a run has stored, and what it has learnt about the parent."""

    parts: tuple[Part, ...]
    blobs: tuple[StoredBlob, ...]
    ranges: int
    """How many ranges were read."""
    skipped: int
    """How many ranges were skipped."""
    why_not: str
    """Why the parent could not save reading any."""
    contradicted: tuple[PartSpec, ...]
    """Segments whose bytes differ, although the WAL shows no change."""


def store_snapshot(
    snapshot: Snapshot, workers: Workers, parent: Manifest | None, *, full: bool
) -> Stored:
    """Store all parts of a snapshot.

    Args:
        snapshot: held by the caller.
        workers: the workers that read and store.
        parent: a backup whose unchanged ranges are reused.
        full: read unchanged ranges anyway, and compare them.
    """
    meter = workers.context.meter
    dumper = workers.context.dumper
    cuts = {spec: tuple(own) for spec in snapshot.parts if (own := dumper.split(spec)) is not None}
    pieces = [piece for own in cuts.values() for piece in own]
    meter.plan([*pieces, *(spec for spec in snapshot.parts if spec not in cuts)])
    known = workers.side.submit(_look_back, snapshot, workers.context, parent)
    inventories = _begin(_read_whole, workers, filter(_is_inventory, snapshot.parts))
    others = [spec for spec in snapshot.parts if spec not in inventories]
    streams = _begin(_store_stream, workers, (spec for spec in others if spec not in cuts))
    back = known.result() if parent and not full else None
    reused = _reuse(back, workers.context, pieces) if back else {}
    begun = [
        (batch, workers.begin(batch))
        for batch in batches([p for p in pieces if p.segment not in reused], workers.count)
    ]
    _wait_for([*streams.values(), *inventories.values(), known], workers, begun)
    ranges = reused | dict(_results(workers.context, begun))
    stored = {spec: future.result() for spec, future in streams.items()}
    parts = _parts(others, stored, cuts, ranges, dumper)
    parts[:0] = [_store_inventory(workers, s, f.result(), parts) for s, f in inventories.items()]
    compared = known.result() if full else None
    return Stored(
        tuple(part for part, _ in parts),
        tuple(blob for _, blobs in parts for blob in blobs),
        ranges=len(pieces) - len(reused),
        skipped=len(reused),
        why_not=back.unchanged.why_not if back else "",
        contradicted=tuple(_contradicted(compared, pieces, ranges)),
    )


def _is_inventory(spec: PartSpec) -> bool:
    """Whether it lists the other parts: it is read with them, and stored after them."""
    return spec.kind == PartKind.INVENTORY


def _begin(
    work: Callable[[Workers, PartSpec], T], workers: Workers, specs: Iterable[PartSpec]
) -> dict[PartSpec, Future[T]]:
    return {spec: workers.side.submit(work, workers, spec) for spec in specs}


def _reuse(
    parent: Parent, context: WorkerContext, pieces: Iterable[PartSpec]
) -> dict[str, StoredPart]:
    """Return the unchanged segments, by their keys."""
    reused: dict[str, StoredPart] = {}
    for piece in pieces:
        if part := reuse(parent, context.writer, piece):
            reused[piece.segment] = part
            context.meter.end(piece, part.rows)
    return reused


def _parts(
    specs: Iterable[PartSpec],
    streams: Mapping[PartSpec, StoredPart],
    cuts: Mapping[PartSpec, Sequence[PartSpec]],
    ranges: Mapping[str, StoredPart],
    dumper: Dumper,
) -> list[_StoredPart]:
    """Return the parts for the manifest, in order, each with its blobs."""
    parts: list[_StoredPart] = []
    for spec in specs:
        if spec in streams:
            parts.append((_stream_part(spec, streams[spec]), streams[spec].blobs))
        else:
            keys = [piece.segment for piece in cuts[spec]]
            part = dumper.join(spec, [_segment(key, ranges[key]) for key in keys])
            parts.append((part, tuple(blob for key in keys for blob in ranges[key].blobs)))
    return parts


def _wait_for(
    futures: Iterable[Future[Any]],
    workers: Workers,
    begun: Iterable[tuple[Sequence[PartSpec], Future[StoredBatch]]],
) -> None:
    """Wait until everything is done, or raise the first error."""
    batches_ = {future: batch for batch, future in begun}
    for future in as_completed([*futures, *batches_]):
        if future in batches_:
            workers.merge(batches_[future], future)
        else:
            future.result()


def _look_back(
    snapshot: Snapshot, context: WorkerContext, parent: Manifest | None
) -> Parent | None:
    """Find out which segments are unchanged, and let the WAL be sealed for later backups."""
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


def _read_whole(workers: Workers, spec: PartSpec) -> bytes:
    workers.context.meter.begin(spec)
    with workers.context.dumper.reading() as reader:
        return b"".join(reader.read(spec))


def _store_inventory(
    workers: Workers, spec: PartSpec, data: bytes, parts: Iterable[_StoredPart]
) -> _StoredPart:
    """Store an inventory that lists the other parts."""
    context = workers.context
    data = context.dumper.complete(data, [part for part, _ in parts])
    chunks = chunked([data], context.writer.blob_bytes, head=spec.head_bytes)
    with step("store part", kind=spec.kind) as measured:
        stored = StoredPart(tuple(map(context.writer.put, chunks)))
        measured.tell(**totals(stored.blobs))
    context.meter.add(spec, len(data))
    context.meter.end(spec, None)
    return _stream_part(spec, stored), stored.blobs


def _store_stream(workers: Workers, spec: PartSpec) -> StoredPart:
    _log.debug("storing %s", spec.kind)
    return store_stream(workers.context, spec, min(workers.count, MOST_WORKERS))


def _results(
    context: WorkerContext,
    begun: Iterable[tuple[Sequence[PartSpec], Future[StoredBatch]]],
) -> Iterator[tuple[str, StoredPart]]:
    """Yield the outcome of each segment; read here what a worker could not lock."""
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
    """Yield the segments that changed, although the WAL shows no change."""
    for piece in pieces:
        found = parent.find(piece) if parent else None
        if found:
            names = [blob.ref.name for blob in stored[piece.segment].blobs]
            if names != [ref.name for ref in found.blobs]:
                yield piece
