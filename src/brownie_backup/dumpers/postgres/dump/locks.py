"""Locks on all tables, taken before the snapshot, so that no change falls between them.

TRUNCATE, and any other command that rewrites a table, takes effect for older snapshots too
(PostgreSQL manual, 13.6). If it commits after the snapshot and before pg_dump's own lock, the table
is empty in the backup. A partition that is dropped in that time would be described only in part:
the server's functions that write definitions see the current state.
"""

from attrs import frozen

from brownie_backup.errors import DatabaseError
from brownie_backup.postgres.client import qualified
from brownie_backup.postgres.session import Session

# As pg_dump does. A role that may not read a table may not lock it: pg_dump will report that.
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
    """A table, and its name."""

    oid: int
    schema: str
    name: str


def find_tables(session: Session) -> frozenset[LockedTable]:
    """Return the tables that are dumped and that we may lock, by their current names."""
    return frozenset(LockedTable(**row) for row in session.query(_TABLES))


def lock_tables(session: Session, tables: frozenset[LockedTable]) -> None:
    """Lock tables as pg_dump will: against rewrites, not against reading and writing.

    Raises:
        TablesChanged: a table is gone, or there was a deadlock with another session.
        DatabaseError: another session holds a table for longer than the session's lock_timeout.
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
