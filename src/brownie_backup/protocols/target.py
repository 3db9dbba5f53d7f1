"""How a database is restored."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from brownie_backup.model import PartSpec, Relation
from brownie_backup.model.reports import Finding, RestoredTable


class Target(Protocol):
    """A database being restored. Left by an exception, it leaves the server as it was."""

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Say what is missing, before anything is changed. `archive_bytes` may need room here."""
        ...

    def receive(self, parts: Iterable[tuple[PartSpec, Iterable[bytes]]]) -> tuple[Finding, ...]:
        """Take the parts that are no tables, and say what would be loaded; change nothing.

        What an iterable yields has been authenticated; an exception that it raises is passed on.
        """
        ...

    def load(
        self, tables: Mapping[int, Iterator[tuple[PartSpec, Iterable[bytes]]]]
    ) -> tuple[Finding, ...]:
        """Make a fresh database and load everything; `RestoreFailed` has all that went wrong.

        `tables` has, for the oid of each bulk table, the ranges of its rows, in order. Any thread
        may take the next one from an iterator, but no two at once, and may then read it beside
        others. What is not taken is not fetched.
        """
        ...

    def finish(self) -> tuple[Finding, ...]:
        """Check what was loaded, analyse it, and put it into its place."""
        ...

    @property
    def relations(self) -> Mapping[int, Relation]:
        """What the bulk tables to load are called, by their oids.

        They are known after `preflight`, or if not everything was asked for, after `receive`.
        """
        ...

    @property
    def replaced_database(self) -> str | None:
        """The name under which the database that was in the way is kept, after `finish`."""
        ...

    @property
    def created_roles(self) -> tuple[str, ...]:
        """The roles that were created on the server."""
        ...

    @property
    def tables(self) -> tuple[RestoredTable, ...]:
        """The tables that were asked for, after `load`; none, if everything was."""
        ...
