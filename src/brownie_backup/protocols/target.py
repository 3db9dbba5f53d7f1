"""How a database is restored."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from brownie_backup.model import Part, Segment
from brownie_backup.model.findings import Finding
from brownie_backup.model.restored import RestoredDatabase


class Target(Protocol):
    """A database being restored. If an exception leaves its context, the server stays as it was."""

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Yield findings about what is missing, before anything is changed.

        `archive_bytes` may need room here.
        """
        ...

    def receive(
        self, parts: Iterable[tuple[Part, Iterable[bytes]]], *, contents_only: bool = False
    ) -> tuple[Finding, ...]:
        """Take the parts that have no segments, and return what would be loaded; change nothing.

        It also yields findings about what would fail. With `contents_only` nothing will be loaded,
        so that it need not read the parts to their ends.

        The bytes that an iterable yields are authenticated; an exception that it raises is passed
        on.
        """
        ...

    def wanted(self, part: Part) -> Iterator[Segment]:
        """Yield the segments of a part that are to be loaded, in order.

        They are known after `preflight`, or for a selective restore, after `receive`.
        """
        ...

    def name_of(self, part: Part) -> str:
        """Return the part's name in messages."""
        ...

    def load(
        self, parts: Sequence[tuple[Part, Iterator[tuple[Segment, Iterable[bytes]]]]]
    ) -> tuple[Finding, ...]:
        """Create a fresh database and load everything; `RestoreFailed` lists all errors.

        Each part that has segments comes with an iterator of the wanted segments, in order. Any
        thread may take the next segment, but only one thread at a time. Threads may read the
        segments that they have taken at the same time. A segment that is not taken is not fetched.
        """
        ...

    def finish(self) -> tuple[Finding, ...]:
        """Check the loaded data, analyse it, and put the database in place."""
        ...

    def report(self) -> RestoredDatabase:
        """Return what was done on the server so far."""
        ...
