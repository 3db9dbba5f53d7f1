"""The order in which rows are loaded. Pure.

pg_restore loads them in the archive's order, which is that of the tables' names, and with several
jobs the largest first. So it fills some tables with wrong values: see `table_readers`.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import groupby

from attrs import frozen

from brownie_backup.dumpers.postgres.restore.contents import (
    TABLE,
    TABLE_DATA,
    Contents,
    Entry,
    tables_of,
)
from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.model import Relation


@frozen
class RowStep:
    """Rows that are loaded at the same time."""

    entries: frozenset[int]
    """The numbers of the archive's entries."""
    tables: tuple[int, ...]
    """The large tables, by their OIDs."""
    jobs: int


def plan_rows(
    contents: Contents,
    entries: AbstractSet[int],
    relations: Collection[Relation],
    dependent: AbstractSet[TableName],
    jobs: int,
) -> Iterator[RowStep]:
    """Yield what is loaded, one step after the other.

    Args:
        contents: of the archive.
        entries: the numbers of those that are restored.
        relations: the large tables that are restored.
        dependent: the tables whose rows may depend on rows of other tables.
        jobs: how many may be loaded at once. With one, everything keeps the archive's order, as
            with pg_restore.
    """
    if jobs == 1:
        yield from _one_by_one(contents, entries, relations)
        return
    last = _data_of(contents, entries, dependent)
    own = {entry.oid for entry in contents.values() if entry.kind == TABLE}
    # pg_dump writes no definition for the tables of an extension, only the rows that users added.
    configuration = {
        number
        for number in entries
        if contents[number].kind == TABLE_DATA and contents[number].oid not in own
    }
    if configuration - last:
        yield RowStep(frozenset(configuration - last), (), 1)
    large_last = [each for each in relations if _name_of(each) in dependent]
    others = tuple(each.oid for each in relations if each not in large_last)
    yield RowStep(frozenset(entries - configuration - last), others, jobs)
    yield from _one_by_one(contents, configuration & last, ())
    yield from _one_by_one(contents, last - configuration, large_last)


def _one_by_one(
    contents: Contents, entries: AbstractSet[int], relations: Iterable[Relation]
) -> Iterator[RowStep]:
    """Yield all in the archive's order, with each large table where its rows would be."""
    places = _places(contents, entries, relations)
    for relation, group in groupby(places, key=lambda each: isinstance(each, Relation)):
        if relation:
            yield from (RowStep(frozenset(), (each.oid,), 1) for each in group)
        else:
            yield RowStep(frozenset(each.id for each in group if isinstance(each, Entry)), (), 1)


def _places(
    contents: Contents, entries: AbstractSet[int], relations: Iterable[Relation]
) -> Iterator[Entry | Relation]:
    names = tables_of(contents)
    waiting = deque(sorted(relations, key=_name_of))
    chosen = [entry for entry in contents.values() if entry.id in entries]
    left = sum(entry.kind == TABLE_DATA for entry in chosen)
    for entry in chosen:
        if entry.kind == TABLE_DATA:
            left -= 1
            schema, _, name = entry.title.partition(".")
            before = names.get(entry.oid, TableName(schema, name))
            while waiting and _name_of(waiting[0]) < before:
                yield waiting.popleft()
        yield entry
        while waiting and not left:  # sequences and large objects come after all tables
            yield waiting.popleft()
    yield from waiting


def _name_of(relation: Relation) -> TableName:
    return TableName(relation.schema, relation.name)


def _data_of(
    contents: Contents, entries: AbstractSet[int], tables: AbstractSet[TableName]
) -> frozenset[int]:
    """Return the entries with the rows of tables; rather too many than too few.

    A listing does not show where a name ends, and has blanks for line breaks.
    """
    known = {_loose(f"{table.schema} {table.name}") for table in tables}
    return frozenset(
        number
        for number in entries
        if contents[number].kind == TABLE_DATA and not known.isdisjoint(_heads(contents[number]))
    )


def _heads(entry: Entry) -> Iterator[str]:
    words = _loose(entry.label).split(" ")
    return (" ".join(words[:end]) for end in range(2, len(words)))


def _loose(name: str) -> str:
    return re.sub(r"[^\x20-\x7e]+", "?", re.sub(r"[\r\n]", " ", name))
