"""Reading the parts of a snapshot: with pg_dump, and for large tables with COPY in a session."""

import contextlib
import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from brownie_backup.dumpers.postgres.dump.deadlock import await_output
from brownie_backup.dumpers.postgres.dump.remedies import dump_hint
from brownie_backup.dumpers.postgres.dump.snapshot_session import SnapshotSession
from brownie_backup.dumpers.postgres.inventory import take_inventory
from brownie_backup.dumpers.postgres.segments import DumpDetail, TableDetail
from brownie_backup.errors import (
    BackupError,
    ConnectionFailed,
    DatabaseError,
    DumpFailed,
    LockRefused,
    UnsupportedFormat,
)
from brownie_backup.hints import BackupHint, DatabaseHint, Hint
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.postgres.client import Client, no_timeouts, quote_text
from brownie_backup.postgres.conninfo import Conninfo
from brownie_backup.postgres.copy_rows import begin_copying, copy_rows, named
from brownie_backup.postgres.encoding import sql_bytes
from brownie_backup.postgres.limits import shortened
from brownie_backup.postgres.process import Child, read_output, running
from brownie_backup.postgres.psql import Psql

if TYPE_CHECKING:
    from brownie_backup.postgres.session import Session

_SEE = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET TRANSACTION SNAPSHOT '{snapshot}'",
)
_NAME_OURSELVES = """
SELECT set_config('application_name',
  left(current_setting('application_name'), 40) || ' {snapshot}', false)
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name LIKE '% {snapshot}' AND usename = session_user AND pid <> pg_backend_pid()
"""

_LOCK_NOT_AVAILABLE = "55P03"

_log = logging.getLogger(__name__)


