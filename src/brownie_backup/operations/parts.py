"""Reading stored parts back, in order, with a few blobs ahead."""

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from attrs import evolve

from brownie_backup.errors import BackupError, DamagedError, DecryptionError
from brownie_backup.model import BlobRef, Manifest, Part, PartKind, PartSpec
from brownie_backup.operations.progress import Meter
from brownie_backup.operations.ranges import ranges_of
from brownie_backup.repository.blobs import MOST_WORKERS, BlobReader


def read_blobs(
    reader: BlobReader, refs: Iterable[BlobRef], *, jobs: int, meter: Meter
) -> Generator[tuple[BlobRef, bytes | BackupError]]:
    """Yield each blob's plaintext, or why there is none, in order and a few blobs ahead."""

    def get(ref: BlobRef) -> bytes | BackupError:
        try:
            return reader.get(ref)
        except (DamagedError, DecryptionError) as error:
            return error

    jobs = max(1, min(jobs, MOST_WORKERS))
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="blob")
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
            meter.add(ref.size_bytes)
            yield ref, outcome
            del outcome, future
    finally:
        pool.shutdown(cancel_futures=True)


def read_part(reader: BlobReader, part: Part, *, jobs: int, meter: Meter) -> Iterator[bytes]:
    """Yield a part's plaintext, each blob proven before it is yielded; the first bad one raises."""
    with contextlib.closing(read_blobs(reader, part.blobs, jobs=jobs, meter=meter)) as blobs:
        for _, outcome in blobs:
            if isinstance(outcome, BackupError):
                raise outcome
            yield outcome


@contextlib.contextmanager
def loading(
    reader: BlobReader, manifest: Manifest, meter: Meter
) -> Iterator[dict[int, Iterator[tuple[PartSpec, Iterable[bytes]]]]]:
    """Have, by the oid of each bulk table, its ranges, in order and a few ahead."""
    pool = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="blob")
    try:
        yield {
            part.table.oid: _ranges(reader, part, spec_of(part, manifest), meter, pool)
            for part in manifest.parts
            if part.table
        }
    finally:
        pool.shutdown(cancel_futures=True)


def _ranges(
    reader: BlobReader, part: Part, spec: PartSpec, meter: Meter, pool: ThreadPoolExecutor
) -> Iterator[tuple[PartSpec, Iterable[bytes]]]:
    """Yield the ranges of a table; the first blob of the next one is read meanwhile."""

    def get(ref: BlobRef) -> bytes:
        data = reader.get(ref)
        meter.add(ref.size_bytes)
        return data

    def rows(first: Future[bytes], others: Iterable[BlobRef]) -> Iterator[bytes]:
        yield first.result()
        for ref in others:
            yield get(ref)

    waiting: deque[tuple[PartSpec, Iterator[bytes]]] = deque()
    for begins, (first, *others) in ranges_of(part):
        piece = evolve(spec, blocks=begins.blocks, rows=begins.rows)
        waiting.append((piece, rows(pool.submit(get, first), others)))
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def spec_of(part: Part, manifest: Manifest) -> PartSpec:
    """Return the description of a stored part."""
    return PartSpec(part.kind, manifest.database.name, table=part.table, rows=part.rows)


def inventory_of(manifest: Manifest) -> Part:
    """Return the part that says what a restore needs."""
    for part in manifest.parts:
        if part.kind == PartKind.INVENTORY:
            return part
    msg = f"the manifest of '{manifest.name}' names no inventory"
    raise DamagedError(msg, hint="Restore another backup")
