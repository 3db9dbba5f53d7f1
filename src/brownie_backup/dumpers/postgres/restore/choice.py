"""The entries of an archive that some tables need. Pure."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from attrs import frozen

from brownie_backup.dumpers.postgres.restore.contents import (
    ATTACHMENTS,
    BELONGING,
    CONSTRAINTS,
    NAMING_THEIR_TABLE,
    OF_ANYTHING,
    RELATIONS,
    TABLE,
    Contents,
    Entry,
)
from brownie_backup.dumpers.postgres.restore.reachable import reachable


@frozen
class Choice:
    """The entries of an archive to restore."""

    entries: frozenset[int]
    tables: frozenset[int]
    """The OIDs of the tables that come with their rows."""
    bare: tuple[Entry, ...] = ()
    """Tables that come without rows: other tables need their definition."""
    left_out: tuple[Entry, ...] = ()
    """Entries that belong to these tables, but refer to tables that are not restored."""


def choose(
    contents: Contents,
    tables: AbstractSet[int],
    others: AbstractSet[int] = frozenset(),
    *,
    indexes: bool = True,
    constraints: bool = True,
) -> Choice:
    """Return the entries to restore for some tables, with their partitions.

    These are all entries that belong to the tables, and all that those need. An entry that belongs
    to a table but refers to another table is left out. If a table itself needs another table (it
    inherits), that one comes without rows.

    Args:
        contents: the contents of the archive.
        tables: the tables' entry numbers.
        others: more entries to restore, views for instance, if these tables are all they need.
        indexes: whether indexes come too; those of constraints do in any case.
        constraints: whether constraints come too; those in a table's definition do in any case.
    """
    unwanted = (set() if indexes else {"INDEX"}) | (set() if constraints else CONSTRAINTS)
    choosing = _Choosing(contents, tables, unwanted)
    choosing.take_others(others)
    choosing.take_belongings()
    return choosing.result()


class _Choosing:
    """A choice while it is being made."""

    def __init__(
        self, contents: Contents, tables: AbstractSet[int], unwanted: AbstractSet[str]
    ) -> None:
        self._contents = contents
        self._graph = Graph(contents)
        self._unwanted = unwanted
        # The requested entries, as opposed to those that are only needed.
        self._owners = self._graph.with_partitions(tables)
        self._chosen = self._graph.all_needs(self._owners)
        self._left_out: list[Entry] = []

    def take_others(self, others: AbstractSet[int]) -> None:
        """Take standalone objects: views, functions, types."""
        allowed = self._owners | others
        for entry in _roots(self._contents, others):
            needed = self._graph.all_needs({entry.id})
            relations = self._graph.relations(needed)
            if relations <= allowed:
                self._chosen |= needed
                self._owners |= relations
            else:
                self._left_out.append(entry)

    def take_belongings(self) -> None:
        """Take entries that belong to the chosen ones, or describe them."""
        waiting = [
            entry
            for entry in self._contents.values()
            if entry.kind in BELONGING and entry.kind not in self._unwanted
        ]
        before = -1
        while before != len(self._chosen):  # a comment on an index comes after the index
            before = len(self._chosen)
            waiting = [entry for entry in waiting if not self._take(entry)]

    def result(self) -> Choice:
        """Return the choice."""
        tables = (self._contents[number] for number in self._owners)
        bare = self._graph.relations(self._chosen) - self._owners
        return Choice(
            frozenset(self._chosen),
            frozenset(entry.oid for entry in tables if entry.kind == TABLE),
            tuple(self._contents[number] for number in sorted(bare)),
            tuple(self._left_out),
        )

    def _take(self, entry: Entry) -> bool:
        """Take an entry, or leave it out; return whether it could be decided."""
        direct = self._graph.needs[entry.id]
        if entry.kind in ATTACHMENTS:
            self._chosen |= {entry.id} if direct <= self._chosen else set()
            return direct <= self._chosen
        if not self._graph.belongs(entry, self._owners, self._chosen):
            return False
        needed = self._graph.all_needs({entry.id})
        within = (
            self._graph.relations(needed) <= self._chosen
            and self._graph.relations(direct) <= self._owners
        )
        if within and not any(self._contents[n].kind in self._unwanted for n in needed):
            self._chosen |= needed
        else:
            self._left_out.append(entry)
        return True


class Graph:
    """The dependencies. A partition does not need its parent, nor do its indexes."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.needs = {e.id: e.needs & contents.keys() for e in contents.values()}
        self._partitions: dict[int, set[int]] = {}
        for entry in contents.values():
            if entry.kind not in ATTACHMENTS:
                continue
            kinds = {TABLE} if entry.kind == "TABLE ATTACH" else {"INDEX", "CONSTRAINT"}
            two = {n for n in self.needs[entry.id] if contents[n].kind in kinds}
            for part in two:
                for whole in two & self.needs[part]:
                    self.needs[part] -= {whole}
                    self._partitions.setdefault(whole, set()).add(part)

    def with_partitions(self, tables: Iterable[int]) -> set[int]:
        """Return the tables with their partitions, recursively."""
        return reachable(tables, self._partitions)

    def all_needs(self, numbers: Iterable[int]) -> set[int]:
        """Return the entries with everything that they need, recursively."""
        return reachable(numbers, self.needs)

    def with_dependants(self, numbers: Iterable[int]) -> set[int]:
        """Return the entries with everything that needs them, recursively."""
        needing: dict[int, set[int]] = {}
        for number, needs in self.needs.items():
            for need in needs:
                needing.setdefault(need, set()).add(number)
        return reachable(numbers, needing)

    def relations(self, numbers: Iterable[int]) -> set[int]:
        """Return the entries that are tables, or similar to tables."""
        return {number for number in numbers if self._contents[number].kind in RELATIONS}

    def belongs(self, entry: Entry, owners: AbstractSet[int], chosen: AbstractSet[int]) -> bool:
        """Whether an entry is a part of one of the owners, or describes a chosen entry."""
        if entry.kind in OF_ANYTHING:
            return not self.needs[entry.id].isdisjoint(chosen)
        holders = self.needs[entry.id] & owners
        if entry.kind in NAMING_THEIR_TABLE:
            # A domain may have a constraint too.
            holders |= {n for n in self.needs[entry.id] & chosen if self._is_domain(n)}
            return any(_is_on(entry, self._contents[number]) for number in holders)
        return bool(holders)

    def _is_domain(self, number: int) -> bool:
        return self._contents[number].kind == "DOMAIN"


def _roots(contents: Contents, numbers: AbstractSet[int]) -> Iterator[Entry]:
    """Yield the entries that don't belong to another one."""
    for number in sorted(numbers & contents.keys()):
        entry = contents[number]
        free = entry.kind == "SEQUENCE" and not any(
            contents[n].kind == TABLE for n in entry.needs & contents.keys()
        )
        if free or entry.kind not in {*BELONGING, TABLE, "PUBLICATION"}:
            yield entry


def _is_on(entry: Entry, table: Entry) -> bool:
    """Whether the label has the table's schema, name and owner, with more before the owner."""
    words = table.label.split(" ")
    return any(
        entry.label.startswith(" ".join(words[:end]) + " ")
        and entry.label.endswith(" " + " ".join(words[end:]))
        for end in range(1, len(words) + 1)
    )
