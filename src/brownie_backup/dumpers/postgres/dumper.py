"""pg_dump as a `brownie_backup.protocols.Dumper`."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from brownie_backup.dumpers.postgres.doctor import diagnose
from brownie_backup.dumpers.postgres.dump.large_tables import (
    BULK_TABLE_BYTES,
    RANGE_BYTES,
    RangePolicy,
)
from brownie_backup.dumpers.postgres.dump.reader import PostgresReader, end_readers, unknown
from brownie_backup.dumpers.postgres.dump.snapshot import (
    SYSTEM_IDENTIFIER,
    PostgresSnapshot,
    open_snapshot,
)
from brownie_backup.dumpers.postgres.inventory import compare_stored, parse_inventory, with_stored
from brownie_backup.dumpers.postgres.restore.new_database import with_leftover
from brownie_backup.dumpers.postgres.restore.selection import parse_wanted
from brownie_backup.dumpers.postgres.restore.selective import SelectiveRestore
from brownie_backup.dumpers.postgres.restore.swap import maintenance_client
from brownie_backup.dumpers.postgres.restore.target import PostgresTarget
from brownie_backup.dumpers.postgres.segments import (
    TableDetail,
    join_table,
    located,
    split_table,
    stored_segments,
)
from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DatabaseError,
    DumpFailed,
    ProgramMissing,
)
from brownie_backup.hints import BackupHint, DatabaseHint
from brownie_backup.model import Database, DatabaseId, Part, PartKind, PartSpec, Segment
from brownie_backup.model.findings import Finding
from brownie_backup.model.reports import RestoreOptions, TableRange
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.conninfo import Conninfo, parse_conninfo
from brownie_backup.postgres.copy_rows import check_rows
from brownie_backup.postgres.output import lines_of
from brownie_backup.postgres.process import feed, running
from brownie_backup.protocols import Target

if TYPE_CHECKING:
    from brownie_backup.dumpers.postgres.dump.snapshot_session import SnapshotSession

LOCK_TIMEOUT = timedelta(minutes=5)
"""How long pg_dump waits for a table that another session has locked exclusively."""

_log = logging.getLogger(__name__)


class PostgresDumper:
    """Dumps and restores one database with PostgreSQL's client programs.

    Args:
        conninfo: how to connect, such as ``postgresql://user@host/database``; missing parameters
            come from libpq's own sources.
        pg_bin: the folder of the client programs, if they are not where they usually are.
        lock_timeout: how long to wait for a table that another session has locked exclusively.
        bulk_table_bytes: the size of its heap from which a table is read in ranges.
        range_bytes: the size of one range of a heap. If it differs from the parent's, none of the
            parent's ranges can be reused.
        binary: whether ranges may be read in COPY's binary format, where all types allow it.

    Raises:
        ConfigurationError: the text is no connection string.
    """

    def __init__(
        self,
        conninfo: Conninfo | str | None = None,
        *,
        pg_bin: str | None = None,
        lock_timeout: timedelta = LOCK_TIMEOUT,
        bulk_table_bytes: int = BULK_TABLE_BYTES,
        range_bytes: int = RANGE_BYTES,
        binary: bool = True,
    ) -> None:
        if isinstance(conninfo, str):
            conninfo = parse_conninfo(conninfo)
        self._client = Client(conninfo or Conninfo(), pg_bin)
        self._database = self._client.access.conninfo.database
        self._lock_timeout = lock_timeout
        self._cutting = RangePolicy(bulk_table_bytes, range_bytes, binary)
        self._holders: dict[str, SnapshotSession] = {}
        self._readers: set[PostgresReader] = set()

    @property
    def kind(self) -> str:
        """The kind of backups that this makes."""
        return "logical"

    def database_name(self) -> str:
        """Return the name of the database; ask the server, once, if nothing else says it."""
        if not self._database:
            (row,) = self._client.query("SELECT current_database() AS name")
            self._database = str(row["name"])
        return self._database

    def database_id(self) -> DatabaseId:
        """Return the identity of the database; ask the server."""
        name = self.database_name()
        (row,) = self._client.query(f"SELECT {SYSTEM_IDENTIFIER} AS system_identifier", name)
        return DatabaseId(row["system_identifier"], name)

    def database_size_bytes(self) -> int:
        """Return the size of the database on the server's disk; ask the server."""
        name = self.database_name()
        (row,) = self._client.query("SELECT pg_database_size(current_database()) AS size", name)
        return int(row["size"])

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """Open a transaction, export its snapshot, and hold both while the block runs."""
        name = self.database_name()
        if "\n" in name or "\r" in name:
            msg = f"the database {name!r} has a line break in its name, which pg_restore refuses"
            raise DumpFailed(msg, hint=DatabaseHint.RENAME_DATABASE)
        client = self._client.pinned(name)
        with (
            self._ending_readers(client) as opened,
            open_snapshot(
                client,
                name,
                lock_timeout=self._lock_timeout,
                cutting=self._cutting,
            ) as snapshot,
        ):
            opened.append(snapshot.name)
            self._holders[snapshot.name] = snapshot.holder
            try:
                yield snapshot
            finally:
                del self._holders[snapshot.name]
                snapshot.stop()
                for reader in [*self._readers]:
                    reader.interrupt(snapshot.name)

    @contextlib.contextmanager
    def _ending_readers(self, client: Client) -> Iterator[list[str]]:
        """End, after a failure, all reads of the listed snapshots in other processes."""
        opened: list[str] = []
        try:
            yield opened
        except BaseException:
            # After the session that has exported it, so that no other session can join it any more.
            for snapshot in opened:
                end_readers(client, snapshot)
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresReader]:
        """Open a reader of parts, with a session of its own."""
        reader = PostgresReader(self._client, self._lock_timeout, self._holders)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            reader.close()

    def split(self, part: PartSpec) -> Iterator[PartSpec] | None:
        """Yield the ranges of a large table; None for a part that a program writes."""
        detail = part.detail
        return split_table(part, detail) if isinstance(detail, TableDetail) else None

    def join(self, part: PartSpec, segments: Sequence[Segment]) -> Part:
        """Return a large table as the manifest has it."""
        return join_table(_table_of(part), part.kind, segments)

    def segments(self, part: Part) -> Iterator[Segment] | None:
        """Yield the ranges of a stored large table; None for a part that a program wrote."""
        return stored_segments(part, part.table) if part.table else None

    def locate(self, segment: PartSpec) -> TableRange:
        """Return a range's table and blocks for messages."""
        return located(_table_of(segment))

    def complete(self, inventory: bytes, parts: Sequence[Part]) -> bytes:
        """Return the inventory with a list of the rows of large tables."""
        return with_stored(inventory, parts)

    def compare(self, inventory: bytes, parts: Sequence[Part]) -> None:
        """Raise `DamagedError` unless they have the rows that the inventory lists."""
        compare_stored(inventory, parts)

    def check(self, part: Part, chunks: Iterable[bytes]) -> None:
        """Read a stored part to its end, without connecting to or loading anything."""
        match part.kind:
            case PartKind.INVENTORY:
                parse_inventory(b"".join(chunks))
            case PartKind.GLOBALS:
                if b"PostgreSQL database cluster dump complete" not in b"".join(chunks)[-4096:]:
                    msg = "the dump of roles does not reach its end"
                    raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
            case PartKind.ARCHIVE:
                self._check_archive(chunks)
            case PartKind.TABLE:
                check_rows(part, chunks)
            case _:
                raise unknown(part.kind)

    @contextlib.contextmanager
    def restoring(
        self, source: Database, target_database: str, options: RestoreOptions, token: str
    ) -> Iterator[Target]:
        """Begin a restore; if it fails, the server stays as it was."""
        wanted = parse_wanted(options)
        elsewhere = maintenance_client(self._client, target_database)
        target: PostgresTarget
        if wanted:
            target = SelectiveRestore(
                elsewhere, source, target_database, options, token, wanted=wanted
            )
        else:
            target = PostgresTarget(elsewhere, source, target_database, options, token)
        try:
            yield target
        except BaseException as error:
            left = target.abandon()
            if left:
                _log.warning("half restored, and still on the server: %s", left)
                if isinstance(error, BackupError):
                    error.hint = with_leftover(error.hint, left)
            raise
        finally:
            target.close()

    def diagnose(self, *, jobs: int = 1) -> Iterator[Finding]:
        """Yield findings about the database, its server and the client programs."""
        yield from diagnose(self._client, self._cutting.table_bytes, jobs)

    def _check_archive(self, chunks: Iterable[bytes]) -> None:
        programs = self._client.newest_programs()
        argv = [programs.path("pg_restore"), "--file=/dev/null"]
        with running(argv, self._client.access.environment(), pipe="stdin") as child:
            feed(child, chunks)
            status, said = child.finish()
        first = next(lines_of(said), f"status {status}")
        if "unsupported version" in said:
            msg = f"pg_restore {programs.version} is too old for the archive: {first}"
            raise ProgramMissing(msg, hint=DatabaseHint.NEWER_PROGRAMS)
        if status < 0:
            msg = f"pg_restore was killed by signal {-status} while it read the archive"
            raise DatabaseError(msg, hint=DatabaseHint.VERIFY_AGAIN)
        if status != 0:
            msg = f"pg_restore cannot read the archive to its end: {first}"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        if said:
            _log.info("pg_restore said: %s", said)


def _table_of(part: PartSpec) -> TableDetail:
    detail = part.detail
    assert isinstance(detail, TableDetail)  # noqa: S101 - no others have segments
    return detail
