"""How a database is read."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from attrs import frozen

from brownie_backup.model import (
    Database,
    DatabaseId,
    Manifest,
    Part,
    PartSpec,
    Segment,
    WalPosition,
)
from brownie_backup.model.findings import Finding
from brownie_backup.model.reports import RestoreOptions, TableRange
from brownie_backup.protocols.target import Target


@frozen
class Unchanged:
    """Segments known to be unchanged since an earlier backup, without reading them again."""

    segments: AbstractSet[str] = frozenset()
    """The keys of these segments."""
    why_not: str = ""
    """Why nothing is known."""


class Snapshot(Protocol):
    """One consistent state of a database, held while its parts are read."""

    @property
    def database_id(self) -> DatabaseId:
        """The identity of the database."""
        ...

    @property
    def database(self) -> Database:
        """The description of the database for the manifest.

        It is asked for when all parts have been read; measuring the size may take a while.
        """
        ...

    @property
    def parts(self) -> tuple[PartSpec, ...]:
        """The parts to read."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user may expect in the backup but won't find there, and why."""
        ...

    def unchanged_since(self, base: Manifest) -> Unchanged:
        """Return which segments have the same bytes as in an earlier backup.

        It may take a while, and another thread may read parts meanwhile. Segments that it is not
        certain of are left out.
        """
        ...

    def wal(self) -> WalPosition | None:
        """Return where the WAL starts to tell the next backup what changed; None if it can't."""
        ...


class Reader(Protocol):
    """Reads parts for one worker, one after the other."""

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Yield the bytes of a part or a segment; return the number of rows, if rows are counted.

        It raises `DumpFailed` *inside* the iteration when the dump fails, so that no failure can
        look like the end of the data. Closing the iterator ends the work.
        """
        ...


@runtime_checkable
class KnowsSize(Protocol):
    """A dumper that knows how large its database is; `brownie-backup doctor` asks it."""

    def database_size_bytes(self) -> int:
        """Return the size of the database on the server's disk."""
        ...


class Dumper(Protocol):
    """Reads a database, part by part, and loads its own parts back."""

    @property
    def kind(self) -> str:
        """What kind of backup this makes: ``logical``."""
        ...

    def database_name(self) -> str:
        """Return the name of the database; ask the server if nothing else says it."""
        ...

    def database_id(self) -> DatabaseId:
        """Return the identity of the database, asking the server: the manifest will have it too."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a consistent snapshot; leaving it ends every session and child process."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a reader for parts of any snapshot that is held, in this process or another.

        Several workers may read at once, each with its own reader.
        """
        ...

    def split(self, part: PartSpec) -> Iterator[PartSpec] | None:
        """Yield the segments of a part, in order; return None if it is read in one stream.

        Any worker may read any of them. Their boundaries are the same each time, so that unchanged
        data gives the same bytes.
        """
        ...

    def join(self, part: PartSpec, segments: Sequence[Segment]) -> Part:
        """Return a part as the manifest has it, once all its segments are stored."""
        ...

    def segments(self, part: Part) -> Iterator[Segment] | None:
        """Yield the segments of a stored part, in order; None if it was read in one stream."""
        ...

    def locate(self, segment: PartSpec) -> TableRange:
        """Return a description of a segment for messages."""
        ...

    def complete(self, inventory: bytes, parts: Sequence[Part]) -> bytes:
        """Return the inventory with a list of the other parts, once all of them are stored."""
        ...

    def compare(self, inventory: bytes, parts: Sequence[Part]) -> None:
        """Raise `DamagedError` unless the parts are those that the inventory lists, if it does."""
        ...

    def check(self, part: Part, chunks: Iterable[bytes]) -> None:
        """Read a stored part to its end without loading it; raise `DamagedError` if it is bad."""
        ...

    def restoring(
        self, source: Database, target_database: str, options: RestoreOptions, token: str
    ) -> AbstractContextManager[Target]:
        """Begin a restore into `target_database`; `token` makes temporary names unique."""
        ...

    def diagnose(self, *, jobs: int = 1) -> Iterator[Finding]:
        """Yield what would make a backup fail or be incomplete, and what is fine.

        Backups read the database with so many `jobs`.
        """
        ...
