"""Changes between two backups, from the write-ahead log (PostgreSQL 17 and newer).

The reasons are in docs/explanation/incremental.md.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import frozen

from brownie_backup.dumpers.postgres.dump.large_tables import LargeTable
from brownie_backup.dumpers.postgres.dump.wal_history import (
    NotKnown,
    Sample,
    Summary,
    check_gaps,
    check_seal,
    check_server,
)
from brownie_backup.dumpers.postgres.segments import segment_key
from brownie_backup.errors import DatabaseError
from brownie_backup.model import Manifest, Part, WalPosition
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.session import Session
from brownie_backup.protocols import Unchanged

_log = logging.getLogger(__name__)

_ALL_FILES = 0
"""The relfilenode that stands for all files of a database that is created by copying files, or
dropped."""
SUMMARIES_SINCE = 17
_SEAL_SECONDS = 30.0
"""How long to wait for a checkpoint's summary after the checkpoint."""
_PAUSE_SECONDS = 0.02

_ON = """
SELECT current_setting('summarize_wal') = 'on' AND NOT pg_is_in_recovery() AS on
"""
# The name of the WAL's file begins with the timeline.
_POSITION = """
SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint AS line,
  (pg_current_wal_insert_lsn() - '0/0')::bigint AS position,
  to_json(pg_postmaster_start_time()) AS started
"""
# Queried after the position: a transaction with a later ID writes after it. Not a snapshot's xmax,
# which only follows completed transactions: a running one that has written may have that ID.
_NEXT = "SELECT pg_current_xact_id()::text::bigint AS xid"
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid"
_SUMMARIES = """
SELECT (start_lsn - '0/0')::bigint AS start, (end_lsn - '0/0')::bigint AS end
FROM pg_available_wal_summaries() WHERE tli = %d AND end_lsn > '0/0'::pg_lsn + %d
ORDER BY 1
"""
_CHANGES = """
SELECT c.relfilenode::bigint AS filenode, c.relblocknumber / v.range_blocks AS number,
  bool_or(c.is_limit_block) AS cut
FROM pg_available_wal_summaries() s, pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn) c,
  (VALUES %s) v(filenode, range_blocks)
WHERE s.tli = %d AND s.end_lsn > '0/0'::pg_lsn + %d AND c.reldatabase = %d
  AND c.relforknumber = 0 AND c.relfilenode = v.filenode
GROUP BY 1, 2
"""


def take_sample(client: Client, session: Session) -> Sample | None:
    """Return the WAL's position before a snapshot is taken; None if nothing is summarized."""
    if client.server_version.major < SUMMARIES_SINCE or not session.query(_ON)[0]["on"]:
        return None
    try:
        with client.session() as other:
            (at,), (following,) = other.query(_POSITION), other.query(_NEXT)
    # for example: no transaction IDs are left before the next VACUUM
    except DatabaseError as error:
        _log.warning("nothing can be known of changes: %s", error.message)
        return None
    started_at = datetime.fromisoformat(at["started"])
    return Sample(at["line"], at["position"], following["xid"], started_at)


