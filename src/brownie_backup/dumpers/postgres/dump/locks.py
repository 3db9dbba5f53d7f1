"""Locks on all tables, taken before the snapshot, so that nothing slips between.

TRUNCATE, and whatever else writes a table anew, takes effect for older snapshots too (PostgreSQL
manual, 13.6): one that commits after the snapshot and before pg_dump's own lock would leave the
table empty in the backup. A partition that is dropped then would be half described: the server's
functions that write definitions see what is there now.
"""

from attrs import frozen

from brownie_backup.errors import DatabaseError
from brownie_backup.postgres.client import qualified
from brownie_backup.postgres.session import Session

# As pg_dump does. Who may not read a table may not lock it: pg_dump will say so.
_TABLES = """
SELECT c.oid::bigint, n.nspname AS schema, c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.oid >= 16384
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.oid
"""
_CHANGED = {
    "42P01",  # undefined_table
    "3F000",  # invalid_schema_name
    "40P01",  # deadlock_detected
}


class TablesChanged(Exception):
    """A table was made, dropped, renamed or replaced just before the tables were locked."""


@frozen
class LockedTable:
    """A table, and what it is called."""

    oid: int
    schema: str
    name: str


def find_tables(session: Session) -> frozenset[LockedTable]:
    """Return the tables that are dumped and that we may lock, by their present names."""
    return frozenset(LockedTable(**row) for row in session.query(_TABLES))


def lock_tables(session: Session, tables: frozenset[LockedTable]) -> None:
    """Lock tables as pg_dump will: against being written anew, not against reading and writing.

    Raises:
        TablesChanged: one is gone, or somebody waited for us in a circle.
        DatabaseError: somebody holds one for longer than the session's lock_timeout.
    """
    if not tables:
        return
    in_order = sorted(tables, key=lambda table: table.oid)
    names = ", ".join(f"ONLY {qualified(table.schema, table.name)}" for table in in_order)
    try:
        session.run(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
    except DatabaseError as error:
        if error.sqlstate in _CHANGED:
            raise TablesChanged from None
        raise
