"""Make a backup."""

import contextlib
import logging
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version

from attrs import evolve

from brownie_backup.errors import BackupError
from brownie_backup.model import Attempt, Manifest, Part, PartSpec
from brownie_backup.names import check_labels, check_name, default_name
from brownie_backup.operations.mirrors import agree_on_identity, open_mirrors, publish
from brownie_backup.operations.progress import Meter, OnProgress
from brownie_backup.operations.sync import sync_backups
from brownie_backup.protocols import Dumper
from brownie_backup.reports import BackupReport, StoreOutcome, StoreSync
from brownie_backup.repository import (
    BLOB_BYTES,
    MOST_WORKERS,
    BlobWriter,
    Repository,
    Shelves,
    StoredBlob,
    watch,
)
from brownie_backup.repository.blobs import chunked

_log = logging.getLogger(__name__)


def create_backup(
    repository: Repository,
    dumper: Dumper,
    *,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    copies: Sequence[Repository] = (),
    jobs: int = 2,
    on_progress: OnProgress | None = None,
) -> BackupReport:
    """Back up a database.

    Blobs are compressed, encrypted and stored while the dump is still being read. Nothing of it
    is visible before the manifest is written, at the very end; a run that was cut off costs the
    next one nothing but the reading, since it finds its blobs there.

    With copies, one read of the database feeds all stores. One that fails, or is much slower than
    the others, is left behind; the report says which have the backup. A store that lacks blobs
    which others have gets them by copying, after the database has been read.

    Args:
        repository: where to.
        dumper: what from.
        name: of the backup; by default the database's, the time, and something unique.
        labels: anything that helps people find it again.
        copies: more repositories that are to have it.
        jobs: how many blobs are worked on at once, at most `MOST_WORKERS`.
        on_progress: called from several threads, with plaintext bytes of an estimated total.

    Raises:
        BackupExists: there is one of that name.
        InvalidName: some store could not hold the name or a label.
        Busy: in the first repository a sweep is running, or a backup of the same name.
        DumpFailed, ConnectionFailed, ProgramMissing: the database could not be read.
        EncryptionError, StoreError: a blob or the manifest could be stored nowhere.
    """
    labels = check_labels(labels or {})
    if name is not None:
        check_name(name)
    started_at = repository.clock()
    database = dumper.database_name()
    name = name or default_name(database, started_at, secrets.token_hex(2))
    repositories = watch((repository, *copies))
    workers = max(1, min(jobs, MOST_WORKERS))
    with open_mirrors(repositories, Attempt(database, name, started_at)) as mirrors:
        identity = agree_on_identity(mirrors)
        with dumper.snapshot() as snapshot:
            shelves = Shelves(tuple(mirror.shelf for mirror in mirrors))
            writer = repository.writer(shelves, identity)
            meter = Meter(on_progress, "backup", snapshot.database.size_bytes)
            parts, blobs = [], []
            for spec in snapshot.parts:
                _log.info("backup '%s': storing %s", name, spec.kind)
                stored = _store_part(dumper, writer, spec, workers, meter)
                parts.append(_part(spec, stored))
                blobs += stored
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
        publish(mirrors, manifest)
    report = evolve(_report(manifest, blobs), stores=tuple(m.outcome() for m in mirrors))
    return _with_earlier_ones(report, repositories) if copies else report


def _with_earlier_ones(report: BackupReport, repositories: Sequence[Repository]) -> BackupReport:
    """Copy what earlier runs left behind, and what this one did: a store may be back by now."""
    try:
        synced = sync_backups(repositories)
    except BackupError as error:  # the backup is made, all the same
        synced = tuple(StoreSync(r.store.url, problems=(str(error),)) for r in repositories)
    name = report.manifest.name
    stores = tuple(
        StoreOutcome(outcome.url, "", sync.copied_blobs, sync.copied_bytes)
        if name in sync.copied
        else outcome
        for outcome, sync in zip(report.stores, synced, strict=True)
    )
    return evolve(report, stores=stores, synced=synced)


def _store_part(
    dumper: Dumper, writer: BlobWriter, spec: PartSpec, workers: int, meter: Meter
) -> list[StoredBlob]:
    """Read a part and store its blobs, several at once and never more in memory than that."""

    def store(data: bytes) -> StoredBlob:
        blob = writer.put(data)
        meter.add(len(data))
        return blob

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
