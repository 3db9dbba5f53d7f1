"""Loading a fresh database: definitions, rows, then indexes and constraints."""

import tempfile
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from brownie_backup.dumpers.postgres.inventory import Inventory
from brownie_backup.dumpers.postgres.restore import swap
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.dependent_tables import find_dependent_tables
from brownie_backup.dumpers.postgres.restore.exclusion import Exclusion
from brownie_backup.dumpers.postgres.restore.failures import Failures
from brownie_backup.dumpers.postgres.restore.loader import Loadable, Loader
from brownie_backup.dumpers.postgres.restore.new_database import (
    NewDatabase,
    or_fail,
)
from brownie_backup.dumpers.postgres.restore.row_order import RowStep, plan_rows
from brownie_backup.model import Database, Relation
from brownie_backup.model.findings import Finding
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.programs import Programs, parse_version


class DatabaseLoad:
    """A fresh database, and what is loaded into it; `client` is connected to another one."""

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
        self._server: dict[str, Any] = {}
        self._globals = ""
        self._listing = ""
        self._contents = parse_contents("")
        self._created_roles: tuple[str, ...] = ()
        self._replaced: str | None = None
        self._loaded_rows: Mapping[int, int] = {}
        self._differences: tuple[str, ...] = ()
        self._wrong: tuple[Finding, ...] = ()
        self._stays = False
        self._failures = Failures(options)
        self._exclusion = Exclusion({})
        self._temporary = tempfile.TemporaryDirectory(
            prefix="bb-restore-", ignore_cleanup_errors=True
        )
        self._folder = Path(self._temporary.name)
        self._archive = self._open_archive("archive.dump")

    @property
    def _relations(self) -> Mapping[int, Relation]:
        return {each.oid: each for each in self._inventory.relations}

    def _open_archive(self, name: str) -> Archive:
        programs = restore_programs(self._client, self._source)
        encoding = self._source.encoding
        return Archive(self._folder / name, self._client, programs, self._options, encoding)

    def _only(self) -> list[str]:
        """Return the option that leaves out what is excluded."""
        if not self._options.excludes:
            return []
        return [self._archive.use(self._contents, frozenset(self._contents), "not_excluded")]

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
            if self._options.excludes or step.entries != self._contents.keys():
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
            failures=self._failures,
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
            contents=self._contents,
            failures=self._failures,
            jobs=1 if section == "pre-data" else jobs or self._options.jobs,
            # If rows don't load, all further steps are pointless.
            strict=section == "data",
            # After making event triggers, it refreshes materialized views.
            client=self._quiet if section == "post-data" else self._client,
        )


def restore_programs(client: Client, source: Database) -> Programs:
    """Return the programs that know both the archive and the server."""
    archive = parse_version(source.client_version)
    return client.programs_for(max(archive, client.server_version), "restore")
