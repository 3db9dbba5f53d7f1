"""Reading stored parts back, in order, with a few blobs ahead."""

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from brownie_backup.errors import BackupError, DamagedError, DecryptionError
from brownie_backup.model import BlobRef, Manifest, Part, PartKind, PartSpec
from brownie_backup.operations.progress import Meter
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
