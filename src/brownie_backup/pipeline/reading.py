"""Reading stored parts back, in order, with a few blobs ahead."""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import islice

from attrs import evolve

from brownie_backup.concurrency.threads import Threads
from brownie_backup.errors import BackupError, DamagedError, DecryptionError
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef, Manifest, Part, PartKind, PartSpec, Relation
from brownie_backup.pipeline.progress import PartMeter
from brownie_backup.pipeline.ranges import ranges_of
from brownie_backup.repository.blobs.naming import MOST_WORKERS
from brownie_backup.repository.blobs.reader import BlobReader


def read_blobs(
    reader: BlobReader, refs: Iterable[BlobRef], *, jobs: int, on_bytes: Callable[[int], None]
) -> Generator[tuple[BlobRef, bytes | BackupError]]:
    """Yield each blob's plaintext, or why there is none, in order and a few blobs ahead."""

    def get(ref: BlobRef) -> bytes | BackupError:
        try:
            return reader.get(ref)
        except (DamagedError, DecryptionError) as error:
            return error

    jobs = max(1, min(jobs, MOST_WORKERS))
    pool = Threads(jobs, thread_name_prefix="blob")
    waiting: deque[tuple[BlobRef, Future[bytes | BackupError]]] = deque()
    upcoming = iter(refs)
    try:
        while True:
            for ref in islice(upcoming, jobs - len(waiting)):
                waiting.append((ref, pool.submit(get, ref)))
            if not waiting:
                return
            ref, future = waiting.popleft()
            outcome = future.result()
            on_bytes(ref.size_bytes)
            yield ref, outcome
            del outcome, future
    finally:
        pool.shutdown(cancel_futures=True)


def read_part(
    reader: BlobReader, part: Part, spec: PartSpec, *, jobs: int, meter: PartMeter
) -> Iterator[bytes]:
    """Yield a part's plaintext, each blob proven before it is yielded; the first bad one raises."""
    meter.begin(spec)
    on_bytes = partial(meter.add, spec)
    with contextlib.closing(read_blobs(reader, part.blobs, jobs=jobs, on_bytes=on_bytes)) as blobs:
        for _, outcome in blobs:
            if isinstance(outcome, BackupError):
                raise outcome
            yield outcome
    meter.end(spec, None)


@contextlib.contextmanager
def loading(
    reader: BlobReader, manifest: Manifest, meter: PartMeter
) -> Iterator[dict[int, Iterator[tuple[PartSpec, Iterable[bytes]]]]]:
    """Have, by the oid of each bulk table, its ranges, in order and a few ahead."""
    pool = Threads(MOST_WORKERS, thread_name_prefix="blob")
    try:
        yield {
            part.table.oid: _ranges(reader, part, spec_of(part, manifest), meter, pool)
            for part in manifest.parts
            if part.table
        }
    finally:
        pool.shutdown(cancel_futures=True)


def _ranges(
    reader: BlobReader, part: Part, spec: PartSpec, meter: PartMeter, pool: Threads
) -> Iterator[tuple[PartSpec, Iterable[bytes]]]:
    """Yield the ranges of a table; the first blob of the next one is read meanwhile."""

    def get(piece: PartSpec, ref: BlobRef) -> bytes:
        data = reader.get(ref)
        meter.add(piece, ref.size_bytes)
        return data

    def rows(piece: PartSpec, first: Future[bytes], others: Iterable[BlobRef]) -> Iterator[bytes]:
        meter.begin(piece)
        yield first.result()
        for ref in others:
            yield get(piece, ref)
        meter.end(piece, piece.rows)

    waiting: deque[tuple[PartSpec, Iterator[bytes]]] = deque()
    for begins, (first, *others) in ranges_of(part):
        piece = evolve(spec, blocks=begins.blocks, rows=begins.rows)
        waiting.append((piece, rows(piece, pool.submit(get, piece, first), others)))
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def spec_of(part: Part, manifest: Manifest) -> PartSpec:
    """Return the description of a stored part."""
    return PartSpec(part.kind, manifest.database.name, table=part.table, rows=part.rows)


def whole_parts(manifest: Manifest) -> Iterator[PartSpec]:
    """Yield the parts that are no tables, with their sizes."""
    for part in manifest.parts:
        if part.table is None:
            yield evolve(spec_of(part, manifest), estimate_bytes=part.size_bytes)


def ranges_to_load(manifest: Manifest, relations: Mapping[int, Relation]) -> Iterator[PartSpec]:
    """Yield the ranges of these tables, with their sizes."""
    for part in manifest.parts:
        if part.table is None or part.table.oid not in relations:
            continue
        spec = evolve(spec_of(part, manifest), relation=relations[part.table.oid])
        for begins, refs in ranges_of(part):
            size = sum(ref.size_bytes for ref in refs)
            yield evolve(spec, blocks=begins.blocks, rows=begins.rows, estimate_bytes=size)


def inventory_of(manifest: Manifest) -> Part:
    """Return the part that says what a restore needs."""
    for part in manifest.parts:
        if part.kind == PartKind.INVENTORY:
            return part
    msg = f"the manifest of '{manifest.name}' names no inventory"
    raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
