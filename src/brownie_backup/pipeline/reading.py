"""Reading stored parts back, in order, a few blobs ahead."""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice

from attrs import frozen

from brownie_backup.concurrency.threads import Threads
from brownie_backup.errors import BackupError, DamagedError, DecryptionError
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef, Manifest, Part, PartKind, Segment
from brownie_backup.pipeline.progress import PartMeter
from brownie_backup.protocols import Dumper, Target
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.repository.blobs.sizes import MOST_WORKERS


def read_blobs(
    reader: BlobReader, refs: Iterable[BlobRef], *, jobs: int, on_bytes: Callable[[int], None]
) -> Generator[tuple[BlobRef, bytes | BackupError]]:
    """Yield each blob's plaintext, or the error, in order and a few blobs ahead."""

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


@frozen
class StoredPiece:
    """A stored part, or one segment of it, for progress."""

    name: str
    segment: str
    estimate_bytes: int


def whole(part: Part) -> StoredPiece:
    """Return a part that is read in one stream."""
    return StoredPiece(part.kind, "", part.size_bytes)


def pieces_to_load(parts: Iterable[Part], target: Target) -> Iterator[StoredPiece]:
    """Yield the segments that are wanted."""
    for part in parts:
        name = target.name_of(part)
        for segment in target.wanted(part):
            yield StoredPiece(name, segment.key, segment.size_bytes)


def read_part(reader: BlobReader, part: Part, *, jobs: int, meter: PartMeter) -> Iterator[bytes]:
    """Yield a part's plaintext, each blob checked before it is yielded; a bad one raises."""
    piece = whole(part)
    meter.begin(piece)
    on_bytes = partial(meter.add, piece)
    with contextlib.closing(read_blobs(reader, part.blobs, jobs=jobs, on_bytes=on_bytes)) as blobs:
        for _, outcome in blobs:
            if isinstance(outcome, BackupError):
                raise outcome
            yield outcome
    meter.end(piece, None)


Loadable = tuple[Segment, Iterable[bytes]]
"""A segment, and its bytes."""


@contextlib.contextmanager
def loading(
    reader: BlobReader, parts: Iterable[Part], target: Target, meter: PartMeter
) -> Iterator[list[tuple[Part, Iterator[Loadable]]]]:
    """Provide the wanted segments of each part, in order and a few ahead."""
    pool = Threads(MOST_WORKERS, thread_name_prefix="blob")
    try:
        yield [(part, _segments(reader, part, target, meter, pool)) for part in parts]
    finally:
        pool.shutdown(cancel_futures=True)


def _segments(
    reader: BlobReader, part: Part, target: Target, meter: PartMeter, pool: Threads
) -> Iterator[Loadable]:
    """Yield the segments of a part; the first blob of the next segment is read meanwhile."""
    name = target.name_of(part)

    def get(piece: StoredPiece, ref: BlobRef) -> bytes:
        data = reader.get(ref)
        meter.add(piece, ref.size_bytes)
        return data

    def read(
        piece: StoredPiece, first: Future[bytes], others: Iterable[BlobRef], rows: int | None
    ) -> Iterator[bytes]:
        meter.begin(piece)
        yield first.result()
        for ref in others:
            yield get(piece, ref)
        meter.end(piece, rows)

    waiting: deque[Loadable] = deque()
    for segment in target.wanted(part):
        piece = StoredPiece(name, segment.key, segment.size_bytes)
        first, *others = segment.blobs
        chunks = read(piece, pool.submit(get, piece, first), others, segment.rows)
        waiting.append((segment, chunks))
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def inventory_of(manifest: Manifest) -> Part:
    """Return the part that lists what a restore needs."""
    for part in manifest.parts:
        if part.kind == PartKind.INVENTORY:
            return part
    msg = f"the manifest of '{manifest.name}' names no inventory"
    raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)


def check_part(part: Part, dumper: Dumper, manifest: Manifest, chunks: Iterable[bytes]) -> None:
    """Read a part to its end; `DamagedError` if it is bad, or lists other parts."""
    if part.kind != PartKind.INVENTORY:
        dumper.check(part, chunks)
        return
    inventory = b"".join(chunks)
    dumper.check(part, [inventory])
    dumper.compare(inventory, manifest.parts)
