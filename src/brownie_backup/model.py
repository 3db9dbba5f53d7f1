"""What brownie-backup knows, as frozen data: backups, their parts, policies and reports.

Sizes are bytes, instants are UTC-aware datetimes, durations are timedeltas.
Classes that are stored carry `unknown`: the fields that a newer version wrote and this one keeps.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from attrs import Factory, field, frozen
from attrs.validators import ge, instance_of, le, optional

FORMAT = 1
"""The manifest format that this version writes (docs/format.md)."""

Unknown = Mapping[str, Any]


def _no_fields() -> Unknown:
    return {}


class PartKind(StrEnum):
    """What a part holds. A manifest may name kinds that this version does not know."""

    INVENTORY = "inventory"
    """JSON: roles, tablespaces, extensions and object counts that a restore checks."""
    GLOBALS = "globals"
    """SQL of ``pg_dumpall --globals-only``."""
    ARCHIVE = "archive"
    """A ``pg_dump --format=custom`` archive."""
    TABLE = "table"
    """Rows of one bulk table, range by range of its blocks, as COPY writes them."""


class RowFormat(StrEnum):
    """How COPY writes the rows of a table."""

    TEXT = "text"
    BINARY = "binary"


@frozen
class BlockRange:
    """Blocks of a heap: ``first`` up to, not including, ``end``."""

    first: int
    end: int


@frozen
class RowRange:
    """The rows that a range of blocks had."""

    blocks: BlockRange
    rows: int


@frozen
class Table:
    """A bulk table, as manifests know it: by number, never by name."""

    oid: int
    filenode: int
    """Of its heap: a rewrite (TRUNCATE, VACUUM FULL) gives it another one."""
    signature: str
    """A hash of what else the bytes of unchanged blocks depend on: columns, types, settings."""
    format: str
    """A `RowFormat`."""


@frozen
class Relation:
    """What a bulk table is called, and the columns that its rows are written with."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    format: str
    """A `RowFormat`."""


@frozen
class BlobRef:
    """One blob of a part: its name, the plaintext's size and the size as stored."""

    name: str
    size_bytes: int
    stored_bytes: int
    begins: RowRange | None = None
    """The range of a bulk table that begins with this blob; further blobs may belong to it."""


@frozen
class PartSpec:
    """A part still to be read: plain and picklable, so that any worker can read it."""

    kind: str
    database: str
    snapshot: str | None = None
    head_bytes: int = 0
    """How many bytes at the beginning differ each time although nothing changed, such as a time
    stamp: they get a blob of their own, so that all others can be recognised."""
    table: Table | None = None
    relation: Relation | None = None
    """What the table is called; None for a stored part, which does not say."""
    blocks: BlockRange | None = None
    """Which blocks of the table; whoever reads them may cut them at multiples of
    `range_blocks`."""
    range_blocks: int = 0
    rows: int | None = None
    """How many rows there are, of a stored part."""
    estimate_bytes: int | None = None
    """About how much work it is, as the catalogue tells before anything is read."""
    apart: tuple[Relation, ...] = ()
    """The bulk tables, which the inventory names, and of which the archive has no rows."""


@frozen
class Part:
    """A stored part: its blobs, in order."""

    kind: str
    size_bytes: int
    blobs: tuple[BlobRef, ...] = ()
    rows: int | None = None
    table: Table | None = None
    blob_lists: tuple[str, ...] = ()
    """The objects that hold the list of blobs, when it is too long for the manifest."""
    unknown: Unknown = Factory(_no_fields)


@frozen
class Extension:
    """An installed extension."""

    name: str
    version: str


@frozen
class DatabaseId:
    """Which database a backup is of: a name alone may be that of one in every cluster."""

    system_identifier: str
    name: str

    def __str__(self) -> str:
        return f"'{self.name}' of cluster {self.system_identifier}"


@frozen
class Database:
    """What a manifest says of the database itself. No user data: tables are not named here."""

    name: str
    system_identifier: str
    server_version: str
    client_version: str
    size_bytes: int
    encoding: str
    locale: str
    extensions: tuple[Extension, ...] = ()
    unknown: Unknown = Factory(_no_fields)

    @property
    def id(self) -> DatabaseId:
        """Which database it is."""
        return DatabaseId(self.system_identifier, self.name)


@frozen
class WalPosition:
    """Where in the WAL a backup stands: see docs/explanation/incremental.md.

    Positions are byte offsets, as PostgreSQL's type pg_lsn counts.
    """

    timeline: int
    changes_from: int | None
    """Whatever the backup does not see was written at this position or later; None if a
    transaction ran too long for anybody to say."""
    sampled_at: int
    """A position, and a transaction number that had not been given out at it: from the time on
    when no older one runs, nothing unseen was written before that position."""
    sampled_next_xid: int
    sealed_at: int
    """Where WAL summaries end, at or after the snapshot: all that it saw is on the server's disk,
    and a server that is set back has no such end there later."""
    server_started_at: datetime
    """Since when the server ran: one that was started again may have been set back unnoticed."""


