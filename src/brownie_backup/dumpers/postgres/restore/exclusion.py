"""Entries of an archive that are left out on request. Pure."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from attrs import frozen

from brownie_backup.dumpers.postgres.restore.choice import Graph
from brownie_backup.dumpers.postgres.restore.contents import (
    ATTACHMENTS,
    BELONGING,
    OF_ANYTHING,
    RELATIONS,
    TABLE_DATA,
    Contents,
    Entry,
)

_EVENT_TRIGGERS = 3466  # the OID of pg_event_trigger
_EXTENSIONS = 3079
_DATA = {TABLE_DATA, "MATERIALIZED VIEW DATA"}


@frozen
class Exclusion:
    """What is left of an archive."""

    contents: Contents
    unloaded: frozenset[int] = frozenset()
    """The OIDs of the tables whose rows are left out."""
    needing: tuple[tuple[Entry, Entry], ...] = ()
    """Entries that are left out because they need one that is; and that one."""


def exclude(contents: Contents, entries: AbstractSet[int], rows_of: AbstractSet[int]) -> Exclusion:
    """Leave out some entries, and all that need them.

    Args:
        contents: the contents of the archive.
        entries: the numbers of the entries; the partitions of a table go with it.
        rows_of: the numbers of the tables whose rows are left out, with those of their partitions.
    """
    graph = Graph(contents)
    roots = graph.with_partitions(entries)
    gone = graph.with_dependants(roots)
    bare = graph.with_partitions(rows_of)
    gone |= {e.id for e in contents.values() if e.kind in _DATA and not e.needs.isdisjoint(bare)}
    tables = {contents[n].oid for n in gone | bare if contents[n].kind in RELATIONS}
    return Exclusion(
        {number: entry for number, entry in contents.items() if number not in gone},
        frozenset(tables),
        tuple(_needing(contents, graph, roots, gone - bare)),
    )


def extension_entries(contents: Contents, name: str) -> frozenset[int]:
    """Return the numbers of an extension's entries."""
    return frozenset(
        e.id for e in contents.values() if e.catalog == _EXTENSIONS and e.title == name
    )


def extensions_in(contents: Contents) -> list[str]:
    """Return the names of the extensions."""
    return sorted(e.title for e in contents.values() if e.catalog == _EXTENSIONS)


def event_triggers(contents: Contents) -> frozenset[int]:
    """Return the numbers of the event triggers."""
    return frozenset(e.id for e in contents.values() if e.catalog == _EVENT_TRIGGERS)


def _needing(
    contents: Contents, graph: Graph, roots: AbstractSet[int], gone: AbstractSet[int]
) -> Iterator[tuple[Entry, Entry]]:
    """Yield the entries that nobody named, unless they are a part of one that is yielded."""
    owners = roots | {number for number in gone if contents[number].kind in RELATIONS}
    for number in sorted(gone - roots):
        entry = contents[number]
        if entry.kind in OF_ANYTHING | ATTACHMENTS | _DATA or entry.kind == "PUBLICATION":
            continue
        if entry.kind in BELONGING and graph.belongs(entry, owners, gone):
            continue
        cause = next(iter(sorted(graph.needs[number] & gone)), None)
        if cause is not None:
            yield entry, contents[cause]
