"""A client of one server: PostgreSQL's programs, and how they get to it without showing secrets."""

import contextlib
import json
import os
import re
import tempfile
import weakref
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from attrs import evolve

from brownie_backup.errors import ConnectionFailed, DatabaseError, DatabaseNotFound
from brownie_backup.postgres.conninfo import Conninfo
from brownie_backup.postgres.output import split_code
from brownie_backup.postgres.pooler import ASK_FOR_MARK, MARK, is_shared
from brownie_backup.postgres.process import feed, read_output, running
from brownie_backup.postgres.programs import (
    Programs,
    Version,
    choose_programs,
    installed_programs,
    parse_version,
)

_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")
GUARD = """
SET statement_timeout = 0;
SET search_path = pg_catalog, pg_temp;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
"""
"""What every session of ours begins with. The search_path of the database is its owner's to set:
an operator of theirs in our queries would run with our rights, a superuser's perhaps."""

WITH_CODES = "\\set VERBOSITY verbose\n"
"""Makes psql tell the code of each error: see `split_code`."""

CROWDED_HINT = "Lower BACKUP_PARALLEL_JOBS, or raise the server's max_connections"
_NO_POOLER = "That is a pooler (pgbouncer): connect to PostgreSQL itself"
_FILE_OF_OURS = re.compile(r"\npassword retrieved from file \".*\"")
"""That has gone by the time that anybody reads of it."""
_CONNECTION_BROKEN = 2  # psql's exit status, by its manual
_PASSFILE_SPECIAL = re.compile(r"([\\:])")


class Client:
    """Runs psql, pg_dump and the others against one server.

    Passwords reach them by a passfile that only our user can read. Everything else that libpq
    knows (PG* variables, service file, pgpass) keeps working.
    """

    def __init__(self, conninfo: Conninfo, pg_bin: str | None = None) -> None:
        self.conninfo = conninfo
        self._pg_bin = pg_bin
        # A connection string stands for itself: a service would go before the environment in
        # what it leaves open. Decided here, once, from what the caller gave.
        self._keeps_service = not conninfo.parameters or "service" in conninfo.parameters
        self._has_own_sessions = False
        self._passfile: str | None = None
        if conninfo.password:
            self._passfile = _write_passfile(conninfo)
            weakref.finalize(self, _remove, self._passfile)

    def connected_to(self, database: str) -> "Client":
        """Return a client of another database on the same server."""
        other = Client(self.conninfo.with_database(database), self._pg_bin)
        other._keeps_service = self._keeps_service
        return other

    def environment(self) -> dict[str, str]:
        """Return what the programs get: ours, without our own settings."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("BACKUP_")}
        # pg_dump would write in another encoding than the database's.
        env.pop("PGCLIENTENCODING", None)
        if not self._keeps_service:
            env.pop("PGSERVICE", None)
        if self._passfile:
            env.pop("PGPASSWORD", None)
            env["PGPASSFILE"] = self._passfile
        env.setdefault("PGCONNECT_TIMEOUT", "10")
        env.setdefault("PGAPPNAME", "brownie-backup")
        return env | {"LC_ALL": "C"}

    def connection(self, database: str | None = None, **more: str) -> str:
        """Return the connection string for a command line, with more parameters in it."""
        conninfo = self.conninfo.with_database(database) if database else self.conninfo
        return evolve(conninfo, parameters={**conninfo.parameters, **more}).to_string()

    @cached_property
    def server_version(self) -> Version:
        """The server's version; asks it once."""
        (row,) = self.query("SELECT current_setting('server_version') AS version")
        return parse_version(row["version"])

    @cached_property
    def programs(self) -> Programs:
        """The programs that know this server best."""
        return self.programs_for(self.server_version)

    def programs_for(self, version: Version, to: str = "dump") -> Programs:
        """Return the programs for a server or an archive of that version."""
        return choose_programs(version, self._pg_bin, to=to)

    def newest_programs(self) -> Programs:
        """Return the newest programs: they read every archive."""
        available = installed_programs(self._pg_bin)
        return available[-1] if available else choose_programs(Version(1, 0), self._pg_bin)

    def query(self, sql: str, database: str | None = None) -> list[dict[str, Any]]:
        """Run one SELECT; return its rows as dicts."""
        text = self.script(as_json(sql), database)
        return read_json(text.rstrip("\n").split("\n")[-1])

    def script(self, sql: str, database: str | None = None) -> str:
        """Run statements in one session; return what psql printed.

        They go in by a pipe, so that none shows in the process list.
        """
        self.require_own_sessions(database)
        return self._run(self.psql(database), GUARD + sql)

    def require_own_sessions(self, database: str | None = None) -> None:
        """See, the first time, that our sessions are nobody else's; nothing is set before that.

        Raises:
            ConnectionFailed: there is no connection, or a pooler that mixes sessions.
        """
        if self._has_own_sessions:
            return
        theirs = self.conninfo.parameters.get("options", os.environ.get("PGOPTIONS", ""))
        # A service may have options of its own, which ours would replace.
        service = "service" in self.conninfo.parameters or "PGSERVICE" in self.environment()
        more = {} if service else {"options": f"{theirs} {MARK}".strip()}
        mark = self._run(self.psql(database, **more), ASK_FOR_MARK).strip()
        if mark != "yes" and is_shared(self.psql(database), self.environment()):
            msg = "a pooler between us and PostgreSQL mixes our sessions with those of others"
            raise ConnectionFailed(msg, hint=_NO_POOLER)
        self._has_own_sessions = True

    def _run(self, argv: list[str], sql: str) -> str:
        # As the server stores names: bytes that are no text (SQL_ASCII) survive the round trip.
        env = self.environment() | {"PGCLIENTENCODING": "UTF8"}
        with running(argv, env, pipe="both") as child:
            feed(child, [(WITH_CODES + sql).encode("utf-8", "surrogateescape")])
            output = b"".join(read_output(child))
            status, said = child.finish()
        if status != 0:
            raise query_error(status, said)
        return output.decode("utf-8", "surrogateescape")

    def psql(self, database: str | None = None, **more: str) -> list[str]:
        """Return the command that runs psql on its standard input; see `connection`."""
        program = self.newest_programs().path("psql")
        return [
            program,
            *_PSQL,
            "--no-password",
            "--file=-",
            f"--dbname={self.connection(database, **more)}",
        ]

    def output(self, argv: Iterable[str]) -> tuple[int, bytes, str]:
        """Run a program to its end; return exit status, standard output and what it said."""
        env = self.environment() | {"PGOPTIONS": no_timeouts()}
        with running([*argv], env, pipe="stdout") as child:
            output = b"".join(read_output(child))
            status, said = child.finish()
        return status, output, said


