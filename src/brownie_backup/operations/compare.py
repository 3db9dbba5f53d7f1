"""Compare a backup with its database: is what the WAL shows to be unchanged really as it was?"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait

from attrs import frozen

from brownie_backup.concurrency.threads import Threads
from brownie_backup.format.blobs import blob_name
from brownie_backup.hints import BackupHint
from brownie_backup.model import Manifest, PartSpec
from brownie_backup.model.reports import Comparison, TableRange
from brownie_backup.operations.find import ensure_kind, manifest_of
from brownie_backup.pipeline.parent import Parent, make_parent
from brownie_backup.pipeline.progress import OnProgress, PartMeter
from brownie_backup.pipeline.ranges import batches, counting
from brownie_backup.protocols import Dumper, Reader, Snapshot
from brownie_backup.repository import Repository
from brownie_backup.repository.blobs.chunks import refilled

_Content = tuple[int | None, tuple[str, ...]]
"""The number of rows of a range, and the names of its blobs."""


def compare_with_database(
    repository: Repository,
    dumper: Dumper,
    name: str,
    *,
    jobs: int = 2,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Read every range that the WAL shows to be unchanged since a backup, and compare it.

    It checks, for one database at one moment, the assumption that incremental backups rely on. It
    reads no blobs, and only computes their names again: it needs no key, and writes nothing.

    Args:
        repository: where the backup is.
        dumper: the dumper of the database that was backed up.
        name: of the backup, or ``latest``.
        jobs: how many ranges are read at once, each in a session of its own.
        on_progress: called from several threads, one at a time.

    Raises:
        BackupNotFound: no backup has that name.
        DamagedError, UnsupportedFormat: the manifest can't be read, or is of another kind.
        DumpFailed, ConnectionFailed, ProgramMissing: the database could not be read.
    """
    backup = repository.backup(name, kind=dumper.kind)
    manifest = manifest_of(backup, hint=BackupHint.COMPARE_ANOTHER)
    ensure_kind(manifest, dumper.kind, "compared")
    total = sum(1 for part in manifest.parts for _ in dumper.segments(part) or ())
    count = max(1, jobs)
    # The order matters: reads still running when something fails end with the snapshot.
    with Threads(count, thread_name_prefix="range") as pool, dumper.snapshot() as held:
        parent, why_not = _unchanged(dumper, held, manifest)
        pieces = _pieces(dumper, held, parent) if parent else []
        work = _Work(
            dumper, manifest, PartMeter(on_progress, "compare"), repository.tuning.blob_bytes
        )
        work.meter.plan(pieces)
        found = _read_all(pool, work, pieces, count)
    return Comparison(
        backup=manifest.name,
        compared_ranges=len(pieces),
        total_ranges=total,
        differences=tuple(_differences(dumper, parent, found)) if parent else (),
        why_not="" if pieces else why_not or "all of them may have changed since",
    )


def _unchanged(dumper: Dumper, snapshot: Snapshot, manifest: Manifest) -> tuple[Parent | None, str]:
    """Return which ranges are unchanged since a backup, or why this is unknown."""
    if not manifest.backup_set.is_of(snapshot.database.id):
        return None, f"it is a backup of {manifest.backup_set}, not of {snapshot.database.id}"
    if all(dumper.segments(part) is None for part in manifest.parts):
        return None, "the backup has no large tables"
    unchanged = snapshot.unchanged_since(manifest)
    return make_parent(manifest, unchanged, dumper), unchanged.why_not


def _pieces(dumper: Dumper, snapshot: Snapshot, parent: Parent) -> list[PartSpec]:
    pieces = (piece for spec in snapshot.parts for piece in dumper.split(spec) or ())
    return [piece for piece in pieces if parent.find(piece)]


@frozen
class _Work:
    """The context of a worker."""

    dumper: Dumper
    manifest: Manifest
    meter: PartMeter
    blob_bytes: int

    def read_batch(self, pieces: Sequence[PartSpec]) -> list[_Content]:
        """Read ranges in one session."""
        buffer = bytearray(self.blob_bytes)
        with self.dumper.reading() as reader:
            return [self._read(reader, piece, buffer) for piece in pieces]

    def _read(self, reader: Reader, piece: PartSpec, buffer: bytearray) -> _Content:
        key, manifest = bytes.fromhex(self.manifest.hash_key), self.manifest
        counted: list[int | None] = []
        names = []
        self.meter.begin(piece)
        for chunk in refilled(counting(reader.read(piece), counted), lambda: buffer):
            names.append(blob_name(chunk, key, manifest.compression, manifest.encryption))
            self.meter.add(piece, len(chunk))
        if not names:  # a backup records a range without rows like this
            names.append(blob_name(b"", key, manifest.compression, manifest.encryption))
        self.meter.end(piece, counted[0])
        return counted[0], tuple(names)


def _read_all(
    pool: Threads, work: _Work, pieces: Sequence[PartSpec], count: int
) -> Mapping[PartSpec, _Content]:
    begun: list[tuple[Sequence[PartSpec], Future[list[_Content]]]] = [
        (batch, pool.submit(work.read_batch, batch)) for batch in batches(pieces, count)
    ]
    done, waiting = wait([future for _, future in begun], return_when=FIRST_EXCEPTION)
    for future in waiting:
        future.cancel()
    for future in done:
        future.result()
    return {
        piece: content
        for batch, future in begun
        for piece, content in zip(batch, future.result(), strict=True)
    }


def _differences(
    dumper: Dumper, parent: Parent, found: Mapping[PartSpec, _Content]
) -> Iterator[TableRange]:
    for piece, content in found.items():
        recorded = parent.find(piece)
        if recorded and content != (recorded.rows, tuple(ref.name for ref in recorded.blobs)):
            yield dumper.locate(piece)
