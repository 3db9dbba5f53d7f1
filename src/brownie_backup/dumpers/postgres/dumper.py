"""pg_dump as a `brownie_backup.protocols.Dumper`."""

import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator
from datetime import timedelta

from attrs import frozen

from brownie_backup.dumpers.postgres.client import Client, no_timeouts
from brownie_backup.dumpers.postgres.conninfo import Conninfo
from brownie_backup.dumpers.postgres.doctor import diagnose
from brownie_backup.dumpers.postgres.inventory import INVENTORY_SQL, parse_inventory
from brownie_backup.dumpers.postgres.output import lines_of
from brownie_backup.dumpers.postgres.placement import maintenance_database
from brownie_backup.dumpers.postgres.process import feed, read_output, running
from brownie_backup.dumpers.postgres.session import Session, open_session
from brownie_backup.dumpers.postgres.target import PostgresTarget
from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DatabaseError,
    DumpFailed,
    ProgramMissing,
    UnsupportedFormat,
)
from brownie_backup.model import Database, DatabaseId, Extension, PartKind, PartSpec
from brownie_backup.protocols import Target
from brownie_backup.reports import Finding, RestoreOptions

LOCK_TIMEOUT = timedelta(minutes=5)
"""How long pg_dump waits for a table that somebody holds exclusively, before it gives up."""

_log = logging.getLogger(__name__)

ARCHIVE_HEAD_BYTES = 64
"""An archive begins with its format and the time of the dump, in 51 bytes at most: see WriteHead
in PostgreSQL's pg_backup_archiver.c. What follows is the same for the same database."""

_SYSTEM_IDENTIFIER = "(SELECT system_identifier FROM pg_control_system())::text"

_FACTS = f"""
SELECT current_setting('server_version') AS server_version, datname AS name,
  pg_encoding_to_char(encoding) AS encoding, pg_database_size(d.oid) AS size_bytes,
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate) AS locale,
  {_SYSTEM_IDENTIFIER} AS system_identifier,
  has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS role_passwords,
  pg_is_in_recovery() AS standby,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion)
    ORDER BY extname), '[]') FROM pg_extension) AS extensions
FROM pg_database d WHERE datname = current_database()
"""


@frozen
class PostgresSnapshot:
    """A snapshot that a session of ours has exported and holds open."""

    database: Database
    parts: tuple[PartSpec, ...]
    notes: tuple[str, ...]


