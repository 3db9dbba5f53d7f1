"""Restoring into a fresh database, which gets its name only after everything succeeded."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path

from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.dumpers.postgres.inventory import COUNTS_SQL, Inventory, parse_inventory
from brownie_backup.dumpers.postgres.restore import preflight, swap
from brownie_backup.dumpers.postgres.restore.analyse import analyse
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import TABLE_DATA, Contents, parse_contents
from brownie_backup.dumpers.postgres.restore.dependent_tables import find_dependent_tables
from brownie_backup.dumpers.postgres.restore.generated_values import check_generated
from brownie_backup.dumpers.postgres.restore.loader import Loadable, Loader, RowsToLoad
from brownie_backup.dumpers.postgres.restore.new_database import (
    NewDatabase,
    or_fail,
    run_or_fail,
    shorten,
)
from brownie_backup.dumpers.postgres.restore.row_order import RowStep, plan_rows
from brownie_backup.dumpers.postgres.restore.statements import (
    for_roles,
    roles_created,
    split_statements,
)
from brownie_backup.dumpers.postgres.segments import stored_segments
from brownie_backup.errors import BackupError, DamagedError, RenameFailed, RestoreFailed
from brownie_backup.hints import BackupHint, RestoreHint
from brownie_backup.model import Database, Part, PartKind, Relation, Segment
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoredDatabase, RestoreOptions
from brownie_backup.postgres.client import Client, quote_name
from brownie_backup.postgres.programs import Programs, parse_version


class PostgresTarget:
    """One restore, from its preflight to its rename; `client` is connected to another database."""

    def __init__(
        self, client: Client, source: Database, name: str, options: RestoreOptions, token: str
    ) -> None:
        self._quiet = client.without_event_triggers()
        # Where that keeps all other triggers from starting too, it must load no extension's rows.
        self._client = client if self._quiet.event_triggers else self._quiet
        self._source = source
        self._name = name
        self._options = options
        self._token = token
        self._fresh = NewDatabase(self._quiet, name, token)
        self._inventory = Inventory()
        self._globals = ""
        self._listing = ""
        self._contents: Contents = {}
        self._created_roles: tuple[str, ...] = ()
        self._replaced: str | None = None
        self._loaded_rows: Mapping[int, int] = {}
        self._temporary = tempfile.TemporaryDirectory(
            prefix="bb-restore-", ignore_cleanup_errors=True
        )
        self._folder = Path(self._temporary.name)
        self._archive = self._open_archive("archive.dump")

    def report(self) -> RestoredDatabase:
        """Return what was done on the server."""
        return RestoredDatabase(self._replaced, self._created_roles)

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
        return (*self._check_server(), *preflight.check_room(archive_bytes))

    def receive(self, parts: Iterable[tuple[Part, Iterable[bytes]]]) -> tuple[Finding, ...]:
        """Take roles and archive; change nothing on the server."""
        for part, chunks in parts:
            match part.kind:
                case PartKind.GLOBALS:
                    self._globals = b"".join(chunks).decode("utf-8", "surrogateescape")
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
        return ()

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
        return tuple(self._load(tables))

    def finish(self) -> tuple[Finding, ...]:
        """Check, analyse, set the properties of the database itself, and rename it."""
        return (*self._check(), *self._put_in_place())

    def abandon(self) -> str | None:
        """Restore the server's earlier state as far as possible; return the names of leftovers."""
        left = [f"the role '{role}'" for role in self._created_roles]
        database = f"the database '{self._fresh.name}'"
        if self._fresh.exists and self._options.keep_failed:
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
        return oid in self._relations

    @property
    def _relations(self) -> Mapping[int, Relation]:
        return {each.oid: each for each in self._inventory.relations}

    def _open_archive(self, name: str) -> Archive:
        programs = restore_programs(self._client, self._source)
        encoding = self._source.encoding
        return Archive(self._folder / name, self._client, programs, self._options, encoding)

    def _check_server(self) -> Iterator[Finding]:
        server = preflight.ask_server(self._client)
        yield from preflight.check_target(self._client, server, self._name, self._options)
        yield from preflight.check_server(self._client, server, self._source, self._name)
        yield from preflight.check_contents(server, self._inventory, self._options)

    def _load_roles(self) -> None:
        if not self._options.with_roles:
            return
        statements = list(split_statements(self._globals))
        missing = frozenset(roles_created(statements)) - preflight.roles_on(self._client)
        # In one transaction: all of them, or none.
        script = ["BEGIN", *for_roles(statements, missing), "COMMIT"]
        self._created_roles = tuple(sorted(missing))
        try:
            run_or_fail(self._client, "creating roles", script)
        except RestoreFailed:
            self._created_roles = ()
            raise

    def _load(self, tables: Mapping[int, Iterator[Loadable]]) -> Iterator[Finding]:
        yield from self._fresh.make(self._archive, self._listing)
        yield from self._restore_section("pre-data")
        yield from self._load_rows(tables, self._contents.keys())
        yield from self._restore_section("post-data")

    def _load_rows(
        self, tables: Mapping[int, Iterator[Loadable]], entries: AbstractSet[int]
    ) -> Iterator[Finding]:
        """Load large tables, and the rows that are in the archive, in the right order."""
        with or_fail("looking for functions that read tables"):
            dependent = find_dependent_tables(self._client, self._fresh.name)
        relations = [self._relations[oid] for oid in tables]
        steps = plan_rows(self._contents, entries, relations, dependent, self._options.jobs)
        for number, step in enumerate(steps):
            only: list[str] = []
            if step.entries != self._contents.keys():
                only = [self._archive.use(self._contents, step.entries, f"rows_{number}")]
            yield from self._load_step(step, tables, *only)

    def _load_step(
        self, step: RowStep, tables: Mapping[int, Iterator[Loadable]], *arguments: str
    ) -> list[Finding]:
        """Load the archive's rows, and at the same time large tables."""
        findings: list[Finding] = []

        def restore() -> None:
            if step.entries:
                findings.extend(self._restore_section("data", *arguments, jobs=step.jobs))

        if not step.tables:
            restore()
            return findings
        loader = Loader(
            self._client,
            self._fresh.name,
            self._source.encoding,
            self._relations,
            [tables[oid] for oid in step.tables],
        )
        loader.run(
            step.jobs,
            beside=restore,
            give_up=lambda: swap.end_sessions(self._client, self._fresh.name),
        )
        self._loaded_rows = {**self._loaded_rows, **loader.loaded}
        return findings

    def _restore_section(
        self, section: str, *arguments: str, jobs: int | None = None
    ) -> Iterator[Finding]:
        yield from self._archive.restore(
            self._fresh.name,
            f"--section={section}",
            *arguments,
            what=section,
            jobs=1 if section == "pre-data" else jobs or self._options.jobs,
            # If rows don't load, all further steps are pointless.
            strict=section == "data",
            # After making event triggers, it refreshes materialized views.
            client=self._quiet if section == "post-data" else self._client,
        )

    def _check(self) -> Iterator[Finding]:
        yield from self._compare_counts()
        yield from self._compare_generated(self._inventory.generated)
        with or_fail("ANALYZE"):
            analyse(self._client, self._fresh.name, self._options.jobs)

    def _compare_generated(self, recorded: Iterable[GeneratedColumn]) -> Iterator[Finding]:
        before = parse_version(self._source.server_version).major
        same = before == self._client.server_version.major
        with or_fail("comparing generated columns"):
            found = check_generated(self._client, self._fresh.name, recorded, same_major=same)
        errors = [each for each in found if each.level is Level.ERROR]
        if errors:
            messages = [each.message for each in errors]
            raise RestoreFailed("; ".join(messages), hint=errors[0].hint, errors=messages)
        yield from found

    def _put_in_place(self) -> Iterator[Finding]:
        name, fresh = self._name, self._fresh
        run_or_fail(self._client, "setting up the database", fresh.settings, fresh.name)
        kept = f"_before_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        try:
            self._replaced = swap.put_in_place(
                self._client,
                fresh=fresh.name,
                name=name,
                kept=shorten(name, kept) if self._options.replace else None,
            )
        except RenameFailed:  # everything is restored, so it stays
            fresh.exists, self._created_roles = False, ()
            raise
        fresh.exists = False
        if self._replaced:
            msg = f"the database that was there is kept as '{self._replaced}'"
            yield Finding(Level.OK, "target", msg)

    def _compare_counts(self) -> Iterator[Finding]:
        found = {r["what"]: r["n"] for r in self._client.query(COUNTS_SQL, self._fresh.name)}
        expected = self._inventory.counts
        fewer = [
            f"{what}: {found.get(what, 0)} of {n}"
            for what, n in sorted(expected.items())
            if found.get(what, 0) < n
        ]
        if fewer:
            msg = f"the restored database lacks objects that the backup has: {', '.join(fewer)}"
            raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED, errors=fewer)
        total = sum(expected.values())
        yield Finding(Level.OK, "objects", f"{total} objects counted in the backup, and found")


def _rows(oid: int, segments: Iterator[tuple[Segment, Iterable[bytes]]]) -> Iterator[Loadable]:
    return ((RowsToLoad(oid, segment.rows), chunks) for segment, chunks in segments)


def restore_programs(client: Client, source: Database) -> Programs:
    """Return the programs that know both the archive and the server."""
    archive = parse_version(source.client_version)
    return client.programs_for(max(archive, client.server_version), "restore")
