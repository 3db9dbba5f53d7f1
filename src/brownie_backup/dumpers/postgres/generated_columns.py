"""The values of generated columns, which no backup holds: PostgreSQL computes them again.

A backup records how many values each column had, so that a restore can tell whether they came back.
Of a column whose function may read tables, it also records a hash of the values.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import evolve, frozen

from brownie_backup.dumpers.postgres.table_readers import CALLERS
from brownie_backup.errors import DatabaseError
from brownie_backup.postgres.client import qualified, quote_name
from brownie_backup.postgres.session import Session

_TABLES_AT_ONCE = 100
_HASH = """sum(hashtextextended(format('%s', {column}) COLLATE "C", 0))::text"""

# As pg_dump does, where the server has it: a view that takes the name of a table would run its
# functions with our rights.
_NO_VIEWS = """
SELECT set_config('restrict_nonsystem_relation_kind', 'view, foreign-table', true)
WHERE current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL
"""

# Virtual ones are computed when they are read. The rows of an extension's tables come from the
# extension; those that row security hides are not in the backup.
_STORED = f"""
WITH RECURSIVE {CALLERS}, stored AS MATERIALIZED (
  SELECT d.oid, d.adrelid, a.attname, a.attnum
  FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  WHERE a.attgenerated = 's' AND d.adrelid >= 16384
)
SELECT n.nspname AS schema, c.relname AS table, s.attname AS name,
  s.oid IN (SELECT id FROM callers WHERE class = 'pg_attrdef'::regclass) AS reads
FROM stored s
JOIN pg_class c ON c.oid = s.adrelid AND c.relkind = 'r' AND c.relpersistence <> 't'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_'
WHERE has_schema_privilege(n.oid, 'USAGE')
  AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
    AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY 1, 2, s.attnum
"""


@frozen
class GeneratedColumn:
    """A stored generated column, and its values."""

    schema: str
    table: str
    name: str
    values: int = 0
    """How many are not NULL."""
    hash: str | None = None
    """The sum of the hashes of all values, if a function that computes them may read tables."""


def find_generated(session: Session) -> tuple[GeneratedColumn, ...]:
    """Return the columns that can be measured, table by table; `hash` is empty if it is wanted."""
    return tuple(
        GeneratedColumn(row["schema"], row["table"], row["name"], hash="" if row["reads"] else None)
        for row in session.query(_STORED)
    )


def measure(session: Session, columns: Iterable[GeneratedColumn]) -> Iterator[GeneratedColumn]:
    """Yield columns with their values, in one scan of each table.

    The session's transaction has the settings that the text of values depends on. A table that
    can't be read at once is passed over: it may be locked by a session that waits for us.
    """
    tables = [tuple(own) for _, own in groupby(columns, lambda each: (each.schema, each.table))]
    session.run("SET LOCAL lock_timeout = 100", _NO_VIEWS)
    for first in range(0, len(tables), _TABLES_AT_ONCE):
        some = tables[first : first + _TABLES_AT_ONCE]
        found = _try(session, some)
        if found is None:
            each_alone = (_try(session, [table]) for table in some)
            found = [column for each in each_alone for column in each or ()]
        yield from found


def _try(
    session: Session, tables: Sequence[Sequence[GeneratedColumn]]
) -> list[GeneratedColumn] | None:
    session.run("SAVEPOINT measuring")
    try:
        rows = session.query(" UNION ALL ".join(map(_scan, range(len(tables)), tables)))
    except DatabaseError:
        session.run("ROLLBACK TO measuring")
        return None
    session.run("RELEASE measuring")
    return [
        evolve(column, values=values, hash=total)
        for row in rows
        for column, (values, total) in zip(tables[row["n"]], row["found"], strict=True)
    ]


def _scan(number: int, columns: Sequence[GeneratedColumn]) -> str:
    table = qualified(columns[0].schema, columns[0].table)
    found = ", ".join(f"jsonb_build_array({_measures(column)})" for column in columns)
    return f"SELECT {number} AS n, jsonb_build_array({found}) AS found FROM ONLY {table}"


def _measures(column: GeneratedColumn) -> str:
    name = quote_name(column.name)
    return f"count({name}), {'NULL' if column.hash is None else _HASH.format(column=name)}"
