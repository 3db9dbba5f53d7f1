"""Parts of a backup: their blobs, and the ranges of large tables."""

from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Any

from attrs import Factory, frozen

Unknown = Mapping[str, Any]


def _no_fields() -> Unknown:
    return {}


class PartKind(StrEnum):
    """The content of a part. A manifest may name kinds that this version does not know."""

    INVENTORY = "inventory"
    """JSON: the roles, tablespaces, extensions and object counts that a restore checks."""
    GLOBALS = "globals"
    """SQL of ``pg_dumpall --globals-only``."""
    ARCHIVE = "archive"
    """A ``pg_dump --format=custom`` archive."""
    TABLE = "table"
    """Rows of one large table in the format of COPY, block range by block range."""


class RowFormat(StrEnum):
    """The format in which COPY writes the rows of a table."""

    TEXT = "text"
    BINARY = "binary"


@frozen
class BlockRange:
    """Blocks of a heap: ``first`` up to, but not including, ``end``."""

    first: int
    end: int


@frozen
class RowRange:
    """The rows found in a range of blocks."""

    blocks: BlockRange
    rows: int


@frozen
class Table:
    """A large table in a manifest: identified by OID, never by name."""

    oid: int
    filenode: int
    """The relfilenode of its heap: a rewrite (TRUNCATE, VACUUM FULL) assigns a new one."""
    signature: str
    """A hash of everything else that the bytes of unchanged blocks depend on: columns, types,
    settings."""
    format: str
    """A `RowFormat`."""


@frozen
class Relation:
    """The name of a large table, and the columns that its rows are written with."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    format: str
    """A `RowFormat`."""


@frozen
class BlobRef:
    """One blob of a part: its name, its plaintext size and its stored size."""

    name: str
    size_bytes: int
    stored_bytes: int
    begins: RowRange | None = None
    """The range of a large table that begins with this blob; later blobs may belong to it too."""


@frozen
class PartSpec:
    """A unit of reading: a part of a snapshot, or one segment of a part.

    Plain and picklable, so that any worker can read it.
    """

    kind: str
    name: str
    """The part's name in messages."""
    detail: Hashable
    """Anything else that the dumper needs to read it: frozen, picklable, and opaque to others."""
    segment: str = ""
    """The key of the segment, unique in the backup; empty for a whole part."""
    estimate_bytes: int | None = None
    """An estimate of the work, made before anything is read."""
    head_bytes: int = 0
    """How many bytes at the beginning differ each time although nothing changed, such as a
    timestamp. They get a blob of their own, so that all other blobs can be reused."""


@frozen
class Segment:
    """A stored segment of a part: it can be reused and loaded on its own."""

    key: str
    blobs: tuple[BlobRef, ...]
    rows: int | None = None
    """The number of rows, where rows are counted."""

    @property
    def size_bytes(self) -> int:
        """Its plaintext size."""
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
    """The objects that hold the list of blobs, when the list is too long for the manifest."""
    unknown: Unknown = Factory(_no_fields)
