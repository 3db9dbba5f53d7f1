"""A session that stays open: psql behind two pipes."""

import contextlib
import secrets
from collections.abc import Generator, Iterator
from typing import IO, Any

from brownie_backup.errors import DatabaseError
from brownie_backup.postgres.client import (
    GUARD,
    WITH_CODES,
    Client,
    as_json,
    query_error,
    read_json,
)
from brownie_backup.postgres.process import PIPE_BYTES, Child, running

_NO_TIMEOUT = """
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';
"""
# Where names are bytes and no text, the server would refuse to send some as UTF-8.
_ENCODING = """
SELECT set_config('client_encoding', 'SQL_ASCII', false)
WHERE current_setting('server_encoding') = 'SQL_ASCII';
"""
_MOST_DIGITS = 20


class Session:
    """One connection, one statement at a time. The first error ends it."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def interrupt(self) -> None:
        """End it, from any thread: what runs in it fails."""
        self._child.interrupt()

    def run(self, sql: str | bytes) -> list[str]:
        """Run statements; return the lines that they printed."""
        mark = f"-- {secrets.token_hex(8)}"
        script = sql if isinstance(sql, bytes) else sql.encode("utf-8", "surrogateescape")
        self._send(script + f"\n\\echo {mark!r}\n".encode())
        lines: list[str] = []
        for raw in self._output:
            line = raw.decode("utf-8", "surrogateescape").rstrip("\n")
            if line == mark:
                return lines
            lines.append(line)
        raise self._error()

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run one SELECT; return its rows as dicts."""
        return read_json(self.run(as_json(sql))[-1])

    def copy(self, statement: bytes) -> Generator[bytes, None, int]:
        """Run one ``COPY … TO STDOUT``; yield what it writes, and return its count of rows.

        Whoever does not read to the end must end the session.
        """
        # What follows the data says how many rows they were, and nobody can have put that there.
        mark = secrets.token_hex(16).encode()
        # Into a file of its own: psql tells no count of what went to its standard output.
        self._send(statement + b" \\g /dev/stdout\n\\echo " + mark + b" :ROW_COUNT\n")
        held = b""
        while piece := self._output.read1(PIPE_BYTES):  # type: ignore[attr-defined]
            if held:
                piece, held = held + piece, b""
            at = piece.rfind(mark, -(len(mark) + _MOST_DIGITS))
            if at >= 0 and piece.endswith(b"\n"):
                if at:
                    yield piece[:at]
                return int(piece[at + len(mark) :])
            if at >= 0 or _ends_within(piece, mark):
                held = piece  # the mark came in two pieces
            else:
                yield piece
        raise self._error()

    @property
    def _output(self) -> IO[bytes]:
        if self._child.process.stdout is None:
            msg = "the session has no output"
            raise DatabaseError(msg)
        return self._child.process.stdout

    def _send(self, script: bytes) -> None:
        stdin = self._child.process.stdin
        if stdin:
            with contextlib.suppress(BrokenPipeError):  # its end shows in its output
                stdin.write(script)
                stdin.flush()

    def _error(self) -> Exception:
        return query_error(*self._child.finish())


@contextlib.contextmanager
def open_session(client: Client, database: str) -> Iterator[Session]:
    """Open a session that no timeout of the server's ends, and close it."""
    client.require_own_sessions(database)
    env = client.environment() | {"PGCLIENTENCODING": "UTF8"}
    with running(client.psql(database), env, pipe="both") as child:
        session = Session(child)
        session.run(WITH_CODES + GUARD + _NO_TIMEOUT + _ENCODING)
        yield session


def _ends_within(piece: bytes, mark: bytes) -> bool:
    """Whether a piece ends with the beginning of the mark."""
    return any(piece.endswith(mark[:length]) for length in range(1, len(mark)))