class Tracker:
    """The changes to a snapshot's large tables, from the WAL. Thread-safe.

    Args:
        client: of the server, for sessions beside the one that holds the snapshot.
        name: of the database.
        session: the session whose transaction has taken the snapshot, and done nothing else.
        tables: its large tables.
        sample: the sample taken before; None if nothing is known.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        session: Session,
        tables: Sequence[LargeTable],
        sample: Sample | None,
    ) -> None:
        self._client = client
        self._name = name
        self._tables = tables
        self._sample = sample
        self._lock = threading.Lock()
        self._seal: Seal | None = None
        self._checkpointing: Session | None = None
        self._stopping = threading.Event()
        # Pairs of a position and the first transaction ID that was not assigned there.
        self._pairs: list[tuple[int, int]] = []
        self._oldest = self._seen_until = 0
        if sample:
            self._pairs.append((sample.position, sample.next_xid))
            (oldest,) = session.query(_OLDEST)
            (here,) = session.query(_POSITION)
            self._oldest, self._seen_until = oldest["xid"], here["position"]

    def unchanged_since(self, base: Manifest) -> Unchanged:
        """Return the ranges that have the same bytes as in an earlier backup."""
        try:
            return self._unchanged_since(base)
        except NotKnown as why:
            return Unchanged(why_not=str(why))
        except DatabaseError as error:
            return Unchanged(why_not=error.message)

    def position(self) -> WalPosition | None:
        """Return the position from which changes can be known; None if they can't."""
        if self._sample is None:
            return None
        seal = self.seal()
        if seal.end is None:
            return None
        proven = [at for at, next_xid in self._pairs if next_xid <= self._oldest]
        return WalPosition(
            timeline=self._sample.timeline,
            changes_from=max(proven, default=None),
            sampled_at=self._sample.position,
            sampled_next_xid=self._sample.next_xid,
            sealed_at=seal.end,
            server_started_at=self._sample.server_started_at,
        )

    def seal(self) -> "Seal":
        """Have all WAL up to the snapshot summarized, and so flushed to disk."""
        with self._lock:
            if self._seal is None:
                self._seal = self._make_seal()
            return self._seal

    def stop(self) -> None:
        """Stop waiting, from any thread: the result is no longer needed."""
        self._stopping.set()
        if self._checkpointing:
            self._checkpointing.interrupt()

    def _make_seal(self) -> "Seal":
        if self._sample is None:
            return Seal(None, "the server keeps no WAL summaries: set summarize_wal = on (17+)")
        try:
            with self._client.session(self._name) as session:
                self._checkpointing = session
                if not self._stopping.is_set():
                    session.run("CHECKPOINT")
            give_up_at = time.monotonic() + _SEAL_SECONDS
            while time.monotonic() < give_up_at and not self._stopping.wait(_PAUSE_SECONDS):
                ends = [s.end for s in self._summaries(self._seen_until - 1)]
                if ends:
                    return Seal(min(ends))
        except DatabaseError as error:
            return Seal(None, f"no checkpoint could be made: {error.message}")
        return Seal(None, f"the WAL was not summarized within {_SEAL_SECONDS:.0f} s")

    def _unchanged_since(self, base: Manifest) -> Unchanged:
        position = base.wal
        if position is None or position.changes_from is None:
            raise NotKnown("the backup before does not say from where on changes count")
        seal = self.seal()
        if seal.end is None or self._sample is None:
            raise NotKnown(seal.why_not)
        check_server(position, self._sample)
        summaries = self._summaries(position.changes_from)
        check_seal(position, summaries)
        check_gaps(summaries, position.changes_from, self._seen_until)
        segments = frozenset(self._unchanged_segments(base, position.changes_from))
        if not {*summaries} <= {*self._summaries(position.changes_from)}:
            raise NotKnown("WAL summaries were removed just now")
        with self._lock:
            self._pairs.append((position.sampled_at, position.sampled_next_xid))
            self._pairs.append((position.changes_from, 0))  # as the parent's own position shows
        return Unchanged(segments)

    def _unchanged_segments(self, base: Manifest, changes_from: int) -> Iterator[str]:
        before = {part.table.oid: part for part in base.parts if part.table}
        same = [
            table
            for table in self._tables
            if table.tracked
            and table.relation.oid in before
            and before[table.relation.oid].table == table.table
        ]
        changes = self._changes(same, changes_from)
        for table in same:
            changed = changes.get(table.table.filenode, frozenset())
            if changed is not None:
                known = _whole_ranges(before[table.relation.oid], table.range_blocks)
                yield from (segment_key(table.table.oid, first) for first in known - changed)

    def _changes(
        self, tables: Sequence[LargeTable], changes_from: int
    ) -> dict[int, frozenset[int] | None]:
        """Return the first blocks of the ranges that were written; None for a truncated table."""
        if not tables or self._sample is None:
            return {}
        blocks = {table.table.filenode: table.range_blocks for table in tables}
        asked = blocks | {_ALL_FILES: 1}
        values = ", ".join(f"({filenode}::oid, {count})" for filenode, count in asked.items())
        database = tables[0].database
        rows = self._client.query(
            _CHANGES % (values, self._sample.timeline, changes_from, database)
        )
        cut = {row["filenode"] for row in rows if row["cut"]}
        changes: dict[int, frozenset[int] | None] = {}
        for filenode, count in blocks.items():
            firsts = {row["number"] * count for row in rows if row["filenode"] == filenode}
            changes[filenode] = None if cut & {filenode, _ALL_FILES} else frozenset(firsts)
        return changes

    def _summaries(self, after: int) -> tuple[Summary, ...]:
        """Return the summaries that reach past a position, in order."""
        line = self._sample.timeline if self._sample else 0
        rows = self._client.query(_SUMMARIES % (line, after))
        return tuple(Summary(row["start"], row["end"]) for row in rows)


@frozen
class Seal:
    """Return the end of a summary that covers all that a snapshot sees, or why there is none."""

    end: int | None
    why_not: str = ""


def _whole_ranges(part: Part, range_blocks: int) -> frozenset[int]:
    """Return the first blocks of the ranges of a stored table, with our range size."""
    ranges = (blob.begins.blocks for blob in part.blobs if blob.begins)
    return frozenset(each.first for each in ranges if each.end == each.first + range_blocks)
