"""Backups that skip what the WAL shows unchanged, each beside one that reads everything."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
from attrs import frozen
from tests.integration.waiting import wait_until
from tests.servers.running import Server

from brownie_backup import BackupReport, Repository, create_backup, delete_backup
from brownie_backup.compressors import Uncompressed
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.segments import TableDetail
from brownie_backup.encryptors import Cleartext
from brownie_backup.model import BlobRef, PartSpec
from brownie_backup.protocols import Reader, Snapshot
from brownie_backup.stores import MemoryStore

BLOCK_BYTES = 8192
RANGE_BLOCKS = 8
BULK_BLOCKS = 4
SETTINGS = {
    "summarize_wal": "on",
    "autovacuum": "off",  # what it writes in between would be read again, rightly
    "max_prepared_transactions": "20",
    "wal_writer_delay": "10s",  # so that a crash loses what was committed asynchronously
}

Ranges = frozenset[tuple[str, int]]
"""Tables by name, and the numbers of their ranges."""
Names = dict[tuple[int, int], tuple[str, ...]]
"""For the oid of a table and the first block of a range, the names of its blobs."""


class Differs(AssertionError):
    """A range was taken from an earlier backup, and had changed."""


@frozen
class Taken:
    """An incremental backup."""

    report: BackupReport
    read: Ranges
    """What it read."""
    everything: Ranges
    """What there was to read."""


class _Noting:
    """A reader that notes which ranges are read."""

    def __init__(self, reader: Reader, read: set[tuple[str, int]]) -> None:
        self._reader = reader
        self._read = read

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        table = part.detail
        if isinstance(table, TableDetail):
            self._read.add((table.relation.name, table.blocks.first // table.range_blocks))
        return (yield from self._reader.read(part))


class _Held:
    """A dumper whose snapshot is held by somebody else, so that several backups share it."""

    def __init__(self, dumper: PostgresDumper, snapshot: Snapshot) -> None:
        self._dumper = dumper
        self._snapshot = snapshot
        self.read: set[tuple[str, int]] = set()
        self.kind = dumper.kind
        self.database_name = dumper.database_name
        self.database_id = dumper.database_id
        self.split = dumper.split
        self.join = dumper.join
        self.segments = dumper.segments
        self.locate = dumper.locate
        self.complete = dumper.complete
        self.compare = dumper.compare
        self.check = dumper.check
        self.restoring = dumper.restoring
        self.diagnose = dumper.diagnose

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        yield self._snapshot

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._dumper.reading() as reader:
            yield _Noting(reader, self.read)


class Scene:
    """A database on a server that summarizes its WAL, and a repository for its backups."""

    def __init__(self, server: Server, database: str) -> None:
        self.server = server
        self.database = database
        self.repository = Repository(MemoryStore(), Uncompressed(), Cleartext(), ())

    def sql(self, sql: str) -> str:
        """Run SQL."""
        return self.server.sql(self.database, sql)

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """Open a session; its first statement begins a transaction."""
        return psycopg.connect(self.server.url(self.database))

    def dumper(self, *, binary: bool = True, user: str | None = None) -> PostgresDumper:
        """Return a dumper that takes small tables for large ones."""
        url = self.server.url(self.database)
        return PostgresDumper(
            parse_conninfo(url.replace("//postgres:", f"//{user}:") if user else url),
            pg_bin=str(self.server.client),
            bulk_table_bytes=BULK_BLOCKS * BLOCK_BYTES,
            range_bytes=RANGE_BLOCKS * BLOCK_BYTES,
            binary=binary,
        )

    def back_up(
        self,
        dumper: PostgresDumper | None = None,
        *,
        compare: bool = True,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Taken:
        """Make an incremental backup, and compare it with a full one of the same snapshot.

        The full one is deleted, so that incremental ones build on each other.

        Args:
            dumper: with which.
            compare: whether to.
            meanwhile: called when the snapshot is taken, and nothing has been read.

        Raises:
            Differs: they are not the same.
        """
        dumper = dumper or self.dumper()
        with dumper.snapshot() as snapshot:
            meanwhile()
            held = _Held(dumper, snapshot)
            report = create_backup(self.repository, held)
            taken = Taken(report, frozenset(held.read), _all_ranges(snapshot))
            if compare:
                self._compare(report, _Held(dumper, snapshot))
        return taken

    def full(self) -> BackupReport:
        """Make a full backup, and keep it."""
        return create_backup(self.repository, self.dumper(), full=True)

    def _compare(self, report: BackupReport, dumper: _Held) -> None:
        full = create_backup(self.repository, dumper, full=True)
        delete_backup(self.repository, full.manifest.name)
        ours, theirs = names(report), names(full)
        wrong = {at for at in ours.keys() | theirs.keys() if ours.get(at) != theirs.get(at)}
        if wrong:
            raise Differs(f"ranges with other bytes than in a full backup: {sorted(wrong)}")
        assert report.manifest.parts == full.manifest.parts or _streams_differ(report, full)
        assert not full.warnings


def names(report: BackupReport) -> Names:
    """Return the names of the blobs of all ranges of a backup."""
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for part in report.manifest.parts:
        at = (0, 0)
        for blob in part.blobs if part.table else ():
            if part.table and blob.begins:
                at = (part.table.oid, blob.begins.blocks.first)
            found[at] = (*found.get(at, ()), blob.name)
    return found


def blobs(report: BackupReport) -> list[BlobRef]:
    """Return the blobs of the ranges of a backup, in order."""
    return [blob for part in report.manifest.parts if part.table for blob in part.blobs]


def _streams_differ(one: BackupReport, other: BackupReport) -> bool:
    """Whether nothing but the parts that are not ranges differs, whose heads have a time."""
    mine, theirs = ([p for p in r.manifest.parts if p.table] for r in (one, other))
    return mine == theirs


def _all_ranges(snapshot: Snapshot) -> Ranges:
    return frozenset(
        (table.relation.name, first // table.range_blocks)
        for part in snapshot.parts
        if isinstance(table := part.detail, TableDetail)
        for first in range(0, table.blocks.end, table.range_blocks)
    )


# --- what happens to servers ---------------------------------------------------------------------


def crash(server: Server) -> None:
    """Stop a server as a power cut of its host would, and start it again."""
    server.stop("immediate")
    server.start()


def crash_backend(server: Server) -> None:
    """Kill a session's process: the server recovers, and goes on without being started again.

    What was committed asynchronously is lost, since nothing writes it in between.
    """
    with psycopg.connect(server.url("postgres")) as session:
        writers = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
        (writer,) = session.execute(writers).fetchone() or (0,)
        os.kill(int(writer), signal.SIGSTOP)
        try:
            os.kill(session.info.backend_pid, signal.SIGKILL)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    session.execute("SELECT 1")
            time.sleep(0.2)  # until the postmaster has told all others to quit
        finally:
            os.kill(int(writer), signal.SIGCONT)
    wait_until(lambda: _answers(server), what="the server recovers")


def set_aside(server: Server, place: Path) -> None:
    """Copy a server's files, as a snapshot of its disk would."""
    server.stop()
    subprocess.run(["cp", "-a", str(server.data), str(place)], check=True)
    server.start()


def set_back(server: Server, place: Path, *, standby: bool = False) -> None:
    """Let a server begin again at what was set aside; as a standby, it must be promoted."""
    server.stop("immediate")
    shutil.rmtree(server.data)
    subprocess.run(["cp", "-a", str(place), str(server.data)], check=True)
    if standby:
        (server.data / "standby.signal").touch()
    server.start()


def summaries(server: Server) -> set[Path]:
    """Return the files of the summaries that a server has."""
    return {*(server.data / "pg_wal" / "summaries").glob("0*.summary")}


def _answers(server: Server) -> bool:
    try:
        psycopg.connect(server.url("postgres")).close()
    except psycopg.OperationalError:
        return False
    return True
