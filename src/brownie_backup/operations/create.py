"""Make a backup."""

import logging
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta

from attrs import evolve, frozen

from brownie_backup.format.mac import with_mac
from brownie_backup.format.names import check_labels, check_name, default_name
from brownie_backup.model import Attempt, BackupSet, Database, Manifest, WalPosition
from brownie_backup.model.reports import BackupReport, StoreOutcome, TableRange
from brownie_backup.operations.doubts import find_doubts
from brownie_backup.pipeline.archiver import Stored, store_snapshot
from brownie_backup.pipeline.catch_up import catch_up
from brownie_backup.pipeline.parent import (
    FULL_EVERY,
    FoundParent,
    ParentFinder,
    find_parent,
    full_read_due,
    of_another_key,
    read_fully_at,
)
from brownie_backup.pipeline.progress import Meter, OnProgress, PartMeter
from brownie_backup.pipeline.ranges import WorkerContext
from brownie_backup.pipeline.replicas import ReplicaSet, open_replicas
from brownie_backup.pipeline.worker_pool import Workers, check_executor, worker_pool
from brownie_backup.pipeline.workers import WorkerFactory, make_task
from brownie_backup.pipeline.writer import BlobWriter, open_writer
from brownie_backup.protocols import Dumper, Snapshot
from brownie_backup.repository import Identity, Repository, with_deadlines
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.tracing import step
from brownie_backup.version import TOOL_VERSION
from brownie_backup.wording import written

_log = logging.getLogger(__name__)

MOST_JOBS = 64
"""The most ranges that are read at once."""


def create_backup(
    repository: Repository,
    dumper: Dumper,
    *,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    copies: Sequence[Repository] = (),
    policies: Sequence[RetentionPolicy] | None = None,
    jobs: int = 2,
    full: bool = False,
    full_every: timedelta | None = FULL_EVERY,
    executor: Executor | None = None,
    worker_factory: WorkerFactory | None = None,
    on_progress: OnProgress | None = None,
) -> BackupReport:
    """Back up a database.

    Blobs are compressed, encrypted and stored while the dump is still being read. Nothing of it is
    visible until the manifest is written, at the very end. After an interrupted run, the next one
    only has to read the data again, since it finds the stored blobs.

    With copies, one read of the database feeds all stores. A store that fails, or is much slower
    than the others, is left behind; the report says which stores have the backup. A store that
    lacks blobs gets them from the other stores, after the database has been read.

    Args:
        repository: where to store the backup.
        dumper: reads the database.
        name: of the backup; by default the database's, the time, and something unique.
        labels: anything that helps to find it again.
        copies: more repositories that should have it.
        policies: which backups each store keeps, the repository's first: a store that was left
            behind gets only the backups that its policy keeps. By default, the default policy.
        jobs: how many ranges of large tables are read at once, each in a session of its own; at
            most `MOST_JOBS`.
        full: read all ranges, even those that the WAL shows to be unchanged.
        full_every: read all ranges if the last full read is this long ago; None for never.
        executor: runs the workers that read ranges, in place of our own threads: any
            `concurrent.futures.Executor`, including Dask's, but no pool that forks. The caller has
            to shut it down. `jobs` should be its number of workers: the work is divided by it.
        worker_factory: makes the context of the executor's workers in their own processes, since no
            secret is sent there. It is a picklable function without arguments that returns a
            context manager of the repositories (this one, then the copies) and the dumper, such as
            `brownie_backup.config.make_worker`. Only a `ThreadPoolExecutor` needs none.
        on_progress: called from several threads, one at a time.

    Raises:
        ConfigurationError: the repository is open for reading only; or an executor needs a worker
            factory, or forks, or its workers have other stores or keys.
        BackupExists: a backup has that name.
        InvalidName: some store could not hold the name or a label.
        Busy: a sweep, or a backup of the same name, is running in the first repository.
        DumpFailed, ConnectionFailed, ProgramMissing: the database could not be read, or a worker
            of the executor was lost.
        EncryptionError, StoreError: no store took a blob or the manifest.
    """
    check_executor(executor, worker_factory)
    repository.codecs.for_writing()  # before anything is written
    labels = check_labels(labels or {})
    if name is not None:
        check_name(name)
    started_at = repository.clock()
    database = dumper.database_name()
    name = name or default_name(database, started_at, secrets.token_hex(2))
    repositories = with_deadlines((repository, *copies))
    count = max(1, min(jobs, MOST_JOBS))
    finders = [ParentFinder() for _ in repositories]
    looks = [finder.add for finder in finders]
    attempt = Attempt(database, name, started_at, dumper.kind)
    with open_replicas(repositories, attempt, looks) as replicas:
        identity = replicas.agree_on_identity()
        writer = open_writer(repository, replicas, identity)
        context = WorkerContext(dumper, writer, PartMeter(on_progress, "backup"))
        task = make_task(worker_factory, writer, identity, repository.tuning)
        with worker_pool(context, count, executor, task) as workers, step("read database"):
            read = _read_database(
                workers,
                finders,
                repository,
                started_at=started_at,
                full=full,
                full_every=full_every,
            )
        for doubt in read.doubts:
            _log.error("%s", doubt)
        manifest = _manifest(read, repository, writer, identity, name=name, labels=labels)
        with step("publish"):
            replicas.publish(manifest)
        report = _report(manifest, read, replicas, asked=full)
        return _with_earlier_ones(report, replicas, policies) if copies else report


