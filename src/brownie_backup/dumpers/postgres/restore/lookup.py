"""The entries of an archive that the user named."""

from collections.abc import Iterator

from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import (
    TABLE,
    TABLE_DATA,
    Contents,
    numbers_in,
    tables_of,
)
from brownie_backup.dumpers.postgres.restore.exclusion import (
    Exclusion,
    event_triggers,
    exclude,
    extension_entries,
    extensions_in,
)
from brownie_backup.dumpers.postgres.restore.selection import TableName, parse_table, similar
from brownie_backup.errors import RestoreRefused
from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client

_LABELS = """
SELECT n.nspname || ' ' || c.relname || ' ' AS label
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384
"""


def numbers_of(archive: Archive, table: TableName) -> frozenset[int]:
    """Return the numbers of the entries of a table or view; pg_restore itself finds them."""
    arguments = (f"--schema={table.schema}", f"--table={table.name}")
    return numbers_in(archive.script("--list", *arguments))


def excluded_by(options: RestoreOptions, archive: Archive, contents: Contents) -> Exclusion:
    """Leave out what the options exclude; raise `RestoreRefused` if the archive lacks that."""
    entries = set(event_triggers(contents)) if options.exclude_event_triggers else set()
    for name in options.exclude_extensions:
        found = extension_entries(contents, name)
        if not found:
            msg = f"the backup has no extension named '{name}'"
            raise RestoreRefused(msg, hint=similar(name, extensions_in(contents)))
        entries |= found
    for text in options.exclude_tables:
        entries |= _required(archive, contents, parse_table(text))
    rows_of: set[int] = set()
    for text in options.exclude_table_data:
        rows_of |= _required(archive, contents, parse_table(text))
    return exclude(contents, entries, rows_of)


def without_members(client: Client, database: str, contents: Contents) -> Contents:
    """Leave out the rows of tables that neither the archive nor the database has.

    They belong to extensions that were left out: the archive does not say to which.
    """
    relations = {e.id for e in contents.values() if e.kind in {TABLE, "SEQUENCE"}}
    rows = [e for e in contents.values() if e.kind in {TABLE_DATA, "SEQUENCE SET"}]
    of_members = [e for e in rows if e.needs.isdisjoint(relations)]
    if not of_members:
        return contents
    labels = tuple(row["label"] for row in client.query(_LABELS, database))
    gone = {e.id for e in of_members if not e.label.startswith(labels)}
    return {number: entry for number, entry in contents.items() if number not in gone}


def reports(exclusion: Exclusion) -> Iterator[Finding]:
    """Yield warnings about what is left out although nobody named it."""
    for entry, cause in exclusion.needing:
        msg = f"left out: {entry.kind} {entry.title}, which needs {cause.kind} {cause.title}"
        yield Finding(Level.WARNING, "excluded", msg, RestoreHint.DOES_IT_MATTER)


def _required(archive: Archive, contents: Contents, table: TableName) -> frozenset[int]:
    found = numbers_of(archive, table)
    if not found:
        names = sorted(map(str, tables_of(contents).values()))
        msg = f"the backup has no table named {table}"
        raise RestoreRefused(msg, hint=similar(str(table), names))
    return found