def read_json(line: str) -> list[dict[str, Any]]:
    """Read what a SELECT by `as_json` printed."""
    rows: list[dict[str, Any]] = json.loads(line)
    return rows


def as_json(sql: str) -> str:
    """Wrap a SELECT so that psql prints its rows as one line of JSON."""
    return f"SELECT coalesce(jsonb_agg(to_jsonb(q)), '[]')::text FROM ({sql}) AS q;\n"


def query_error(status: int, said: str) -> DatabaseError | DatabaseNotFound:
    """Return the error for what psql said."""
    said, code = split_code(said)
    text = said.removeprefix("psql: error: ").strip() or f"psql ended with status {status}"
    missing = re.search(r'database "(.*)" does not exist', text)
    if missing:
        msg = f"there is no database '{missing[1]}' on the server"
        return DatabaseNotFound(msg, hint="See: psql --list")
    if status == _CONNECTION_BROKEN and ("connection" in text or "could not" in text):
        hint = "Check BACKUP_DATABASE_URL or the PG* variables: brownie-backup doctor"
        if "unsupported startup parameter" in text:
            hint = _NO_POOLER
        elif is_crowded(text):
            hint = CROWDED_HINT
        text = _FILE_OF_OURS.sub("", text)
        return ConnectionFailed(f"no connection to PostgreSQL: {text}", hint=hint)
    return DatabaseError(f"PostgreSQL said: {text}", sqlstate=code)


def is_crowded(said: str) -> bool:
    """Whether a server refuses us because it has too many sessions."""
    return "too many clients" in said or "remaining connection slots" in said


def quote_name(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Return the SQL name of a table, by its schema."""
    return f"{quote_name(schema)}.{quote_name(name)}"


def quote_text(text: str) -> str:
    """Return an SQL string, whatever standard_conforming_strings says."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def no_timeouts() -> str:
    """Return libpq's options for programs that leave a role's or database's timeouts in force."""
    ours = "-c statement_timeout=0 -c lock_timeout=0"
    return f"{os.environ.get('PGOPTIONS', '')} {ours}".strip()


def _write_passfile(conninfo: Conninfo) -> str:
    """Write the password down for the hosts that the connection string names, and no other."""
    descriptor, path = tempfile.mkstemp(prefix="bb-pass-")
    secret = conninfo.password.reveal() if conninfo.password else ""
    named = conninfo.parameters.get("host") or conninfo.parameters.get("hostaddr")
    hosts = set(named.split(",")) if named else {"*"}
    if any(not host or host.startswith("/") for host in hosts):
        hosts.add("localhost")  # libpq's word for a socket in the usual folder
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        for host in filter(None, sorted(hosts)):
            fields = (host, "*", "*", "*", secret)
            file.write(":".join(f if f == "*" else _escaped(f) for f in fields) + "\n")
    return path


def _escaped(field: str) -> str:
    return _PASSFILE_SPECIAL.sub(r"\\\1", field)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()
