"""Opening a snapshot: the locks on tables first, so that no change falls between."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from attrs import evolve, frozen

from brownie_backup.dumpers.postgres.dump.large_tables import (
    RANGES_SINCE,
    Candidate,
    Candidates,
    LargeTable,
    RangePolicy,
    describe,
    find_again,
    find_candidates,
)
from brownie_backup.dumpers.postgres.dump.locks import (
    LockedTable,
    TablesChanged,
    find_tables,
    lock_tables,
)
from brownie_backup.dumpers.postgres.dump.remedies import dump_hint
from brownie_backup.dumpers.postgres.dump.snapshot_session import SnapshotSession
from brownie_backup.dumpers.postgres.dump.wal import Tracker, take_sample
from brownie_backup.dumpers.postgres.segments import DumpDetail, TableDetail
from brownie_backup.errors import DatabaseError, DumpFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.model import (
    BlockRange,
    Database,
    DatabaseId,
    Extension,
    Manifest,
    PartKind,
    PartSpec,
    WalPosition,
)
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.copy_rows import TEXT_SETTINGS
from brownie_backup.postgres.endpoint import Endpoint
from brownie_backup.postgres.session import Session
from brownie_backup.protocols import Unchanged

ARCHIVE_HEAD_BYTES = 64
"""An archive begins with its format and the time of the dump, in at most 51 bytes: see WriteHead in
PostgreSQL's pg_backup_archiver.c. The rest is the same for the same database."""

SYSTEM_IDENTIFIER = "(SELECT system_identifier FROM pg_control_system())::text"

_FACTS = f"""
SELECT current_setting('server_version') AS server_version, datname AS name,
  pg_encoding_to_char(encoding) AS encoding,
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate) AS locale,
  {SYSTEM_IDENTIFIER} AS system_identifier,
  has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS role_passwords,
  pg_is_in_recovery() AS standby, pg_backend_pid() AS process_id,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion)
    ORDER BY extname), '[]') FROM pg_extension) AS extensions
FROM pg_database d WHERE datname = current_database()
"""
_TRIES = 5


@frozen
class PostgresSnapshot:
    """A snapshot that a session of ours has exported and holds open."""

    name: str
    parts: tuple[PartSpec, ...]
    notes: tuple[str, ...]
    holder: SnapshotSession
    _database: Database
    _tracker: Tracker

    @property
    def database_id(self) -> DatabaseId:
        """The identity of the database."""
        return self._database.id

    @property
    def database(self) -> Database:
        """The description of the database for the manifest."""
        return evolve(self._database, size_bytes=self.holder.database_bytes())

    def unchanged_since(self, base: Manifest) -> Unchanged:
        """Return the ranges that the WAL shows to have the same bytes as in an earlier backup."""
        return self._tracker.unchanged_since(base)

    def stop(self) -> None:
        """Release every thread that waits for the WAL, from any thread."""
        self._tracker.stop()

    def wal(self) -> WalPosition | None:
        """Return where the WAL starts to tell the next backup which blocks changed."""
        return self._tracker.position()


@frozen
class _Held:
    """The objects that a session's transaction has locked and seen."""

    session: Session
    exported: str
    large: tuple[LargeTable, ...]
    notes: tuple[str, ...]
    tracker: Tracker
    archive_bytes: int


@contextlib.contextmanager
def open_snapshot(
    client: Client, name: str, *, lock_timeout: timedelta, cutting: RangePolicy
) -> Iterator[PostgresSnapshot]:
    """Open a transaction, lock the tables, export the snapshot, and hold all three.

    Args:
        client: of the server.
        name: of the database.
        lock_timeout: how long to wait for another session's exclusive lock on a table.
        cutting: the tables that are read in ranges, and the way to read them.

    Raises:
        DumpFailed: a table could not be locked in time.
    """
    with ExitStack() as stack:
        held = _hold(stack, client, name, lock_timeout, cutting)
        (facts,) = held.session.query(_FACTS)
        database = Database(
            name=name,
            system_identifier=facts["system_identifier"],
            server_version=facts["server_version"],
            client_version=str(client.programs.version),
            size_bytes=0,
            encoding=facts["encoding"],
            locale=facts["locale"],
            extensions=tuple(Extension(**item) for item in facts["extensions"]),
        )
        parts = tuple(_parts(name, held, client.endpoint))
        notes = (*_notes(facts), *held.notes)
        holder = SnapshotSession(
            held.session, facts["process_id"], client, standby=facts["standby"]
        )
        yield PostgresSnapshot(held.exported, parts, notes, holder, database, held.tracker)
        # If the session has died since, nothing is lost: each reader has the snapshot for itself.
        with contextlib.suppress(DatabaseError):
            held.session.run("COMMIT")


