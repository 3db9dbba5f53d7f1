"""Restoring: into a fresh database, which takes its name only when all is well."""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brownie_backup.dumpers.postgres import placement, preflight
from brownie_backup.dumpers.postgres.client import Client, quote_name
from brownie_backup.dumpers.postgres.encoding import codec_of
from brownie_backup.dumpers.postgres.inventory import COUNTS_SQL, Inventory, parse_inventory
from brownie_backup.dumpers.postgres.loader import Loadable, Loader
from brownie_backup.dumpers.postgres.output import forgive, is_about_database, lines_of
from brownie_backup.dumpers.postgres.programs import Programs, parse_version
from brownie_backup.dumpers.postgres.statements import (
    for_database,
    for_roles,
    is_ownership,
    roles_created,
    split_statements,
)
from brownie_backup.errors import BackupError, DatabaseError, RestoreFailed
from brownie_backup.model import Database, PartKind, Relation
from brownie_backup.reports import Finding, Level, RestoreOptions

_log = logging.getLogger(__name__)

_TIMEOUT_SINCE = 17
_HINT = "The target is as it was. Mend the cause, or see what there is with --keep-failed"


class PostgresTarget:
    """One restore, from its preflight to its rename; `client` is connected to another database."""

    def __init__(
        self, client: Client, source: Database, name: str, options: RestoreOptions, token: str
    ) -> None:
        self._client = client
        self._source = source
        self._name = name
        self._options = options
        # In ASCII, so that it reads the same whatever the encoding of the database is: names of
        # databases are shared by all of them, and not converted.
        self._fresh = shorten(re.sub(r"\W", "_", name, flags=re.ASCII), f"_restoring_{token}")
        self._inventory = Inventory()
        self._settings: list[str] = []
        self._made = False
        self._created_roles: tuple[str, ...] = ()
        self._replaced: str | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="bb-restore-", ignore_cleanup_errors=True)
        self._archive = Path(self._folder.name) / "archive.dump"

    @property
    def relations(self) -> Mapping[int, Relation]:
        """What the bulk tables are called, by their oids."""
        return {each.oid: each for each in self._inventory.relations}

    @property
    def replaced_database(self) -> str | None:
        """The name under which the database that was in the way is kept."""
        return self._replaced

    @property
    def created_roles(self) -> tuple[str, ...]:
        """The roles that were created on the server."""
        return self._created_roles

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        """Say what is missing on the server, or here."""
        self._inventory = parse_inventory(inventory)
        server = preflight.check_server(
            self._client, self._source, self._inventory, self._name, self._options
        )
        return (*server, *preflight.check_room(archive_bytes))

    def load(
        self, parts: Iterable[Loadable], tables: Sequence[Iterator[Loadable]] = ()
    ) -> tuple[Finding, ...]:
        """Make the fresh database and load everything into it."""
        for spec, chunks in parts:
            match spec.kind:
                case PartKind.GLOBALS:
                    self._load_roles(b"".join(chunks).decode("utf-8", "surrogateescape"))
                case PartKind.ARCHIVE:
                    self._spool(chunks)
                case PartKind.INVENTORY:
                    b"".join(chunks)
                case kind:
                    msg = f"this version cannot restore parts of the kind '{kind}'"
                    raise RestoreFailed(msg, hint="Upgrade brownie-backup")
        findings = list(self._make_fresh())
        findings += self._restore_section("pre-data")
        findings += self._load_rows(tables)
        findings += self._restore_section("post-data")
        return tuple(findings)

    def finish(self) -> tuple[Finding, ...]:
        """Check, analyse, set what belongs to the database itself, and rename."""
        findings = list(self._compare_counts())
        self._analyse()
        self._run_or_fail("setting up the database", self._settings, in_fresh=True)
        self._replaced = placement.put_in_place(
            self._client,
            fresh=self._fresh,
            name=self._name,
            kept=shorten(self._name, f"_before_{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            if self._options.replace
            else None,
        )
        self._made = False
        return tuple(findings)

    def abandon(self) -> str | None:
        """Leave the server as it was, as far as it lets us; return the name of what is left."""
        if self._made and self._options.keep_failed:
            return self._fresh
        left = None
        if self._made and not placement.drop(self._client, self._fresh):
            left = self._fresh
        # After the database: a role that owns something can't be dropped.
        for role in reversed(self._created_roles):
            with contextlib.suppress(BackupError):
                self._client.script(f"DROP ROLE IF EXISTS {quote_name(role)};")
        self._created_roles = ()
        return left

    def close(self) -> None:
        """Remove the archive's local copy."""
        self._folder.cleanup()

    def _spool(self, chunks: Iterable[bytes]) -> None:
        """Write the archive where `pg_restore -j` can read it from several processes."""
        try:
            with open(self._archive, "xb", opener=_private) as file:
                file.writelines(chunks)
        except OSError as error:
            msg = f"the archive does not fit into {self._folder.name}: {error.strerror}"
            raise RestoreFailed(msg, hint="Set TMPDIR to a folder with space") from None

    def _load_roles(self, script: str) -> None:
        if not self._options.with_roles:
            return
        statements = list(split_statements(script))
        present = preflight.roles_on(self._client)
        missing = frozenset(roles_created(statements)) - present
        self._created_roles = tuple(sorted(missing))
        # In one transaction: all of them, or none.
        self._run_or_fail(
            "creating roles", ["BEGIN", *for_roles(statements, missing), "COMMIT"], roles=True
        )

    def _make_fresh(self) -> Iterator[Finding]:
        create, settings, strange = self._database_statements()
        # Before, not after: a CREATE that we no longer wait for may still come to its end.
        self._made = True
        self._run_or_fail("creating the database", [create])
        # The owner comes first: it may be by its rights that we may create anything in there. The
        # rest comes last: a setting such as read-only transactions would stop the restore.
        self._settings = [s for s in settings if not is_ownership(s)]
        owner = list(filter(is_ownership, settings))
        self._run_or_fail("giving the database to its owner", owner, in_fresh=True)
        for statement in strange:
            msg = f"not applied to the database: {statement[:100]}"
            yield Finding(Level.WARNING, "database", msg, "Look at it, and run it by hand")

    def _database_statements(self) -> tuple[str, list[str], list[str]]:
        """Return CREATE DATABASE, and the settings that follow, for the fresh database.

        They come from the archive itself: pg_dump knows best what belongs to a database.
        """
        listing = self._pg_restore(["--list", "--create"])
        wanted = [line for line in listing.split("\n") if is_about_database(line)]
        contents = Path(self._folder.name) / "database.list"
        contents.write_text("\n".join(wanted) + "\n", encoding="utf-8", errors="surrogateescape")
        script = self._pg_restore(
            ["--create", f"--use-list={contents}", "--file=-"], codec_of(self._source.encoding)
        )
        statements, strange = for_database(split_statements(script), quote_name(self._fresh))
        (create,) = (s for s in statements if s.startswith("CREATE DATABASE"))
        return create, [s for s in statements if s is not create], strange

    def _load_rows(self, tables: Sequence[Iterator[Loadable]]) -> list[Finding]:
        """Load what the archive has, and beside it the bulk tables."""
        encoding = self._source.encoding
        loader = Loader(self._client, self._fresh, encoding, self.relations, tables)
        if not tables:
            return list(self._restore_section("data"))
        pool = ThreadPoolExecutor(self._options.jobs + 1, thread_name_prefix="load")
        try:
            archive = pool.submit(lambda: list(self._restore_section("data")))
            others = [pool.submit(loader.work) for _ in range(self._options.jobs)]
            futures: list[Future[Any]] = [archive, *others]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return archive.result()
        except BaseException:
            loader.stopping.set()
            with contextlib.suppress(BackupError):  # then it ends by itself
                placement.end_sessions(self._client, self._fresh)
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _restore_section(self, section: str) -> Iterator[Finding]:
        arguments = [
            f"--section={section}",
            "--no-password",
            f"--dbname={self._client.connection(self._fresh)}",
        ]
        if not self._sets_what_the_server_lacks():
            # Rows that don't load make all that follows pointless; definitions are all tried, so
            # that everything that is missing shows at once.
            arguments += ["--exit-on-error"] if section == "data" else []
            arguments += [f"--jobs={self._options.jobs}"] if section != "pre-data" else []
        _log.info("restoring %s of '%s'", section, self._fresh)
        status, _, said = self._client.output([*self._pg_restore_command(), *arguments])
        status, messages = forgive(status, list(lines_of(said)))
        if status != 0:
            errors = [m for m in messages if "error" in m.lower()] or messages
            msg = f"restoring {section} failed with {len(errors)} errors, the first: "
            raise RestoreFailed(
                msg + (errors[0] if errors else f"status {status}"), hint=_HINT, errors=errors
            )
        for message in messages:
            yield Finding(Level.WARNING, section, message, "Look whether it matters to you")

    def _sets_what_the_server_lacks(self) -> bool:
        """Whether pg_restore will begin with an error that means nothing (see `forgive`)."""
        programs = restore_programs(self._client, self._source)
        return programs.version.major >= _TIMEOUT_SINCE > self._client.server_version.major

    def _compare_counts(self) -> Iterator[Finding]:
        found = {r["what"]: r["n"] for r in self._client.query(COUNTS_SQL, self._fresh)}
        expected = self._inventory.counts
        fewer = [
            f"{what}: {found.get(what, 0)} of {n}"
            for what, n in sorted(expected.items())
            if found.get(what, 0) < n
        ]
        if fewer:
            msg = f"the restored database lacks objects that the backup has: {', '.join(fewer)}"
            raise RestoreFailed(msg, hint=_HINT, errors=fewer)
        total = sum(expected.values())
        yield Finding(Level.OK, "objects", f"{total} objects counted in the backup, and found")

    def _analyse(self) -> None:
        command = [
            self._client.programs_for(self._client.server_version, "restore").path("vacuumdb"),
            "--analyze-only",
            "--quiet",
            "--no-password",
            f"--jobs={self._options.jobs}",
            f"--dbname={self._client.connection(self._fresh)}",
        ]
        status, _, said = self._client.output(command)
        if status != 0:
            msg = f"ANALYZE failed: {said}"
            raise RestoreFailed(msg, hint=_HINT, errors=[said])

    def _run_or_fail(
        self, doing: str, statements: list[str], *, roles: bool = False, in_fresh: bool = False
    ) -> None:
        if not statements:
            return
        script = ";\n".join(statements) + ";\n"
        try:
            self._client.script(script, self._fresh if in_fresh else None)
        except DatabaseError as error:
            if roles:
                self._created_roles = ()
            msg = f"{doing} failed: {error.message}"
            raise RestoreFailed(msg, hint=_HINT, errors=[error.message]) from None

    def _pg_restore(self, arguments: list[str], codec: str = "utf-8") -> str:
        status, output, said = self._client.output([*self._pg_restore_command(), *arguments])
        if status != 0:
            msg = f"pg_restore cannot read the archive: {said}"
            raise RestoreFailed(msg, hint=_HINT, errors=[said])
        return output.decode(codec, "surrogateescape")

    def _pg_restore_command(self) -> list[str]:
        options = self._options
        programs = restore_programs(self._client, self._source)
        return [
            programs.path("pg_restore"),
            *([] if options.owner else ["--no-owner"]),
            *([] if options.privileges else ["--no-acl"]),
            *([] if options.tablespaces else ["--no-tablespaces"]),
            str(self._archive),
        ]


def restore_programs(client: Client, source: Database) -> Programs:
    """Return the programs that know both the archive and the server."""
    archive = parse_version(source.client_version)
    return client.programs_for(max(archive, client.server_version), "restore")


def shorten(name: str, suffix: str) -> str:
    """Return `name` with the suffix, cut to what PostgreSQL takes, at a whole character."""
    room = preflight.NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode("utf-8", "ignore") + suffix


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