@frozen
class Encryption:
    """How blobs are encrypted, and for whom; never with what."""

    method: str
    identity: str


@frozen
class Manifest:
    """A backup: it exists if and only if this does."""

    name: str
    id: str
    kind: str
    repository_id: str
    hash_key: str
    started_at: datetime
    finished_at: datetime
    database: Database
    compression: str
    encryption: Encryption
    parts: tuple[Part, ...]
    new_bytes: int
    tool_version: str
    labels: Mapping[str, str] = Factory(dict)
    notes: tuple[str, ...] = ()
    wal: WalPosition | None = None
    """From where on the WAL tells the next backup what has changed; None if it can't."""
    read_fully_at: datetime | None = None
    """When every block was last read, by this backup or an earlier one; None for this one."""
    format: int = FORMAT
    unknown: Unknown = Factory(_no_fields)

    @property
    def size_bytes(self) -> int:
        """Plaintext of all parts."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def stored_bytes(self) -> int:
        """What a store holds for this backup, counting shared blobs in full."""
        return sum({blob.name: blob.stored_bytes for blob in self.blobs}.values())

    @property
    def blobs(self) -> tuple[BlobRef, ...]:
        """Every blob of every part, in order."""
        return tuple(blob for part in self.parts for blob in part.blobs)

    @property
    def duration(self) -> timedelta:
        """From the start of the dump to the manifest."""
        return self.finished_at - self.started_at


class Status(StrEnum):
    """What is known of a backup's health without reading its blobs."""

    GOOD = "good"
    DAMAGED = "damaged"
    """A blob is missing or has another size, its verification failed, or its manifest is bad."""


@frozen
class Verification:
    """The outcome of the last time a backup's blobs were read back."""

    backup: str
    manifest_id: str
    verified_at: datetime
    good: bool
    checked_blobs: int
    total_blobs: int
    damaged_blobs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    resized: Mapping[str, int] = Factory(dict)
    """Good blobs that were stored again and now have another size than their manifest says."""

    @property
    def complete(self) -> bool:
        """Whether every blob was read, not a sample."""
        return self.checked_blobs >= self.total_blobs


@frozen
class Hold:
    """Somebody's word that a backup must stay, whatever the policy says."""

    backup: str
    manifest_id: str
    held_at: datetime
    by: str
    until: datetime | None = None
    """When it ends by itself; None for never."""

    def counts(self, now: datetime) -> bool:
        """Whether it is not over."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        until = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        return f"held{until}, by {self.by}"


@frozen
class Attempt:
    """The last time that a backup of a database was begun; the catalogue tells how it ended."""

    database: str
    backup: str
    started_at: datetime


@frozen
class Backup:
    """An entry of the catalogue. `manifest` is None when it cannot be read."""

    name: str
    status: Status
    manifest: Manifest | None
    problem: str = ""
    verification: Verification | None = None
    hold: Hold | None = None

    @property
    def good(self) -> bool:
        """Whether retention may count on it and ``latest`` may mean it."""
        return self.status is Status.GOOD


_NO_TIME = timedelta(0)


def _thirty_days() -> timedelta | None:
    return timedelta(days=30)


_count = field(default=0, validator=[instance_of(int), ge(0)])


@frozen
class RetentionPolicy:
    """Which backups of a database to keep: all that at least one of these rules keeps.

    The rules that count take good backups only. Those by periods keep the newest one of each of
    the last so many periods that have one; hours, days, weeks (from Monday), months and years are
    those of UTC. With neither `keep_within` nor any count, nothing is deleted.
    """

    keep_within: timedelta | None = field(factory=_thirty_days, validator=optional(ge(_NO_TIME)))
    """Keep what is younger, good or not. None turns the rule off."""
    keep_last: int = _count
    keep_hourly: int = _count
    keep_daily: int = _count
    keep_weekly: int = _count
    keep_monthly: int = _count
    keep_yearly: int = _count
    keep_labels: tuple[str, ...] = ()
    """Keep what has such a label: ``key`` for any value, or ``key=value``."""
    keep_min: int = field(default=1, validator=ge(1))
    """How many of the newest good ones stay whatever the rules say."""
    most_deleted_share: float = field(default=0.5, validator=[ge(0), le(1)])
    """Deleting more of a database's backups than that at once wants to be confirmed."""

    @property
    def counts(self) -> bool:
        """Whether there is a rule that counts backups or periods."""
        return bool(
            self.keep_last
            or self.keep_hourly
            or self.keep_daily
            or self.keep_weekly
            or self.keep_monthly
            or self.keep_yearly
        )

    @property
    def deletes(self) -> bool:
        """Whether there is a rule that lets any backup go."""
        return self.keep_within is not None or self.counts
