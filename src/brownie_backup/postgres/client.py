"""A client of one server: sessions on it, and PostgreSQL's programs that work on it."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from brownie_backup.errors import ConnectionFailed, DatabaseError, ProgramMissing
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.access import Access
from brownie_backup.postgres.conninfo import Conninfo
from brownie_backup.postgres.endpoint import IDENTITY, Endpoint, Identity, parse_identity
from brownie_backup.postgres.pooler import MARK, has_mark, is_shared
from brownie_backup.postgres.process import read_output, running
from brownie_backup.postgres.programs import (
    Programs,
    Version,
    choose_programs,
    installed_programs,
    parse_version,
)
from brownie_backup.postgres.psql import OPTIONS, Psql
from brownie_backup.postgres.session import Session

_INSUFFICIENT_PRIVILEGE = "42501"
_NO_TIMEOUTS = "-c statement_timeout=0 -c lock_timeout=0"
_EVENT_TRIGGERS_SINCE = 17
_NO_EVENT_TRIGGERS = ("event_triggers", "off", "")
_REPLICA = ("session_replication_role", "replica", "RA")


class Client:
    """Queries one server, and runs pg_dump and other programs against it."""

    def __init__(
        self,
        conninfo: Conninfo,
        pg_bin: str | None = None,
        *,
        access: Access | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.access = access or Access(conninfo)
        self.endpoint = endpoint
        """The one server that all sessions are with, if that is decided."""
        self.event_triggers = "OA"
        """The values of pg_event_trigger.evtenabled with which they start for our sessions."""
        self._pg_bin = pg_bin
        self._has_own_sessions = False

    def connected_to(self, database: str) -> "Client":
        """Return a client of another database on the same server."""
        access = self.access.to_database(database)
        return Client(access.conninfo, self._pg_bin, access=access, endpoint=self.endpoint)

    def at(self, endpoint: Endpoint | None) -> "Client":
        """Return a client of that server alone, wherever else the connection string leads."""
        access = self.access.pinned_to(endpoint.parameters) if endpoint else self.access
        return Client(access.conninfo, self._pg_bin, access=access, endpoint=endpoint)

    def pinned(self, database: str | None = None) -> "Client":
        """Return a client of the server that is reached now, for one backup or one restore.

        Raises:
            ConnectionFailed: there is no connection, or a pooler that mixes sessions.
        """
        with self.session(database) as session:
            client = self.at(Endpoint(*session.address, _identity(session)))
            client.server_version = parse_version(session.server_version)
            client._has_own_sessions = self._has_own_sessions  # noqa: SLF001 - of its own class
        return client

    def without_event_triggers(self) -> "Client":
        """Return a client for whom event triggers don't start, or as few as its role may prevent.

        Before version 17 there is only the setting that ordinary triggers depend on too.
        """
        has_setting = self.server_version.major >= _EVENT_TRIGGERS_SINCE
        name, value, rest = _NO_EVENT_TRIGGERS if has_setting else _REPLICA
        (row,) = self.query(f"SELECT has_parameter_privilege('{name}', 'SET') AS may")
        if not row["may"]:
            return self
        # In the connection, so that login triggers don't start either. Such options go before
        # PGOPTIONS, where programs get the others from.
        access = self.access.with_options(f"{_NO_TIMEOUTS} -c {name}={value}")
        client = Client(access.conninfo, self._pg_bin, access=access, endpoint=self.endpoint)
        client.server_version = self.server_version
        client.event_triggers = rest
        return client

    @cached_property
    def server_version(self) -> Version:
        """The server's version; queried once."""
        with self.session() as session:
            return parse_version(session.server_version)

    @cached_property
    def programs(self) -> Programs:
        """The installed programs that fit this server best."""
        return self.programs_for(self.server_version)

    def programs_for(self, version: Version, to: str = "dump") -> Programs:
        """Return the programs for a server or an archive of that version."""
        return choose_programs(version, self._pg_bin, to=to)

    def newest_programs(self) -> Programs:
        """Return the newest programs: they read every archive."""
        available = installed_programs(self._pg_bin)
        return available[-1] if available else choose_programs(Version(1, 0), self._pg_bin)

    def query(self, sql: str, database: str | None = None) -> list[dict[str, Any]]:
        """Run one SELECT in a session of its own; return its rows as dicts."""
        with self.session(database) as session:
            return session.query(sql)

    def run(self, statements: Iterable[str], database: str | None = None) -> None:
        """Run statements in a session of their own, one after the other."""
        with self.session(database) as session:
            session.run(*statements)

    @contextlib.contextmanager
    def session(self, database: str | None = None) -> Iterator[Session]:
        """Open a session that no timeout of the server's ends, and close it.

        Raises:
            ConnectionFailed: there is no connection, or a pooler that mixes sessions.
        """
        session = self._connect(database)
        try:
            self._require_own_sessions(session, database)
            if self.endpoint and self.endpoint.identity:
                self.endpoint.require(parse_identity(session.value(IDENTITY)))
            session.prepare()
            yield session
        finally:
            session.close()

    def require_own_sessions(self, database: str | None = None) -> None:
        """Check, the first time, that no pooler shares our sessions with other clients.

        This comes before a program is started.

        Raises:
            ConnectionFailed: there is no connection, or a pooler that mixes sessions.
        """
        if not self._has_own_sessions:
            with self.session(database):
                pass

    @contextlib.contextmanager
    def psql(self, database: str) -> Iterator[Psql]:
        """Open a psql session for COPY out, and close it."""
        self.require_own_sessions(database)
        argv = [
            self.newest_programs().path("psql"),
            *OPTIONS,
            f"--dbname={self.access.command_line(database)}",
        ]
        with running(argv, self.access.environment(), pipe="both") as child:
            psql = Psql(child)
            psql.prepare()
            if self.endpoint and self.endpoint.identity:
                self.endpoint.require(parse_identity(psql.value(IDENTITY)))
            yield psql

    def output(self, argv: Iterable[str]) -> tuple[int, bytes, str]:
        """Run a program to its end; return its exit status, standard output and messages."""
        env = self.access.environment() | {"PGOPTIONS": no_timeouts()}
        with running([*argv], env, pipe="stdout") as child:
            output = b"".join(read_output(child))
            status, said = child.finish()
        return status, output, said

    def _connect(self, database: str | None, options: str = MARK) -> Session:
        try:
            from brownie_backup.postgres import libpq  # noqa: PLC0415 - it takes long to import
        except ImportError as error:
            msg = f"libpq cannot be loaded: {error}"
            raise ProgramMissing(msg, hint=DatabaseHint.INSTALL_LIBPQ) from None
        arguments = self.access.arguments(database)
        theirs = arguments.get("options", "")
        more = {} if self._has_own_sessions else {"options": f"{theirs} {options}".strip()}
        return Session(libpq.connect(arguments | more))

    def _require_own_sessions(self, session: Session, database: str | None) -> None:
        """Check, the first time, that no pooler shares our sessions; nothing is set before that."""
        if self._has_own_sessions:
            return
        if not has_mark(session) and is_shared(lambda: self._connect(database, "")):
            msg = "a connection pooler mixes our sessions with those of other clients"
            raise ConnectionFailed(msg, hint=DatabaseHint.NO_POOLER)
        self._has_own_sessions = True


def _identity(session: Session) -> Identity | None:
    """Return which server this is, or None if it is a secret of a managed service."""
    try:
        return parse_identity(session.value(IDENTITY))
    except DatabaseError as error:
        if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
            raise
        return None


def quote_name(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Return the SQL name of a table, by its schema."""
    return f"{quote_name(schema)}.{quote_name(name)}"


def quote_text(text: str) -> str:
    """Return an SQL string that is valid regardless of standard_conforming_strings."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def no_timeouts() -> str:
    """Return libpq's options for programs that leave a role's or database's timeouts in force."""
    return f"{os.environ.get('PGOPTIONS', '')} {_NO_TIMEOUTS}".strip()
