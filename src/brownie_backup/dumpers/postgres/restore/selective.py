"""Restoring some tables: into a fresh database, or into one that exists."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from attrs import evolve

from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.dumpers.postgres.restore import preflight
from brownie_backup.dumpers.postgres.restore.choice import Choice, choose
from brownie_backup.dumpers.postgres.restore.contents import (
    FOREIGN_KEY,
    TABLE,
    numbers_in,
    tables_of,
)
from brownie_backup.dumpers.postgres.restore.loader import Loadable, Loader
from brownie_backup.dumpers.postgres.restore.lookup import numbers_of
from brownie_backup.dumpers.postgres.restore.new_database import or_fail, run_or_fail
from brownie_backup.dumpers.postgres.restore.selection import TableName, TableSelection, similar
from brownie_backup.dumpers.postgres.restore.staging import TableStaging, obstacles
from brownie_backup.dumpers.postgres.restore.statements import split_statements
from brownie_backup.dumpers.postgres.restore.tables import (
    Restored,
    count_rows,
    move,
    rename,
    tables_in,
)
from brownie_backup.dumpers.postgres.restore.target import PostgresTarget
from brownie_backup.errors import DamagedError, RestoreRefused
from brownie_backup.hints import BackupHint, RestoreHint
from brownie_backup.model import Database, Part, Relation
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.model.restored import RestoredDatabase, RestoredTable
from brownie_backup.postgres.client import Client, quote_name
from brownie_backup.wording import counted


class SelectiveRestore(PostgresTarget):
    """A restore of some tables: see `PostgresTarget`.

    The tables can be added to an existing database. Then the fresh database is a scratch database
    for the archive's content; the rows of large tables are loaded directly into the target.
    """

    def __init__(
        self,
        client: Client,
        source: Database,
        name: str,
        options: RestoreOptions,
        token: str,
        *,
        wanted: TableSelection,
    ) -> None:
        super().__init__(client, source, name, options, token)
        self._wanted = wanted
        self._choice = Choice(frozenset(), frozenset())
        self._adds = False
        self._restored: tuple[Restored, ...] = ()
        self._addition: TableStaging | None = None
        self._tables: tuple[RestoredTable, ...] = ()

    def report(self) -> RestoredDatabase:
        """Return what was done on the server, and the tables with their rows."""
        return evolve(super().report(), tables=self._tables)

    def receive(
        self, parts: Iterable[tuple[Part, Iterable[bytes]]], *, contents_only: bool = False
    ) -> tuple[Finding, ...]:
        """Take roles and archive, and look up the tables in it; change nothing on the server."""
        taken = self._take(parts, contents_only=contents_only)
        self._choice = self._choose()
        names = sorted(self._names[oid] for oid in self._choice.tables)
        into = f" as {self._wanted.into}" if self._wanted.into else ""
        chosen = Finding(Level.OK, "chosen", ", ".join(map(str, names)) + into)
        tried = self._try(self._choice.entries, settings=not self._adds)
        return (*taken, chosen, *self._caveats(), *tried)

    def abandon(self) -> str | None:
        """Restore the server's earlier state as far as possible; return the names of leftovers."""
        left = (self._addition.undo() if self._addition else None, super().abandon())
        return " and ".join(filter(None, left)) or None

    def _wants(self, oid: int) -> bool:
        return oid in self._choice.tables and super()._wants(oid)

    @cached_property
    def _names(self) -> dict[int, TableName]:
        return tables_of(self._contents)

    def _check_server(self) -> Iterator[Finding]:
        self._server = server = preflight.ask_server(self._client)
        self._adds = self._name in server["databases"]
        if self._adds:
            names = [self._wanted.name_of(table) for table in self._wanted.tables]
            yield from obstacles(self._quiet, self._name, names)
        yield from preflight.check_server(self._client, server, self._source, self._name)

    def _choose(self) -> Choice:
        tables = {number for table in self._wanted.tables for number in self._find(table)}
        others: set[int] = set()
        for schema in self._wanted.schemas:
            listing = self._archive.script("--list", f"--schema={schema}")
            found = numbers_in(listing) & self._contents.keys()
            if not found:
                schemas = {table.schema for table in self._names.values()}
                msg = f"the backup has nothing in a schema named '{schema}'"
                raise RestoreRefused(msg, hint=similar(schema, sorted(schemas)))
            tables |= {n for n in found if self._contents[n].kind == TABLE}
            # An existing database already has them, possibly changed.
            others |= set() if self._adds else found
        choice = choose(
            self._contents,
            tables,
            others,
            indexes=self._options.indexes,
            constraints=self._options.constraints,
        )
        if self._wanted.into and len(choice.tables) > 1:
            msg = f"{self._wanted.tables[0]} has partitions, so it cannot get another name"
            raise RestoreRefused(msg, hint=RestoreHint.ANOTHER_DATABASE)
        return choice

    def _find(self, table: TableName) -> Iterator[int]:
        """Yield the number of a table's entry; pg_restore itself finds it."""
        found = numbers_of(self._archive, table) & self._contents.keys()
        kinds = {self._contents[number].kind for number in found}
        if TABLE not in kinds:
            other = next((f": it is a {kind}" for kind in sorted(kinds)), "")
            msg = f"the backup has no table named {table}{other}"
            raise RestoreRefused(
                msg, hint=similar(str(table), sorted(map(str, self._names.values())))
            )
        yield from (n for n in found if self._contents[n].kind == TABLE)

    def _caveats(self) -> Iterator[Finding]:
        for entry in self._choice.bare:
            name = self._names.get(entry.oid, entry.title)
            msg = f"{name} is restored without its rows: other objects need its definition"
            hint = RestoreHint.ADD_TABLE(table=str(name))
            if not self._adds:
                yield Finding(Level.WARNING, "tables", msg, hint)
        for entry in self._choice.left_out:
            msg = f"left out: {entry.kind} {entry.title}, which refers to an object not asked for"
            hint = RestoreHint.ADD_OR_CREATE()
            if entry.kind == FOREIGN_KEY and not self._wanted.into:
                only = self._archive.use(self._contents, frozenset({entry.id}), "left_out")
                hint = RestoreHint.ADD_OR_RUN(statement=self._statement(only))
            yield Finding(Level.WARNING, "tables", msg, hint)

    def _statement(self, only: str) -> str:
        """Return the SQL of one entry, on one line."""
        statements = [*split_statements(self._archive.script(only, "--file=-"))]
        return " ".join(statements[-1].split()) if statements else ""

    def _load(self, tables: Mapping[int, Iterator[Loadable]]) -> Iterator[Finding]:
        chosen = {oid: ranges for oid, ranges in tables.items() if oid in self._choice.tables}
        yield from self._fresh.make(self._archive, self._listing, self._options, self._failures)
        if self._adds:
            # The rights to create in the existing database are not known here.
            grant = ["GRANT CREATE ON SCHEMA public TO PUBLIC"]
            run_or_fail(self._client, "opening the scratch database", grant, self._fresh.name)
        only = self._archive.use(self._contents, self._choice.entries)
        if chosen and not self._adds:
            yield from self._restore_section("pre-data", only)
            yield from self._load_rows(chosen, self._choice.entries)
            yield from self._restore_section("post-data", only)
        else:
            yield from self._archive.restore(
                self._fresh.name,
                only,
                what="tables",
                contents=self._contents,
                failures=self._failures,
                strict=True,
            )
        restored = tables_in(self._client, self._fresh.name, self._wanted)
        missing = {*self._wanted.tables} - {each.table for each in restored}
        if missing:
            names = ", ".join(sorted(map(str, missing)))
            msg = f"the archive lists {names}, and made another table"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        self._restored = self._rename(restored)
        if self._adds:
            yield from self._add(chosen)

    def _rename(self, restored: tuple[Restored, ...]) -> tuple[Restored, ...]:
        """Give the table its new name, in the schema where it is."""
        into = self._wanted.into
        if not into or into.name == self._wanted.tables[0].name:
            return restored
        old = next(each for each in restored if each.table == self._wanted.tables[0])
        statements = [*rename(self._client, self._fresh.name, old.table, into.name)]
        run_or_fail(self._client, "renaming the table", statements, self._fresh.name)
        renamed = evolve(old.table, name=into.name)
        return tables_in(self._client, self._fresh.name, TableSelection((renamed,)))

    def _final(self, table: TableName) -> TableName:
        return self._wanted.into or table

    def _schema_of(self, restored: Restored) -> str:
        return self._wanted.into.schema if self._wanted.into else restored.table.schema

    def _add(self, chosen: Mapping[int, Iterator[Loadable]]) -> Iterator[Finding]:
        """Load the tables into the existing database, invisible to its users at first."""
        tables = [(each, self._schema_of(each)) for each in self._restored]
        addition = TableStaging(
            self._quiet,
            self._name,
            self._fresh.name,
            tables,
            self._token,
            failures=self._failures,
        )
        addition.check()
        archive = self._open_archive("tables.dump")
        addition.dump(archive.path)
        self._addition = addition
        yield from addition.begin(archive)
        loader = Loader(
            self._client,
            self._name,
            self._source.encoding,
            {oid: self._staged(addition, self._relations[oid]) for oid in chosen},
            list(chosen.values()),
            failures=self._failures,
        )
        if chosen:
            loader.run(self._options.jobs, give_up=addition.end_work)
        self._loaded_rows = loader.loaded
        yield from addition.complete(archive, self._options.jobs if chosen else 1)

    def _staged(self, addition: TableStaging, relation: Relation) -> Relation:
        """Return the name of a large table while it is being loaded."""
        name = self._wanted.into.name if self._wanted.into else relation.name
        staged = addition.staged(TableName(relation.schema, name))
        return evolve(relation, schema=staged.schema, name=staged.name)

    def _check(self) -> Iterator[Finding]:
        if not self._addition:  # there, the functions are those of the existing database
            yield from self._compare_generated()
        self._tables = tuple(sorted(self._count()))
        rows = sum(table.rows for table in self._tables)
        yield Finding(
            Level.OK, "rows", f"{counted(rows, 'row')} in {counted(len(self._tables), 'table')}"
        )

    def _generated(self) -> Iterator[GeneratedColumn]:
        chosen = {self._names[oid] for oid in self._choice.tables}
        for each in self._inventory.generated:
            if TableName(each.schema, each.table) in chosen:
                into = self._wanted.into
                yield evolve(each, table=into.name if into else each.table)

    def _count(self) -> Iterator[RestoredTable]:
        """Analyse the tables, and yield them; rows that were counted before are not read again."""
        statements, done = list[str](), {}
        for oid, rows in self._loaded_rows.items():
            done[self._final(TableName(self._relations[oid].schema, self._relations[oid].name))] = (
                rows
            )
        addition, counted = self._addition, {}
        for each in self._restored:
            table = addition.staged(each.table) if addition else each.table
            statements.append(f"ANALYZE {table.sql}")
            name = evolve(each.table, schema=self._schema_of(each))
            if name in done:
                yield RestoredTable(str(name), done[name])
            elif not each.partitioned:
                counted[name] = table
        database = self._name if addition else self._fresh.name
        with or_fail("counting rows"), self._client.session(database) as session:
            session.run(*statements)
            (found,) = session.query(count_rows(counted.values()))
        for name, rows in zip(counted, found["counts"], strict=True):
            yield RestoredTable(str(name), rows)

    def _set_up(self) -> Iterator[Finding]:
        if self._addition:
            return
        statements = []
        for each in self._restored:
            schema = self._schema_of(each)
            if schema != each.table.schema:
                statements.append(f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}")
            statements += move(each, schema)
        run_or_fail(self._client, "moving the tables", statements, self._fresh.name)
        yield from super()._set_up()

    def _put_in_place(self) -> Iterator[Finding]:
        if not self._addition:
            yield from super()._put_in_place()
            return
        yield from self._addition.finish()
        if not self._fresh.drop():
            msg = f"the scratch database '{self._fresh.name}' could not be dropped"
            yield Finding(Level.WARNING, "database", msg, RestoreHint.DROP_BY_HAND)