def _hold(
    stack: ExitStack, client: Client, name: str, lock_timeout: timedelta, cutting: RangePolicy
) -> _Held:
    for _ in range(_TRIES):
        with ExitStack() as attempt:
            session = attempt.enter_context(client.session(name))
            try:
                held = _lock_and_export(session, client, name, lock_timeout, cutting)
            except TablesChanged:
                continue
            stack.enter_context(attempt.pop_all())
            return held
    msg = f"tables came, went or got other names each time they were to be locked, {_TRIES} times"
    raise DumpFailed(msg, hint=DatabaseHint.BACK_UP_WHEN_OVER)


def _lock_and_export(
    session: Session, client: Client, name: str, lock_timeout: timedelta, cutting: RangePolicy
) -> _Held:
    """Lock, then take the snapshot: in this order, so that the snapshot matches the locked tables.

    The first query of the transaction takes the snapshot, and LOCK TABLE is not a query.
    """
    major = client.server_version.major
    # It stays in force: tables locked then need no second wait.
    session.run(f"SET lock_timeout = {lock_timeout // timedelta(milliseconds=1)}")
    found = _find_candidates(session, cutting.table_bytes)
    candidates = found.tables
    notes = tuple(_left_to_the_archive(candidates, major))
    chosen = [each for each in candidates if not each.reason] if major >= RANGES_SINCE else []
    archive_bytes = found.without(chosen)
    sample = take_sample(client, session) if chosen else None
    tables = find_tables(session)
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    _lock(session, tables)
    exported = session.value(b"SELECT pg_export_snapshot()")
    session.run(*TEXT_SETTINGS)
    if not find_tables(session) <= tables or find_again(session, chosen) != frozenset(chosen):
        raise TablesChanged
    large = describe(session, [each.oid for each in chosen], cutting)
    tracker = Tracker(client, name, session, large, sample)
    return _Held(session, exported, large, notes, tracker, archive_bytes)


def _find_candidates(session: Session, bulk_bytes: int) -> Candidates:
    try:
        return find_candidates(session, bulk_bytes)
    except DatabaseError as error:  # a query for a table's size takes a lock on it
        msg = f"the sizes of the tables could not be read: {error.message}"
        raise DumpFailed(msg, hint=dump_hint(error.message, error.sqlstate)) from None


def _lock(session: Session, tables: frozenset[LockedTable]) -> None:
    try:
        lock_tables(session, tables)
    except DatabaseError as error:
        msg = f"the tables could not be locked: {error.message}"
        raise DumpFailed(msg, hint=dump_hint(error.message, error.sqlstate)) from None


def _parts(name: str, held: _Held, server: Endpoint | None) -> Iterator[PartSpec]:
    apart = tuple(table.relation for table in held.large)
    detail = DumpDetail(name, held.exported, apart, server)
    yield PartSpec(PartKind.INVENTORY, PartKind.INVENTORY, detail, estimate_bytes=0)
    yield PartSpec(PartKind.GLOBALS, PartKind.GLOBALS, detail, estimate_bytes=0)
    yield PartSpec(
        PartKind.ARCHIVE,
        PartKind.ARCHIVE,
        detail,
        head_bytes=ARCHIVE_HEAD_BYTES,
        estimate_bytes=held.archive_bytes,
    )
    for table in held.large:
        yield PartSpec(
            PartKind.TABLE,
            f"{table.relation.schema}.{table.relation.name}",
            TableDetail(
                name,
                held.exported,
                table.table,
                table.relation,
                BlockRange(0, table.blocks),
                table.range_blocks,
                server,
            ),
            estimate_bytes=table.size_bytes,
        )


def _notes(facts: dict[str, Any]) -> Iterator[str]:
    if not facts["role_passwords"]:
        yield "role passwords are not included: the server does not let this role read pg_authid"
    if facts["standby"]:
        yield "taken from a standby"


def _left_to_the_archive(candidates: Sequence[Candidate], major: int) -> Iterator[str]:
    """Return which large tables only pg_dump reads, by OID: a manifest names none."""
    if major < RANGES_SINCE and candidates:
        yield f"large tables are in the archive: PostgreSQL {major} cannot scan a range of blocks"
        return
    for each in candidates:
        if each.reason:
            yield f"the large table with the oid {each.oid} is in the archive: {each.reason}"
