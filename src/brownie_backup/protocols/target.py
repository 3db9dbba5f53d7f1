"""How a database is restored."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from brownie_backup.model import Part, Segment
from brownie_backup.model.findings import Finding
from brownie_backup.model.reports import RestoredDatabase


class Target(Protocol):
    """A database being restored. Left by an exception, it leaves the server as it was."""

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Say what is missing, before anything is changed. `archive_bytes` may need room here."""
        ...

    def receive(self, parts: Iterable[tuple[Part, Iterable[bytes]]]) -> tuple[Finding, ...]:
        """Take the parts that have no segments, and say what would be loaded; change nothing.

        What an iterable yields has been authenticated; an exception that it raises is passed on.
        """
        ...

    def wanted(self, part: Part) -> Iterator[Segment]:
        """Yield the segments of a part that are to be loaded, in order.

        They are known after `preflight`, or if not everything was asked for, after `receive`.
        """
        ...

    def name_of(self, part: Part) -> str:
        """Return what people call a part."""
        ...

    def load(
        self, parts: Sequence[tuple[Part, Iterator[tuple[Segment, Iterable[bytes]]]]]
    ) -> tuple[Finding, ...]:
        """Make a fresh database and load everything; `RestoreFailed` has all that went wrong.

        With each part that has segments come those that are wanted, in order. Any thread may take
        the next one from an iterator, but no two at once, and may then read it beside others. What
        is not taken is not fetched.
        """
        ...

    def finish(self) -> tuple[Finding, ...]:
        """Check what was loaded, analyse it, and put it into its place."""
        ...

    def report(self) -> RestoredDatabase:
        """Return what was done on the server so far."""
        ...