class PostgresReader:
    """Reads parts for one worker; it keeps a session open for large tables.

    Args:
        client: it finds the servers that snapshots are on.
        lock_timeout: how long pg_dump waits for a table that another session has locked
            exclusively.
        holders: of the snapshots that are held in this process, by their names.
    """

    def __init__(
        self, client: Client, lock_timeout: timedelta, holders: Mapping[str, SnapshotSession]
    ) -> None:
        self._client = client
        self._lock_timeout = lock_timeout
        self._holders = holders
        self._stack = ExitStack()
        self._session: Psql | None = None
        self._snapshot: str | None = None
        self._locked: set[int] = set()
        self._refused: set[int] = set()
        self._program: Child | None = None
        self._inventory: Session | None = None

    def interrupt(self, snapshot: str) -> None:
        """End all reads of a snapshot that is over, from any thread."""
        running = [each for each in (self._session, self._program, self._inventory) if each]
        for each in running if self._snapshot == snapshot else ():
            each.interrupt()

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Yield the bytes of a part; an error of the program is an error of the iteration."""
        detail = part.detail
        if not isinstance(detail, DumpDetail | TableDetail):
            raise unknown(part.kind)
        if self._snapshot != detail.snapshot:
            self.close()
            self._snapshot = detail.snapshot
            holder = self._holders.get(detail.snapshot)
            self._client = holder.client if holder else self._client.at(detail.server)
        if isinstance(detail, TableDetail):
            return (yield from self._read_rows(detail))
        match part.kind:
            case PartKind.INVENTORY:
                yield self._read_inventory(detail)
            case PartKind.GLOBALS:
                command = self._globals_command(detail)
                yield from self._read_program(command, PGOPTIONS=no_timeouts())
            case PartKind.ARCHIVE:
                yield from self._read_archive(detail)
            case kind:
                raise unknown(kind)
        return None

    def close(self) -> None:
        """End the session."""
        self._stack.close()
        self._session = None
        self._locked.clear()

    def _read_rows(self, part: TableDetail) -> Generator[bytes, None, int]:
        """Read a range in our session, or in the one that holds the snapshot.

        The latter has its lock already: it need not wait behind a session that waits for it to end.
        """
        holder = self._holders.get(part.snapshot)
        oid = part.relation.oid
        if oid not in self._refused:
            try:
                session = self._session_for(part)
            except LockRefused:
                self._refused.add(oid)
                if holder is None:
                    raise
            else:
                return (yield from self._copy(session, part))
        if holder is None:
            raise _refusal(part)
        return (yield from holder.copy(part))

    def _copy(self, session: Psql, part: TableDetail) -> Generator[bytes, None, int]:
        try:
            return (yield from copy_rows(session, part.relation, part.blocks))
        except BaseException as error:  # closed half way, it can't be used any more
            self.close()
            if isinstance(error, DatabaseError) and not isinstance(error, DumpFailed):
                msg = f"the table {named(part.relation)} could not be read: {error.message}"
                raise DumpFailed(msg, hint=self._hint(error.message, error.sqlstate)) from None
            raise

    def _session_for(self, part: TableDetail) -> Psql:
        """Return our session, which sees the part's snapshot and has locked its table."""
        try:
            session = self._session or self._open(part)
            if part.relation.oid not in self._locked:
                # As pg_dump does: if a session waits for an exclusive lock, we would wait behind it
                # for ever, since our own locks are among those that it waits for.
                lock = f"LOCK TABLE ONLY {named(part.relation)} IN ACCESS SHARE MODE NOWAIT"
                session.run(sql_bytes(lock, session.encoding))
                self._locked.add(part.relation.oid)
        except DatabaseError as error:
            self.close()
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                raise _refusal(part) from None
            msg = f"a worker could not join the snapshot: {error.message}"
            raise DumpFailed(msg, hint=self._hint(error.message, error.sqlstate)) from None
        return session

    def _open(self, part: TableDetail) -> Psql:
        session = self._stack.enter_context(self._client.psql(part.database))
        session.run(*(text.format(snapshot=part.snapshot) for text in (_NAME_OURSELVES, *_SEE)))
        begin_copying(session)
        self._session = session
        return session

    def _read_inventory(self, part: DumpDetail) -> bytes:
        see = (text.format(snapshot=part.snapshot) for text in (_NAME_OURSELVES, *_SEE))
        with self._client.session(part.database) as session:
            self._inventory = session
            try:
                session.run(*see)
                inventory = take_inventory(session, part.apart)
                if holder := self._holders.get(part.snapshot):
                    holder.measure(session)
            except DatabaseError as error:
                if isinstance(error, ConnectionFailed):
                    raise
                msg = f"the inventory could not be taken: {error.message}"
                hint = self._hint(error.message, error.sqlstate)
                raise DumpFailed(msg, hint=hint) from None
            finally:
                self._inventory = None
        return inventory

    def _globals_command(self, part: DumpDetail) -> list[str]:
        (row,) = self._client.query(
            "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS passwords",
            part.database,
        )
        command = [
            self._client.programs.path("pg_dumpall"),
            "--globals-only",
            "--no-password",
            "--encoding=UTF8",
            # Not the bare name: a name that looks like a connection string would be read as one.
            f"--database={Conninfo().with_database(part.database).to_string()}",
            f"--dbname={self._client.access.command_line(part.database)}",
        ]
        return command if row["passwords"] else [*command, "--no-role-passwords"]

    def _archive_command(self, part: DumpDetail) -> list[str]:
        (row,) = self._client.query("SELECT getdatabaseencoding() AS encoding", part.database)
        encoding = row["encoding"]
        connection = self._client.access.command_line(
            part.database, application_name=_application(part)
        )
        return [
            self._client.programs.path("pg_dump"),
            "--format=custom",
            "--compress=0",  # we compress all blobs in the same way
            "--create",
            "--no-password",
            # the database's encoding, whatever a role or an environment sets
            f"--encoding={encoding}",
            f"--snapshot={part.snapshot}",
            f"--lock-wait-timeout={self._lock_timeout // timedelta(milliseconds=1)}",
            *(f"--exclude-table-data={name}" for name in self._patterns(part, encoding)),
            f"--dbname={connection}",
        ]

    def _patterns(self, part: DumpDetail, encoding: str) -> Iterator[str]:
        """Yield the options that name the large tables to pg_dump, in the database's encoding."""
        for relation in part.apart:
            name = named(relation)
            if encoding == "SQL_ASCII" or name.isascii():
                yield name
            else:
                sql = f"SELECT encode(convert_to({quote_text(name)}, '{encoding}'), 'hex') AS name"
                (row,) = self._client.query(sql, part.database)
                yield os.fsdecode(bytes.fromhex(row["name"]))

    def _read_archive(self, part: DumpDetail) -> Iterator[bytes]:
        holder = self._holders.get(part.snapshot)

        def await_locks(child: Child) -> None:
            if holder:
                await_output(child, self._client, _application(part), holder.process_id)

        # pg_dump leaves them in force until its first query is done.
        yield from self._read_program(
            self._archive_command(part), before=await_locks, PGOPTIONS=no_timeouts()
        )

    def _read_program(
        self, argv: list[str], before: Callable[[Child], None] = lambda _: None, **more: str
    ) -> Iterator[bytes]:
        program = argv[0].rpartition("/")[2]
        with running(argv, self._client.access.environment() | more, pipe="stdout") as child:
            self._program = child
            before(child)
            yield from read_output(child)
            status, said = child.finish()
        if status != 0:
            words = shortened(said) or "it said nothing"
            msg = f"{program} failed with status {status}: {words}"
            raise DumpFailed(msg, hint=self._hint(said))
        if said:
            _log.info("%s said: %s", program, said)

    def _hint(self, said: str, sqlstate: str = "") -> Hint:
        """Return the remedy for an error about the current snapshot."""
        hint = dump_hint(said, sqlstate)
        holder = self._holders.get(self._snapshot or "")
        if hint.code is DatabaseHint.SNAPSHOT_ELSEWHERE and holder and holder.standby:
            return DatabaseHint.STANDBY_DELAY()  # which has ended the session that holds it
        return hint


def _application(part: DumpDetail) -> str:
    """Return pg_dump's application name on the server, which no other program has."""
    return f"brownie-backup {part.snapshot}"


def end_readers(client: Client, snapshot: str) -> None:
    """End the sessions that still read a snapshot that is over, on any host."""
    with contextlib.suppress(BackupError):  # then each goes on until its worker is done
        client.query(_END.format(snapshot=snapshot))


def unknown(kind: str) -> UnsupportedFormat:
    """Return the error for a part that a newer version made."""
    msg = f"this version cannot handle parts of the kind '{kind}'"
    return UnsupportedFormat(msg, hint=BackupHint.UPGRADE)


def _refusal(part: TableDetail) -> LockRefused:
    number = part.relation.oid
    msg = f"a session waits for an exclusive lock on the table with the oid {number}"
    return LockRefused(msg, hint=DatabaseHint.BACK_UP_WHEN_OVER)
