"""The contents of an archive, by ``pg_restore --list --verbose``, with all dependencies.

Pure. pg_dump knows the dependencies, and writes them into the archive: nothing is guessed.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from attrs import evolve, frozen

from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.errors import DamagedError
from brownie_backup.hints import BackupHint

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.*)")
_NEEDS = ";\tdepends on: "

TABLE = "TABLE"
TABLE_DATA = "TABLE DATA"
FOREIGN_KEY = "FK CONSTRAINT"
RELATIONS = {TABLE, "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}
ATTACHMENTS = {"TABLE ATTACH", "INDEX ATTACH"}
CONSTRAINTS = {"CONSTRAINT", "CHECK CONSTRAINT", FOREIGN_KEY}
NAMING_THEIR_TABLE = {*CONSTRAINTS, "DEFAULT", "TRIGGER", "RULE", "POLICY"}
"""Types whose label begins with the label of their table."""
_OF_A_TABLE = {
    *("INDEX", "STATISTICS", "STATISTICS DATA", "ROW SECURITY", "SEQUENCE"),
    *(TABLE_DATA, "MATERIALIZED VIEW DATA"),
}
OF_ANYTHING = {"ACL", "COMMENT", "SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET"}
BELONGING = ATTACHMENTS | NAMING_THEIR_TABLE | _OF_A_TABLE | OF_ANYTHING
# The longest first. Types without a catalog number are distinguished from those with one, so that a
# schema named DATA does not make a TABLE look like a TABLE DATA.
_KINDS = sorted(RELATIONS | BELONGING | {"DEFAULT ACL"}, key=len, reverse=True)
_WITHOUT_CATALOG = (
    ATTACHMENTS
    | OF_ANYTHING
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
    """Schema, name and owner, separated by blanks: for display only, since names may have blanks
    too."""
    line: str
    needs: frozenset[int] = frozenset()
    catalog: int = 0
    """The OID of the system catalogue that has the object; 0 if the entry is no object."""

    @property
    def title(self) -> str:
        """The label for a message."""
        return self.label.rpartition(" ")[0].replace(" ", ".", 1).removeprefix("-.")


Contents = Mapping[int, Entry]
"""The entries by their numbers, in the order of the archive."""


def parse_contents(listing: str) -> Contents:
    """Read a verbose listing; `DamagedError` if it is none."""
    try:
        return _parsed(listing)
    except (ValueError, KeyError):  # a number of thousands of digits; needs of no entry
        msg = "the table of contents of the archive cannot be read"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER) from None


def _parsed(listing: str) -> Contents:
    contents: dict[int, Entry] = {}
    last = 0
    for line in listing.split("\n"):
        found = _LINE.fullmatch(line)
        if found:
            last, catalog, oid = (int(number) for number in found.groups()[:3])
            kind = _kind_of(found[4], has_catalog=catalog > 0)
            contents[last] = Entry(
                last, oid, kind, found[4][len(kind) + 1 :], line, catalog=catalog
            )
        elif line.startswith(_NEEDS):
            needs = frozenset(int(number) for number in line.removeprefix(_NEEDS).split())
            contents[last] = evolve(contents[last], needs=needs - {last})
    return contents


def numbers_in(listing: str) -> frozenset[int]:
    """Return the entry numbers in a listing."""
    return frozenset(int(m[1]) for m in map(_LINE.fullmatch, listing.split("\n")) if m)


def tables_of(contents: Contents) -> dict[int, TableName]:
    """Return the tables' names, by their OIDs, for messages.

    A listing does not show where a name ends. A schema's name follows from the labels of its
    objects. A role that owns a table may own its schema too; otherwise its name has no blanks.
    """
    found = {}
    for entry in contents.values():
        if entry.kind == TABLE:
            schema, owner = _schema_of(contents, entry)
            rest = entry.label.removeprefix(f"{schema} ")
            name = rest.removesuffix(f" {owner}") if owner else rest
            found[entry.oid] = TableName(schema, name if name != rest else rest.rpartition(" ")[0])
    return found


def _schema_of(contents: Contents, table: Entry) -> tuple[str, str]:
    """Return the names of a table's schema and its owner, if they have entries."""
    for number in table.needs & contents.keys():
        words = contents[number].label.removeprefix("- ").split(" ")
        if contents[number].kind == "SCHEMA":
            for end in range(len(words) - 1, 0, -1):
                name = " ".join(words[:end])
                if table.label.startswith(f"{name} "):
                    return name, " ".join(words[end:])
    return table.label.partition(" ")[0], ""


def lines_for(contents: Contents, entries: AbstractSet[int]) -> str:
    """Return the input of ``pg_restore --use-list``."""
    return "".join(f"{entry.line}\n" for entry in contents.values() if entry.id in entries)


def _kind_of(text: str, *, has_catalog: bool) -> str:
    for kind in _KINDS:
        if text.startswith(kind + " ") and has_catalog != (kind in _WITHOUT_CATALOG):
            return kind
    return text.partition(" ")[0]