class PostgresDumper:
    """Dumps and restores one database with PostgreSQL's client programs.

    Args:
        conninfo: how to connect; what it leaves out comes from libpq's own sources.
        pg_bin: the folder of the client programs, if they are not where they usually are.
        lock_timeout: how long pg_dump waits for a table that somebody holds exclusively.
    """

    def __init__(
        self,
        conninfo: Conninfo | None = None,
        *,
        pg_bin: str | None = None,
        lock_timeout: timedelta = LOCK_TIMEOUT,
    ) -> None:
        self._client = Client(conninfo or Conninfo(), pg_bin)
        self._lock_timeout = lock_timeout

    @property
    def kind(self) -> str:
        """What kind of backup this makes."""
        return "logical"

    def database_name(self) -> str:
        """Return the name of the database."""
        named = self._client.conninfo.database
        if named:
            return named
        (row,) = self._client.query("SELECT current_database() AS name")
        return str(row["name"])

    def database_id(self) -> DatabaseId:
        """Return which database it is; asks the server."""
        name = self.database_name()
        (row,) = self._client.query(f"SELECT {_SYSTEM_IDENTIFIER} AS system_identifier", name)
        return DatabaseId(row["system_identifier"], name)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """Open a transaction, export its snapshot, and hold both while the block runs."""
        name = self.database_name()
        if "\n" in name or "\r" in name:
            msg = f"the database {name!r} has a line break in its name, which pg_restore refuses"
            raise DumpFailed(msg, hint="ALTER DATABASE … RENAME")
        programs = self._client.programs
        with open_session(self._client, name) as session:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;")
            exported = session.run("SELECT pg_export_snapshot();")[-1]
            (facts,) = session.query(_FACTS)
            database = Database(
                name=name,
                system_identifier=facts["system_identifier"],
                server_version=facts["server_version"],
                client_version=str(programs.version),
                size_bytes=facts["size_bytes"],
                encoding=facts["encoding"],
                locale=facts["locale"],
                extensions=tuple(Extension(**item) for item in facts["extensions"]),
            )
            parts = (
                PartSpec(PartKind.INVENTORY, name, exported),
                PartSpec(PartKind.GLOBALS, name, exported),
                PartSpec(PartKind.ARCHIVE, name, exported, head_bytes=ARCHIVE_HEAD_BYTES),
            )
            yield PostgresSnapshot(database, parts, tuple(_notes(facts)))
            _end_politely(session)

    def read(self, part: PartSpec) -> Generator[bytes]:
        """Yield the bytes of a part; an error of the program is an error of the iteration."""
        match part.kind:
            case PartKind.INVENTORY:
                yield self._read_inventory(part)
            case PartKind.GLOBALS:
                yield from self._read_program(self._globals_command(part), PGOPTIONS=no_timeouts())
            case PartKind.ARCHIVE:
                yield from self._read_program(self._archive_command(part))
            case _:
                raise _unknown(part)

    def check(self, part: PartSpec, chunks: Iterable[bytes]) -> None:
        """Read a stored part to its end; nothing is connected to, and nothing loaded."""
        match part.kind:
            case PartKind.INVENTORY:
                parse_inventory(b"".join(chunks))
            case PartKind.GLOBALS:
                if b"PostgreSQL database cluster dump complete" not in b"".join(chunks)[-4096:]:
                    msg = "the dump of roles does not reach its end"
                    raise DamagedError(msg, hint="Restore another backup")
            case PartKind.ARCHIVE:
                self._check_archive(chunks)
            case _:
                raise _unknown(part)

    @contextlib.contextmanager
    def restoring(
        self, source: Database, target_database: str, options: RestoreOptions, token: str
    ) -> Iterator[Target]:
        """Begin a restore; left by an exception, it leaves the server as it was."""
        elsewhere = self._client.connected_to(maintenance_database(self._client, target_database))
        target = PostgresTarget(elsewhere, source, target_database, options, token)
        try:
            yield target
        except BaseException as error:
            left = target.abandon()
            if left:
                _log.warning("the half-made database '%s' is on the server", left)
                if isinstance(error, BackupError):
                    error.hint = f"The half-made database is kept as '{left}': drop it when done"
            raise
        finally:
            target.close()

    def diagnose(self) -> Iterator[Finding]:
        """Yield what `brownie-backup doctor` says of the database."""
        yield from diagnose(self._client)

    def _read_inventory(self, part: PartSpec) -> bytes:
        sql = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\n"
            f"SET TRANSACTION SNAPSHOT '{part.snapshot}';\n"
        )
        text = self._client.script(sql + INVENTORY_SQL + ";\n", part.database)
        data = text.rstrip("\n").split("\n")[-1].encode("utf-8", "surrogateescape")
        parse_inventory(data)  # what does not read now would not read in the restore
        return data

    def _globals_command(self, part: PartSpec) -> list[str]:
        (row,) = self._client.query(
            "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS passwords",
            part.database,
        )
        command = [
            self._client.programs.path("pg_dumpall"),
            "--globals-only",
            "--no-password",
            "--encoding=UTF8",
            # Not the bare name: it would be read as a connection string if it looks like one.
            f"--database={Conninfo().with_database(part.database).to_string()}",
            f"--dbname={self._client.connection(part.database)}",
        ]
        return command if row["passwords"] else [*command, "--no-role-passwords"]

    def _archive_command(self, part: PartSpec) -> list[str]:
        return [
            self._client.programs.path("pg_dump"),
            "--format=custom",
            "--compress=0",  # blobs are compressed by us, all in one way
            "--create",
            "--no-password",
            f"--snapshot={part.snapshot}",
            f"--lock-wait-timeout={self._lock_timeout // timedelta(milliseconds=1)}",
            f"--dbname={self._client.connection(part.database)}",
        ]

    def _read_program(self, argv: list[str], **more: str) -> Iterator[bytes]:
        program = argv[0].rpartition("/")[2]
        with running(argv, self._client.environment() | more, pipe="stdout") as child:
            yield from read_output(child)
            status, said = child.finish()
        if status != 0:
            msg = f"{program} failed with status {status}: {said or 'it said nothing'}"
            raise DumpFailed(msg, hint=_dump_hint(said))
        if said:
            _log.info("%s said: %s", program, said)

    def _check_archive(self, chunks: Iterable[bytes]) -> None:
        programs = self._client.newest_programs()
        argv = [programs.path("pg_restore"), "--file=/dev/null"]
        with running(argv, self._client.environment(), pipe="stdin") as child:
            feed(child, chunks)
            status, said = child.finish()
        first = next(lines_of(said), f"status {status}")
        if "unsupported version" in said:
            msg = f"pg_restore {programs.version} is too old for the archive: {first}"
            raise ProgramMissing(msg, hint="Install newer client programs, or set BACKUP_PG_BIN")
        if status < 0:
            msg = f"pg_restore was killed by signal {-status} while it read the archive"
            raise DatabaseError(msg, hint="Look for what ended it, and verify again")
        if status != 0:
            msg = f"pg_restore cannot read the archive to its end: {first}"
            raise DamagedError(msg, hint="Restore another backup")
        if said:
            _log.info("pg_restore said: %s", said)


def _notes(facts: dict[str, object]) -> Iterator[str]:
    if not facts["role_passwords"]:
        yield "role passwords are not included: the server does not let this role read pg_authid"
    if facts["standby"]:
        yield "taken from a standby"


def _dump_hint(said: str) -> str:
    if "row-level security" in said:
        return "Give the backup role BYPASSRLS, or make it the owner of that table"
    if "permission denied for large object" in said:
        return "GRANT SELECT ON LARGE OBJECT …, or connect as their owner: see doctor"
    if "permission denied" in said:
        return "Give the backup role pg_read_all_data: brownie-backup doctor says what is missing"
    if "LOCK TABLE" in said:  # --lock-wait-timeout ends it as a statement timeout
        return "Somebody holds a table exclusively: run the backup at another time"
    return "Nothing of this backup was kept; run it again, or see: brownie-backup doctor"


def _unknown(part: PartSpec) -> UnsupportedFormat:
    msg = f"this version cannot handle parts of the kind '{part.kind}'"
    return UnsupportedFormat(msg, hint="Upgrade brownie-backup")


def _end_politely(session: Session) -> None:
    # A session that died since takes nothing with it: pg_dump has the snapshot for itself.
    with contextlib.suppress(DatabaseError):
        session.run("COMMIT;")