@frozen
class _Read:
    """What a run has read of a database, and how it read it."""

    kind: str
    database: Database
    notes: tuple[str, ...]
    stored: Stored
    contradictions: tuple[TableRange, ...]
    wal: WalPosition | None
    started_at: datetime
    parent: Manifest | None
    due: bool
    """Whether every block was due to be read again."""
    forged: Manifest | None
    """A backup that would be the parent, if it had not been changed."""
    of_another_key: Manifest | None
    """The last good backup of the database, if it is encrypted with another key."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Reasons to doubt earlier backups."""
        return tuple(find_doubts(self.parent, self.forged, self.contradictions))


def _read_database(
    workers: Workers,
    finders: Sequence[ParentFinder],
    repository: Repository,
    *,
    started_at: datetime,
    full: bool,
    full_every: timedelta | None,
) -> _Read:
    context, dumper = workers.context, workers.context.dumper
    with dumper.snapshot() as snapshot:
        found = _find_parent(finders, context, snapshot, repository)
        parent = found.manifest
        due = full_read_due(parent, started_at, full_every)
        stored = store_snapshot(snapshot, workers, parent, full=full or due)
        wal = snapshot.wal()
        database = snapshot.database
    return _Read(
        dumper.kind,
        database,
        snapshot.notes,
        stored,
        tuple(map(dumper.locate, stored.contradicted)),
        wal,
        started_at,
        parent,
        due,
        found.forged,
        of_another_key(finders, context.writer, _set_of(snapshot, dumper)),
    )


def _set_of(snapshot: Snapshot, dumper: Dumper) -> BackupSet:
    database = snapshot.database_id
    return BackupSet(database.system_identifier, database.name, dumper.kind)


def _find_parent(
    finders: Sequence[ParentFinder],
    context: WorkerContext,
    snapshot: Snapshot,
    repository: Repository,
) -> FoundParent:
    """Find the parent of a run, if anything is read in segments."""
    if all(context.dumper.split(part) is None for part in snapshot.parts):
        return FoundParent()
    ours = _set_of(snapshot, context.dumper)
    return find_parent(finders, repository, context.writer, ours)


def _manifest(
    read: _Read,
    repository: Repository,
    writer: BlobWriter,
    identity: Identity,
    *,
    name: str,
    labels: Mapping[str, str],
) -> Manifest:
    parent, stored = read.parent, read.stored
    manifest = Manifest(
        name=name,
        id=str(uuid.uuid4()),
        kind=read.kind,
        repository_id=identity.id,
        hash_key=identity.hash_key,
        started_at=read.started_at,
        finished_at=repository.clock(),
        database=read.database,
        compression=writer.compressor.name,
        encryption=writer.encryption,
        parts=stored.parts,
        new_bytes=sum(blob.ref.stored_bytes for blob in stored.blobs if blob.new),
        tool_version=TOOL_VERSION,
        labels=labels,
        notes=(*read.notes, *read.doubts),
        wal=read.wal,
        read_fully_at=read_fully_at(parent) if parent and stored.skipped else None,
    )
    if read.wal is None:  # no later backup takes anything from it
        return manifest
    return with_mac(manifest, repository.mac_key(writer.hash_key))


def _with_earlier_ones(
    report: BackupReport, replicas: ReplicaSet, policies: Sequence[RetentionPolicy] | None
) -> BackupReport:
    """Copy blobs that earlier runs or this one left behind: a store may be back by now."""
    with step("sync"):
        replicas.rejoin()
        synced = catch_up(replicas, policies, Meter(None, "sync", None))
    name = report.manifest.name
    stores = tuple(
        StoreOutcome(outcome.url, None, sync.copied_blobs, sync.copied_bytes)
        if name in sync.copied
        else outcome
        for outcome, sync in zip(report.stores, synced, strict=True)
    )
    return evolve(report, stores=stores, synced=synced)


def _why_all(read: _Read, *, asked: bool) -> str:
    """Return why every range was read, if there are any."""
    if read.stored.skipped or not read.stored.ranges:
        return ""
    if asked:
        return "that was asked for"
    if read.parent is None:
        return "no earlier good backup with the same key and compression is known to be ours"
    if read.due:
        return f"the last full read was at {written(read_fully_at(read.parent))}"
    return read.stored.why_not or "all of them may have changed"


def _another_key(read: _Read) -> Iterator[str]:
    if last := read.of_another_key:
        warning = f"it is encrypted with another key or passphrase than '{last.name}', so all was"
        yield f"{warning} stored again, for this key only: if you did not change it, check it"


def _report(manifest: Manifest, read: _Read, replicas: ReplicaSet, *, asked: bool) -> BackupReport:
    stored = read.stored
    new = [blob.ref for blob in stored.blobs if blob.new]
    reused = [blob.ref for blob in stored.blobs if not blob.new]
    return BackupReport(
        manifest,
        new_blobs=len(new),
        new_bytes=sum(ref.stored_bytes for ref in new),
        reused_blobs=len(reused),
        reused_bytes=sum(ref.stored_bytes for ref in reused),
        stores=tuple(replica.outcome() for replica in replicas),
        ranges=stored.ranges,
        skipped_ranges=stored.skipped,
        all_read_because=_why_all(read, asked=asked),
        contradictions=read.contradictions,
        warnings=(*read.doubts, *_another_key(read), *replicas.warnings),
    )
