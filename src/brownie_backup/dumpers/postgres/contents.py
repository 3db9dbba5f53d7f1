"""What an archive contains, by ``pg_restore --list --verbose``, and what of it some tables need.

Pure. pg_dump knows what depends on what, and writes it into the archive: so nothing is guessed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from attrs import evolve, frozen

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.*)")
_NEEDS = ";\tdepends on: "

TABLE = "TABLE"
TABLE_DATA = "TABLE DATA"
FOREIGN_KEY = "FK CONSTRAINT"
_RELATIONS = {TABLE, "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}
_ATTACHMENTS = {"TABLE ATTACH", "INDEX ATTACH"}
_CONSTRAINTS = {"CONSTRAINT", "CHECK CONSTRAINT", FOREIGN_KEY}
_NAMING_THEIR_TABLE = {*_CONSTRAINTS, "DEFAULT", "TRIGGER", "RULE", "POLICY"}
"""The label of these begins with that of the table that they are on."""
_OF_A_TABLE = {
    *("INDEX", "STATISTICS", "STATISTICS DATA", "ROW SECURITY", "SEQUENCE"),
    *(TABLE_DATA, "MATERIALIZED VIEW DATA"),
}
_OF_ANYTHING = {"ACL", "COMMENT", "SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET"}
_BELONGING = _ATTACHMENTS | _NAMING_THEIR_TABLE | _OF_A_TABLE | _OF_ANYTHING
# The longest first. What has no number of a catalogue is told from what has one, so that a schema
# named DATA does not make a TABLE look like a TABLE DATA.
_KINDS = sorted(_RELATIONS | _BELONGING | {"DEFAULT ACL"}, key=len, reverse=True)
_WITHOUT_CATALOG = (
    _ATTACHMENTS
    | _OF_ANYTHING
    | {
        *(TABLE_DATA, "MATERIALIZED VIEW DATA", "STATISTICS DATA", "ROW SECURITY"),
    }
)


@frozen
class Entry:
    """One object, or the rows of one."""

    id: int
    oid: int
    kind: str
    label: str
    """Schema, name and owner, with blanks between: for people, since names may have blanks too."""
    line: str
    needs: frozenset[int] = frozenset()

    @property
    def title(self) -> str:
        """The label for a message."""
        return self.label.rpartition(" ")[0].replace(" ", ".", 1)


Contents = Mapping[int, Entry]
"""The entries by their numbers, in the order of the archive."""


@frozen
class Choice:
    """What of an archive is restored."""

    entries: frozenset[int]
    tables: frozenset[int]
    """The oids of the tables that come with their rows."""
    bare: tuple[Entry, ...] = ()
    """Tables that come without rows: others need their definition."""
    left_out: tuple[Entry, ...] = ()
    """What is on these tables, but refers to others that don't come with them."""


def parse_contents(listing: str) -> Contents:
    """Read a verbose listing."""
    contents: dict[int, Entry] = {}
    last = 0
    for line in listing.split("\n"):
        found = _LINE.fullmatch(line)
        if found:
            last, catalog, oid = (int(number) for number in found.groups()[:3])
            kind = _kind_of(found[4], has_catalog=catalog > 0)
            contents[last] = Entry(last, oid, kind, found[4][len(kind) + 1 :], line)
        elif line.startswith(_NEEDS):
            needs = frozenset(int(number) for number in line.removeprefix(_NEEDS).split())
            contents[last] = evolve(contents[last], needs=needs - {last})
    return contents


def numbers_in(listing: str) -> frozenset[int]:
    """Return the numbers of the entries that a listing has."""
    return frozenset(int(m[1]) for m in map(_LINE.fullmatch, listing.split("\n")) if m)


def lines_for(contents: Contents, entries: AbstractSet[int]) -> str:
    """Return what ``pg_restore --use-list`` reads."""
    return "".join(f"{entry.line}\n" for entry in contents.values() if entry.id in entries)


