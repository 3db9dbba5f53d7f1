"""Adding tables to an existing database, so that they are visible only when they are complete.

They are loaded into schemas of their own, and moved into place in one transaction at the end.
pg_dump takes their definitions from a scratch database, where they already have their new names: so
PostgreSQL itself writes the SQL.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import evolve

from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.failures import Failures
from brownie_backup.dumpers.postgres.restore.new_database import run_or_fail
from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.dumpers.postgres.restore.tables import Restored, move
from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DatabaseError,
    RestoreFailed,
    RestoreRefused,
    TargetExists,
)
from brownie_backup.hints import BackupHint, RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, quote_name, quote_text

_PREFIX = "_restoring_"
_STATE = """
SELECT (SELECT coalesce(jsonb_agg(nspname), '[]') FROM pg_namespace) AS schemas,
  ARRAY(SELECT jsonb_build_array(n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {named}) AS taken,
  ARRAY(SELECT evtname::text FROM pg_event_trigger
    WHERE position(evtenabled::text IN {starting}) > 0 ORDER BY 1) AS triggers,
  pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only
"""
_END = """
SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 AND l.pid <> pg_backend_pid() AND l.granted AND l.mode <> 'AccessShareLock'
 AND n.nspname IN ({schemas})
"""


def obstacles(client: Client, database: str, tables: Sequence[TableName]) -> Iterator[Finding]:
    """Yield the reasons why tables can't be added to a database."""
    named = " OR ".join(
        f"n.nspname = {quote_text(table.schema)} AND c.relname = {quote_text(table.name)}"
        for table in tables
    )
    starting = quote_text(client.event_triggers)
    sql = _STATE.format(named=named or "false", starting=starting)
    (state,) = client.query(sql, database)
    for schema, name in sorted(state["taken"]):
        msg = f"'{database}' has a relation named {TableName(schema, name)}"
        yield Finding(Level.ERROR, "target", msg, RestoreHint.INTO_OR_TARGET)
    for schema in sorted({table.schema for table in tables} - {*state["schemas"]}):
        msg = f"'{database}' has no schema {schema}"
        yield Finding(Level.ERROR, "schema", msg, RestoreHint.CREATE_SCHEMA)
    if state["read_only"]:
        yield Finding(
            Level.ERROR, "rights", f"'{database}' is read-only", RestoreHint.CONNECT_ELSEWHERE
        )
    if state["triggers"]:
        msg = (
            f"event triggers of '{database}' start for the restore: {', '.join(state['triggers'])}"
        )
        yield Finding(Level.WARNING, "event triggers", msg, RestoreHint.EVENT_TRIGGERS)
    left = ", ".join(sorted(s for s in state["schemas"] if s.startswith(_PREFIX)))
    if left:
        msg = f"left over in '{database}' from a restore that was killed: the schemas {left}"
        yield Finding(Level.WARNING, "target", msg, RestoreHint.DROP_LEFTOVER_SCHEMAS)


class TableStaging:
    """Tables on their way from a scratch database into an existing one.

    Args:
        client: of the server.
        database: the target.
        scratch: a database with their definitions, and the rows that the archive has.
        tables: the tables in it to add, with their schemas.
        token: makes temporary names unique.
        failures: takes note of what could not be restored.
    """

    def __init__(
        self,
        client: Client,
        database: str,
        scratch: str,
        tables: Sequence[tuple[Restored, str]],
        token: str,
        *,
        failures: Failures,
    ) -> None:
        self._failures = failures
        self._client = client
        self._database = database
        self._scratch = scratch
        self._tables = tables
        schemas = sorted({schema for _, schema in tables})
        self._staging = {schema: f"{_PREFIX}{token}_{n}" for n, schema in enumerate(schemas)}
        self._begun = False

    def staged(self, table: TableName) -> TableName:
        """Return the schema of a table until the end."""
        schema = next((schema for each, schema in self._tables if each.table == table), None)
        if schema is None:
            msg = f"the archive did not make the table {table}, which the inventory names"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        return evolve(table, schema=self._staging[schema])

    def check(self) -> None:
        """Raise for obstacles, before anything is changed."""
        names = [evolve(each.table, schema=schema) for each, schema in self._tables]
        for found in obstacles(self._client, self._database, names):
            if found.level is Level.ERROR:
                kind = TargetExists if found.subject == "target" else RestoreRefused
                raise kind(found.message, hint=found.hint)

    def dump(self, path: Path) -> None:
        """Write the tables of the scratch database, in the schemas that they are loaded into."""
        statements = [f"CREATE SCHEMA {quote_name(name)}" for name in self._staging.values()]
        for each, schema in self._tables:
            statements += move(each, self._staging[schema])
        run_or_fail(self._client, "moving the tables", statements, self._scratch)
        argv = [
            self._client.programs.path("pg_dump"),
            *("--format=custom", "--compress=0", "--no-password", f"--file={path}"),
            *(f"--schema={name}" for name in self._staging.values()),
            f"--dbname={self._client.access.command_line(self._scratch)}",
        ]
        status, _, said = self._client.output(argv)
        if status != 0:
            msg = f"the definitions of the tables could not be read: {said}"
            raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED, errors=[said])

    def begin(self, archive: Archive) -> Iterator[Finding]:
        """Create the tables, with the rows that the scratch database has."""
        self._begun = True
        statements = []
        for name in map(quote_name, self._staging.values()):
            # An owner may only be given objects that it could have created there, which needs the
            # right to use the schema.
            statements += [f"CREATE SCHEMA {name}", f"GRANT CREATE ON SCHEMA {name} TO PUBLIC"]
        run_or_fail(self._client, "making room for the tables", statements, self._database)
        sections = ("--section=pre-data", "--section=data")
        yield from self._restore(archive, *sections, what="tables", strict=True)

    def complete(self, archive: Archive, jobs: int) -> Iterator[Finding]:
        """Make indexes and constraints, once all rows are loaded."""
        yield from self._restore(archive, "--section=post-data", what="post-data", jobs=jobs)

    def finish(self) -> Iterator[Finding]:
        """Move the tables into place: all of them, or none."""
        staged = [(each.moved(self._staging[schema]), schema) for each, schema in self._tables]
        statements = ["BEGIN"]
        for each, schema in staged:
            statements += move(each, schema)
        statements.append("COMMIT")
        run_or_fail(self._client, "putting the tables in place", statements, self._database)
        self._begun = False
        names = ", ".join(map(quote_name, self._staging.values()))
        try:
            self._client.run([f"DROP SCHEMA {names}"], self._database)
        except DatabaseError as error:  # an event trigger may forbid it
            msg = f"empty schemas of the restore stay in '{self._database}': {names}"
            hint = RestoreHint.DROP_SCHEMAS_BY_HAND(why=error.message)
            yield Finding(Level.WARNING, "schemas", msg, hint)

    def end_work(self) -> None:
        """End all work on the tables; no other session writes to them."""
        texts = ", ".join(map(quote_text, self._staging.values()))
        self._client.run([_END.format(schemas=texts)], self._database)

    def undo(self) -> str | None:
        """Remove the tables that are not in place; return the names of leftovers."""
        if not self._begun:
            return None
        names = ", ".join(map(quote_name, self._staging.values()))
        with contextlib.suppress(BackupError):
            self.end_work()
            self._client.run([f"DROP SCHEMA IF EXISTS {names} CASCADE"], self._database)
            return None
        return f"the schemas {names} of '{self._database}'"

    def _restore(
        self,
        archive: Archive,
        *sections: str,
        what: str,
        jobs: int = 1,
        strict: bool = False,
    ) -> Iterator[Finding]:
        """Restore the content of the schemas, without the schemas."""
        return archive.restore(
            self._database,
            *sections,
            *(f"--schema={name}" for name in self._staging.values()),
            what=what,
            contents=parse_contents(archive.script("--list", "--verbose")),
            failures=self._failures,
            jobs=jobs,
            strict=strict,
        )
