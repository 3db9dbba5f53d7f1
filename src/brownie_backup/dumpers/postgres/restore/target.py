"""Restoring into a fresh database, which gets its name only after everything succeeded."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.dumpers.postgres.inventory import parse_inventory
from brownie_backup.dumpers.postgres.restore import preflight, swap
from brownie_backup.dumpers.postgres.restore.analyse import analyse
from brownie_backup.dumpers.postgres.restore.comparison import acceptable, compare, differs
from brownie_backup.dumpers.postgres.restore.contents import TABLE_DATA, parse_contents
from brownie_backup.dumpers.postgres.restore.database_script import read_database_script
from brownie_backup.dumpers.postgres.restore.generated_values import check_generated
from brownie_backup.dumpers.postgres.restore.loader import Loadable, RowsToLoad
from brownie_backup.dumpers.postgres.restore.loading import DatabaseLoad
from brownie_backup.dumpers.postgres.restore.lookup import excluded_by, reports, without_members
from brownie_backup.dumpers.postgres.restore.new_database import (
    or_fail,
    run_or_fail,
    shorten,
)
from brownie_backup.dumpers.postgres.restore.selection import TableName, parse_table
from brownie_backup.dumpers.postgres.restore.statements import (
    for_roles,
    roles_to_create,
    split_statements,
)
from brownie_backup.dumpers.postgres.restore.trial import Requirements, try_out
from brownie_backup.dumpers.postgres.segments import stored_segments
from brownie_backup.errors import BackupError, DamagedError, RenameFailed, RestoreFailed
from brownie_backup.hints import BackupHint, RestoreHint
from brownie_backup.model import Part, PartKind, Segment
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.restored import RestoredDatabase
from brownie_backup.postgres.client import quote_name
from brownie_backup.postgres.programs import parse_version


class PostgresTarget(DatabaseLoad):
    """One restore, from its preflight to its rename; `client` is connected to another database."""

    def report(self) -> RestoredDatabase:
        """Return what was done on the server."""
        return RestoredDatabase(
            self._replaced,
            self._created_roles,
            differences=self._differences,
            failed=tuple(self._failures),
        )

    def wanted(self, part: Part) -> Iterator[Segment]:
        """Yield the ranges of a large table, if it is to be loaded."""
        if part.table and self._wants(part.table.oid):
            yield from stored_segments(part, part.table)

    def name_of(self, part: Part) -> str:
        """Return the name of the large table, or else the kind."""
        relation = self._relations.get(part.table.oid) if part.table else None
        return f"{relation.schema}.{relation.name}" if relation else part.kind

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Yield what is missing on the server, or here."""
        self._inventory = parse_inventory(inventory)
        findings = (*self._check_server(), *preflight.check_room(archive_bytes))
        return tuple(preflight.tolerable(findings) if self._options.accept_errors else findings)

    def receive(
        self, parts: Iterable[tuple[Part, Iterable[bytes]]], *, contents_only: bool = False
    ) -> tuple[Finding, ...]:
        """Take roles and archive, and try what may fail; change nothing on the server."""
        findings = self._take(parts, contents_only=contents_only)
        return (*findings, *self._try(self._contents.keys()))

    def _take(
        self, parts: Iterable[tuple[Part, Iterable[bytes]]], *, contents_only: bool
    ) -> tuple[Finding, ...]:
        for part, chunks in parts:
            match part.kind:
                case PartKind.GLOBALS:
                    self._globals = b"".join(chunks).decode("utf-8", "surrogateescape")
                case PartKind.ARCHIVE if contents_only:
                    self._archive.spool_contents(chunks)
                case PartKind.ARCHIVE:
                    self._archive.spool(chunks)
                case PartKind.INVENTORY:
                    b"".join(chunks)
                case kind:
                    msg = f"this version cannot restore parts of the kind '{kind}'"
                    raise RestoreFailed(msg, hint=BackupHint.UPGRADE)
        self._listing = self._archive.script("--list", "--verbose")
        self._contents = parse_contents(self._listing)
        doubled = {e.oid for e in self._contents.values() if e.kind == TABLE_DATA}
        if not doubled.isdisjoint(self._relations):
            msg = "the archive has rows of large tables, which would then be there twice"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        if not self._options.excludes:
            return ()
        self._exclusion = excluded_by(self._options, self._archive, self._contents)
        self._contents = self._exclusion.contents
        return tuple(reports(self._exclusion))

    def load(
        self, parts: Sequence[tuple[Part, Iterator[tuple[Segment, Iterable[bytes]]]]]
    ) -> tuple[Finding, ...]:
        """Make the fresh database and load everything into it."""
        tables = {
            part.table.oid: _rows(part.table.oid, segments)
            for part, segments in parts
            if part.table
        }
        if tables.keys() != self._relations.keys():
            msg = "the inventory of the backup and its manifest do not name the same large tables"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        self._load_roles()
        wanted = {oid: ranges for oid, ranges in tables.items() if self._wants(oid)}
        return (*self._load(wanted), *self._failures.settle())

    def finish(self) -> tuple[Finding, ...]:
        """Check, analyse, set the properties of the database itself, and rename it.

        If something differs, the database stays under its temporary name: it has all rows.
        """
        findings = [*self._check()]
        try:
            findings += self._set_up()
        except RestoreFailed:
            self._stays = True
            raise
        if self._differences and not self._options.accept_differences:
            self._stays = True
            advice = next((each.hint for each in self._wrong), None)
            raise differs(self._differences, self._fresh.name, self._name, advice)
        return (*findings, *self._put_in_place())

    def abandon(self) -> str | None:
        """Restore the server's earlier state as far as possible; return the names of leftovers."""
        left = [f"the role '{role}'" for role in self._created_roles]
        database = f"the database '{self._fresh.name}'"
        if self._fresh.exists and (self._stays or self._options.keep_failed):
            return ", ".join([database, *left])
        stays = [] if self._fresh.drop() else [database]
        # After the database: a role that owns something can't be dropped.
        for role in reversed(self._created_roles):
            with contextlib.suppress(BackupError):
                self._client.run([f"DROP ROLE IF EXISTS {quote_name(role)}"])
                left.remove(f"the role '{role}'")
        self._created_roles = ()
        return ", ".join([*stays, *left]) or None

    def close(self) -> None:
        """Remove the archive's local copy."""
        self._temporary.cleanup()

    def _wants(self, oid: int) -> bool:
        if self._options.excludes:  # it is known after `receive`
            known = bool(self._contents)
            return known and oid in self._relations and oid not in self._exclusion.unloaded
        return oid in self._relations

    def _try(self, entries: AbstractSet[int], *, settings: bool = True) -> tuple[Finding, ...]:
        """Find out what would fail, by the archive, of these entries."""
        if self._server["standby"]:
            return ()
        findings = try_out(
            self._client,
            self._server,
            Requirements(
                self._archive,
                {number: self._contents[number] for number in entries},
                read_database_script(self._archive, self._listing, self._fresh.name, self._options),
                self._inventory,
                tuple(split_statements(self._globals)) if self._options.with_roles else (),
            ),
            self._options,
        )
        found = (each for each in findings if settings or each.subject != "settings")
        return tuple(preflight.tolerable(found) if self._options.accept_errors else found)

    def _check_server(self) -> Iterator[Finding]:
        self._server = server = preflight.ask_server(self._client)
        yield from preflight.check_target(self._client, server, self._name, self._options)
        yield from preflight.check_server(self._client, server, self._source, self._name)
        yield from preflight.check_contents(server, self._inventory, self._options)

    def _load_roles(self) -> None:
        if not self._options.with_roles:
            return
        statements = list(split_statements(self._globals))
        present = preflight.roles_on(self._client)
        needed = preflight.needed_roles(self._inventory, self._options)
        missing = roles_to_create(statements, needed, present)
        # In one transaction: all of them, or none.
        script = ["BEGIN", *for_roles(statements, missing, present), "COMMIT"]
        self._created_roles = tuple(sorted(missing))
        try:
            run_or_fail(self._client, "creating roles", script)
        except RestoreFailed:
            self._created_roles = ()
            raise

    def _load(self, tables: Mapping[int, Iterator[Loadable]]) -> Iterator[Finding]:
        yield from self._fresh.make(self._archive, self._listing, self._options, self._failures)
        only = self._only()
        yield from self._restore_section("pre-data", *only)
        if self._options.exclude_extensions:
            self._contents = without_members(self._client, self._fresh.name, self._contents)
            only = self._only()
        yield from self._load_rows(tables, self._contents.keys())
        yield from self._restore_section("post-data", *only)

    def _check(self) -> Iterator[Finding]:
        whole = not self._failures and not self._options.excludes
        compared = compare(
            self._client,
            self._fresh.name,
            self._contents,
            self._inventory.counts if whole else {},
            self._failures.entries,
        )
        self._differences = compared.differences
        yield from (*compared.findings, *self._compare_generated())
        with or_fail("ANALYZE"):
            unread = analyse(self._client, self._fresh.name, self._options.jobs)
        for table, error in unread.items():
            msg = f"ANALYZE of {table} failed: {error}"
            yield Finding(Level.WARNING, "analyze", msg, RestoreHint.DOES_IT_MATTER)

    def _set_up(self) -> Iterator[Finding]:
        """Set the properties of the database itself."""
        before = len(self._failures)
        self._fresh.set_up(self._failures)
        yield from [*self._failures.settle()][before:]

    def _generated(self) -> Iterator[GeneratedColumn]:
        """Yield the columns to compare: those of tables whose rows were all to be loaded."""
        without = {each.name for each in self._failures}
        without |= {str(parse_table(text)) for text in self._options.exclude_table_data}
        for column in self._inventory.generated:
            if str(TableName(column.schema, column.table)) not in without:
                yield column

    def _compare_generated(self) -> Iterator[Finding]:
        before = parse_version(self._source.server_version).major
        same = before == self._client.server_version.major
        with or_fail("comparing generated columns"):
            found = check_generated(
                self._client, self._fresh.name, self._generated(), same_major=same
            )
        self._wrong = tuple(each for each in found if each.level is Level.ERROR)
        self._differences += tuple(each.message for each in self._wrong)
        yield from map(acceptable, found)

    def _put_in_place(self) -> Iterator[Finding]:
        kept = f"_before_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        try:
            self._replaced = swap.put_in_place(
                self._client,
                fresh=self._fresh.name,
                name=self._name,
                kept=shorten(self._name, kept) if self._options.replace else None,
            )
        except RenameFailed:  # everything is restored, so it stays
            self._fresh.exists, self._created_roles = False, ()
            raise
        self._fresh.exists = False
        if self._replaced:
            msg = f"the database that was there is kept as '{self._replaced}'"
            yield Finding(Level.OK, "target", msg)


def _rows(oid: int, segments: Iterator[tuple[Segment, Iterable[bytes]]]) -> Iterator[Loadable]:
    return ((RowsToLoad(oid, segment.rows), chunks) for segment, chunks in segments)