def choose(
    contents: Contents,
    tables: AbstractSet[int],
    others: AbstractSet[int] = frozenset(),
    *,
    indexes: bool = True,
    constraints: bool = True,
) -> Choice:
    """Return what is to be restored for some tables, with their partitions.

    That is all that is theirs, and all that any of it needs. What is theirs but refers to a
    further table is left out; where a table itself needs one (it inherits), that comes bare.

    Args:
        contents: of the archive.
        tables: numbers of entries.
        others: more entries to restore, views for instance, if these tables are all they need.
        indexes: whether indexes come too; those of constraints do in any case.
        constraints: whether constraints come too; those in a table's definition do in any case.
    """
    graph = _Graph(contents)
    owners = graph.with_partitions(tables)
    chosen, left_out = graph.all_needs(owners), []
    for entry in _roots(contents, others):
        needed = graph.all_needs({entry.id})
        if graph.relations(needed) <= owners | others:
            chosen |= needed
            owners |= graph.relations(needed)
        else:
            left_out.append(entry)
    unwanted = ({"INDEX"} if not indexes else set()) | (_CONSTRAINTS if not constraints else set())
    candidates = [e for e in contents.values() if e.kind in _BELONGING and e.kind not in unwanted]
    before = -1
    while before != len(chosen):  # a comment on an index comes after the index
        before, again = len(chosen), []
        for entry in candidates:
            if not graph.belongs(entry, owners, chosen):
                again.append(entry)
                continue
            needed = graph.all_needs({entry.id})
            direct = graph.relations(graph.needs[entry.id])
            beyond = not graph.relations(needed) <= chosen or not direct <= owners
            if entry.kind in _ATTACHMENTS:
                if graph.needs[entry.id] <= chosen:
                    chosen.add(entry.id)
                else:
                    again.append(entry)
            elif beyond or any(contents[n].kind in unwanted for n in needed):
                left_out.append(entry)
            else:
                chosen |= needed
        candidates = again
    rows = {number for number in owners if contents[number].kind == TABLE}
    bare = graph.relations(chosen) - owners
    return Choice(
        frozenset(chosen),
        frozenset(contents[number].oid for number in rows),
        tuple(contents[number] for number in sorted(bare)),
        tuple(left_out),
    )


class _Graph:
    """What needs what. A partition does not need what it is attached to, nor do its indexes."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.needs = {e.id: e.needs & contents.keys() for e in contents.values()}
        self._partitions: dict[int, set[int]] = {}
        for entry in contents.values():
            if entry.kind not in _ATTACHMENTS:
                continue
            kinds = {TABLE} if entry.kind == "TABLE ATTACH" else {"INDEX", "CONSTRAINT"}
            two = {n for n in self.needs[entry.id] if contents[n].kind in kinds}
            for part in two:
                for whole in two & self.needs[part]:
                    self.needs[part] -= {whole}
                    self._partitions.setdefault(whole, set()).add(part)

    def with_partitions(self, tables: Iterable[int]) -> set[int]:
        """Return the tables, and their partitions, and theirs."""
        found: set[int] = set()
        waiting = [*tables]
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self._partitions.get(number, ())
        return found

    def all_needs(self, numbers: Iterable[int]) -> set[int]:
        """Return the entries, and what they need, and so on."""
        found: set[int] = set()
        waiting = [*numbers]
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self.needs[number]
        return found

    def relations(self, numbers: Iterable[int]) -> set[int]:
        """Return those that are tables, or much like tables."""
        return {number for number in numbers if self._contents[number].kind in _RELATIONS}

    def belongs(self, entry: Entry, owners: AbstractSet[int], chosen: AbstractSet[int]) -> bool:
        """Whether an entry is a part of one of the owners, or says something of what is chosen."""
        if entry.kind in _OF_ANYTHING:
            return not self.needs[entry.id].isdisjoint(chosen)
        holders = self.needs[entry.id] & owners
        if entry.kind in _NAMING_THEIR_TABLE:
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
        if free or entry.kind not in {*_BELONGING, TABLE, "PUBLICATION"}:
            yield entry


def _is_on(entry: Entry, table: Entry) -> bool:
    """Whether the label has the table's schema, name and owner, with more before the owner."""
    words = table.label.split(" ")
    return any(
        entry.label.startswith(" ".join(words[:end]) + " ")
        and entry.label.endswith(" " + " ".join(words[end:]))
        for end in range(1, len(words) + 1)
    )


def _kind_of(text: str, *, has_catalog: bool) -> str:
    for kind in _KINDS:
        if text.startswith(kind + " ") and has_catalog != (kind in _WITHOUT_CATALOG):
            return kind
    return text.partition(" ")[0]
