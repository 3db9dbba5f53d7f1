"""Parts of a backup: their blobs, and the ranges of large tables."""

from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Any

from attrs import Factory, frozen

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
    """Rows of one large table, range by range of its blocks, as COPY writes them."""


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
    """A large table, as manifests know it: by number, never by name."""

    oid: int
    filenode: int
    """Of its heap: a rewrite (TRUNCATE, VACUUM FULL) gives it another one."""
    signature: str
    """A hash of what else the bytes of unchanged blocks depend on: columns, types, settings."""
    format: str
    """A `RowFormat`."""


@frozen
class Relation:
    """What a large table is called, and the columns that its rows are written with."""

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
    """The range of a large table that begins with this blob; further blobs may belong to it."""


@frozen
class PartSpec:
    """Something to be read: a part of a snapshot, or one segment of it.

    Plain and picklable, so that any worker can read it.
    """

    kind: str
    name: str
    """What people call the part."""
    detail: Hashable
    """What else it takes to read it: frozen, picklable, and for the dumper that made it alone."""
    segment: str = ""
    """The key of the segment, which no other segment of the backup has; empty for a whole part."""
    estimate_bytes: int | None = None
    """About how much work it is, as far as it is known before anything is read."""
    head_bytes: int = 0
    """How many bytes at the beginning differ each time although nothing changed, such as a time
    stamp: they get a blob of their own, so that all others can be recognised."""


@frozen
class Segment:
    """A stored segment of a part: it can be reused, and loaded, by itself."""

    key: str
    blobs: tuple[BlobRef, ...]
    rows: int | None = None
    """How many rows it has, where rows are counted."""

    @property
    def size_bytes(self) -> int:
        """Its plaintext."""
        return sum(ref.size_bytes for ref in self.blobs)


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
