"""Tables of a database into which some were restored: existing tables, and their new names."""

from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from brownie_backup.dumpers.postgres.restore.new_database import shorten
from brownie_backup.dumpers.postgres.restore.selection import TableName, TableSelection
from brownie_backup.postgres.client import Client, quote_name, quote_text

_TABLES = """
WITH named AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND (({named}) OR n.nspname IN ({schemas}))
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
  ARRAY(SELECT jsonb_build_array(m.nspname, s.stxname) FROM pg_statistic_ext s
    JOIN pg_namespace m ON m.oid = s.stxnamespace WHERE s.stxrelid = c.oid) AS statistics
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (SELECT oid FROM named UNION
  SELECT t.relid FROM named, LATERAL pg_partition_tree(named.oid) t)
ORDER BY 1, 2
"""

# Names that are unique in a schema must always change, other names only if they begin with the
# table's name. An index of a constraint is renamed with it; inherited objects can't be renamed.
_PARTS = """
SELECT 'CONSTRAINT' AS what, k.conname AS name, k.contype IN ('p', 'u', 'x') AS in_schema
  FROM pg_constraint k WHERE k.conrelid = {table} AND k.coninhcount = 0 AND k.contype <> 't'
UNION ALL
SELECT 'INDEX', c.relname, true FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
  WHERE x.indrelid = {table}
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = {table})
UNION ALL
SELECT 'SEQUENCE', c.relname, true FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = {table} AND d.deptype IN ('a', 'i') AND c.relkind = 'S'
UNION ALL
SELECT 'STATISTICS', s.stxname, true FROM pg_statistic_ext s WHERE s.stxrelid = {table}
"""


@frozen
class Restored:
    """A requested table."""

    table: TableName
    partitioned: bool
    """If so, it has no rows of its own."""
    statistics: tuple[TableName, ...] = ()
    """Its extended statistics: they don't follow it into another schema by themselves."""

    def moved(self, schema: str) -> "Restored":
        """Return the same table in another schema."""
        return Restored(
            evolve(self.table, schema=schema),
            self.partitioned,
            tuple(evolve(each, schema=schema) for each in self.statistics),
        )


def tables_in(client: Client, database: str, wanted: TableSelection) -> tuple[Restored, ...]:
    """Return the requested tables, and their partitions, from a database that has them."""
    named = [
        f"n.nspname = {quote_text(table.schema)} AND c.relname = {quote_text(table.name)}"
        for table in wanted.tables
    ]
    sql = _TABLES.format(
        named=" OR ".join(named) or "false",
        schemas=", ".join(map(quote_text, wanted.schemas)) or "NULL",
    )
    return tuple(
        Restored(
            TableName(row["schema"], row["name"]),
            row["partitioned"],
            tuple(TableName(*each) for each in row["statistics"]),
        )
        for row in client.query(sql, database)
    )


def move(restored: Restored, schema: str) -> list[str]:
    """Return the statements that move a table to another schema; it may be there already."""
    statements = [f"ALTER TABLE {restored.table.sql} SET SCHEMA {quote_name(schema)}"]
    statements += [
        f"ALTER STATISTICS {each.sql} SET SCHEMA {quote_name(schema)}"
        for each in restored.statistics
        if each.schema != schema
    ]
    return statements if restored.table.schema != schema else statements[1:]


def rename(client: Client, database: str, table: TableName, new: str) -> Iterator[str]:
    """Yield the statements that rename a table, and its parts to match."""
    for row in client.query(_PARTS.format(table=_oid(table)), database):
        what, name, schema = row["what"], row["name"], quote_name(table.schema)
        begins = name.startswith(table.name)
        if not begins and not row["in_schema"]:
            continue
        rest = name.removeprefix(table.name) if begins else f"_{name}"
        to = quote_name(shorten(new, rest))
        if what == "CONSTRAINT":
            yield f"ALTER TABLE {table.sql} RENAME CONSTRAINT {quote_name(name)} TO {to}"
        else:
            yield f"ALTER {what} {schema}.{quote_name(name)} RENAME TO {to}"
    yield f"ALTER TABLE {table.sql} RENAME TO {quote_name(new)}"


def count_rows(tables: Iterable[TableName]) -> str:
    """Return a SELECT that reads tables, and returns the row count of each, in their order."""
    counts = [f"(SELECT count(*) FROM {table.sql})" for table in tables]
    return f"SELECT jsonb_build_array({', '.join(counts)}) AS counts"


def _oid(table: TableName) -> str:
    return f"{quote_text(table.sql)}::regclass"
