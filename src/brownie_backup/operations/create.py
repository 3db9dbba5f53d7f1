"""Make a backup."""

import contextlib
import logging
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from importlib.metadata import version

from brownie_backup.errors import BackupExists
from brownie_backup.model import Manifest, Part, PartSpec
from brownie_backup.names import check_labels, check_name, default_name
from brownie_backup.operations.progress import Meter, OnProgress
from brownie_backup.protocols import Dumper
from brownie_backup.reports import BackupReport
from brownie_backup.repository import (
    BLOB_BYTES,
    MOST_WORKERS,
    BlobWriter,
    Lease,
    Repository,
    StoredBlob,
)
from brownie_backup.repository.blobs import chunked

_log = logging.getLogger(__name__)


def create_backup(
    repository: Repository,
    dumper: Dumper,
    *,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    jobs: int = 2,
    on_progress: OnProgress | None = None,
) -> BackupReport:
    """Back up a database.

    Blobs are compressed, encrypted and stored while the dump is still being read. Nothing of it
    is visible before the manifest is written, at the very end; a run that was cut off costs the
    next one nothing but the reading, since it finds its blobs there.

    Args:
        repository: where to.
        dumper: what from.
        name: of the backup; by default the database's, the time, and something unique.
        labels: anything that helps people find it again.
        jobs: how many blobs are worked on at once, at most `MOST_WORKERS`.
        on_progress: called from several threads, with plaintext bytes of an estimated total.

    Raises:
        BackupExists: there is one of that name.
        InvalidName: some store could not hold the name or a label.
        Busy: a sweep is running, or a backup of the same name.
        DumpFailed, ConnectionFailed, ProgramMissing: the database could not be read.
        EncryptionError, StoreError: a blob or the manifest could not be stored.
    """
    labels = check_labels(labels or {})
    started_at = repository.clock()
    if name is None:
        name = default_name(dumper.database_name(), started_at, secrets.token_hex(2))
    elif repository.exists(check_name(name)):
        msg = f"a backup named '{name}' exists in {repository.store.url}"
        raise BackupExists(msg, hint="Choose another name, or leave it out")
    with (
        _attempt(repository, dumper, name, started_at) as lease,
        dumper.snapshot() as snapshot,
    ):
        writer = repository.writer()
        meter = Meter(on_progress, "backup", snapshot.database.size_bytes)
        parts, blobs = [], []
        for spec in snapshot.parts:
            _log.info("backup '%s': storing %s", name, spec.kind)
            stored = _store_part(dumper, writer, spec, jobs, meter)
            parts.append(_part(spec, stored))
            blobs += stored
        identity = repository.identity()
        manifest = Manifest(
            name=name,
            id=str(uuid.uuid4()),
            kind=dumper.kind,
            repository_id=identity.id,
            hash_key=identity.hash_key,
            started_at=started_at,
            finished_at=repository.clock(),
            database=snapshot.database,
            compression=repository.compressor.name,
            encryption=writer.encryption,
            parts=tuple(parts),
            new_bytes=sum(blob.ref.stored_bytes for blob in blobs if blob.new),
            tool_version=version("brownie-backup"),
            labels=labels,
            notes=snapshot.notes,
        )
        lease.ensure_held()
        repository.add(manifest)
        _log.info("backup '%s' exists in %s", name, repository.store.url)
    return _report(manifest, blobs)


@contextlib.contextmanager
def _attempt(
    repository: Repository, dumper: Dumper, name: str, started_at: datetime
) -> Iterator[Lease]:
    """Hold the lease, and write down that we begin: should we fail, retention deletes nothing."""
    with repository.shared_lease(f"backup '{name}'", backup=name) as lease:
        repository.record_attempt(dumper.database_name(), name, started_at)
        yield lease


def _store_part(
    dumper: Dumper, writer: BlobWriter, spec: PartSpec, jobs: int, meter: Meter
) -> list[StoredBlob]:
    """Read a part and store its blobs, several at once and never more in memory than that."""

    def store(data: bytes) -> StoredBlob:
        blob = writer.put(data)
        meter.add(len(data))
        return blob

    workers = max(1, min(jobs, MOST_WORKERS))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="blob")
    try:
        with contextlib.closing(dumper.read(spec)) as stream:
            chunks = chunked(stream, BLOB_BYTES, head=spec.head_bytes)
            return list(_ordered(pool, store, chunks, workers))
    finally:
        pool.shutdown(cancel_futures=True)


def _ordered(
    pool: ThreadPoolExecutor,
    store: Callable[[bytes], StoredBlob],
    chunks: Iterable[bytes],
    workers: int,
) -> Iterator[StoredBlob]:
    waiting: deque[Future[StoredBlob]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(store, chunk))
        del chunk
        if len(waiting) >= workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _part(spec: PartSpec, blobs: list[StoredBlob]) -> Part:
    refs = tuple(blob.ref for blob in blobs)
    size = sum(ref.size_bytes for ref in refs)
    return Part(spec.kind, size, refs, block_range=spec.block_range)


def _report(manifest: Manifest, blobs: list[StoredBlob]) -> BackupReport:
    new = [blob.ref for blob in blobs if blob.new]
    reused = [blob.ref for blob in blobs if not blob.new]
    return BackupReport(
        manifest,
        new_blobs=len(new),
        new_bytes=sum(ref.stored_bytes for ref in new),
        reused_blobs=len(reused),
        reused_bytes=sum(ref.stored_bytes for ref in reused),
    )
