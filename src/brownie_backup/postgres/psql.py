"""psql behind two pipes, for COPY out alone: any driver costs at least twice as much for that."""

import contextlib
import re
import secrets
from collections.abc import Generator
from typing import IO

from brownie_backup.errors import ConnectionFailed, DatabaseError
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.process import PIPE_BYTES, Child
from brownie_backup.postgres.session import GUARD

OPTIONS = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--file=-")
_LONGEST_TAIL = 64
_SUCCESS = "00000"
_PLACE = re.compile(r"^psql:\S+:\d+: ", re.MULTILINE)


class Psql:
    """One session, one statement at a time. The first error makes it useless."""

    def __init__(self, child: Child) -> None:
        self._child = child
        # A mark that no table can contain.
        self._mark = secrets.token_hex(16).encode()
        self.encoding = "SQL_ASCII"
        """The encoding of the database, which all input and output uses once the session is
        prepared."""

    def prepare(self) -> None:
        """Make sure that no server timeout ends it, and that no user-defined operators run."""
        self.run(*GUARD)
        self.encoding = self.value(b"SHOW server_encoding")
        self.run(f"SET client_encoding = '{self.encoding}'")

    def interrupt(self) -> None:
        """End it, from any thread: the running statement fails."""
        self._child.interrupt()

    def run(self, *statements: str | bytes) -> None:
        """Run statements, one after the other; non-ASCII text is in the database's encoding.

        It stops at the first error.
        """
        for statement in statements:
            sql = statement if isinstance(statement, bytes) else statement.encode("ascii")
            self.value(sql)

    def value(self, sql: bytes) -> str:
        """Run a SELECT of one value; return the value as text."""
        output = b"".join(self._run(sql + b"\n;"))
        return output.decode("utf-8", "surrogateescape").rstrip("\n")

    def copy_out(self, statement: bytes) -> Generator[bytes, None, int]:
        """Run one ``COPY … TO STDOUT``; yield its output, and return its count of rows.

        A caller that does not read to the end must end the session.
        """
        # Into a separate file: psql prints no count for a COPY to its standard output.
        return (yield from self._run(statement + b" \\g /dev/stdout"))

    def _run(self, command: bytes) -> Generator[bytes, None, int]:
        """Run a command; the text after its output tells how it ended, and its number of rows."""
        self._send(command + b"\n\\echo " + self._mark + b" :SQLSTATE :ROW_COUNT\n")
        held = b""
        while piece := self._output.read1(PIPE_BYTES):  # type: ignore[attr-defined]
            if held:
                piece, held = held + piece, b""
            at = piece.rfind(self._mark, -_LONGEST_TAIL)
            if at >= 0 and piece.endswith(b"\n"):
                if at:
                    yield piece[:at]
                return self._rows(piece[at + len(self._mark) :])
            if at >= 0 or _ends_within(piece, self._mark):
                held = piece  # the mark arrived in two pieces
            else:
                yield piece
        status, said = self._child.finish()
        msg = f"the connection of psql was lost: {said or f'it ended with status {status}'}"
        raise ConnectionFailed(msg, hint=DatabaseHint.SEE_SERVER_LOG)

    def _rows(self, tail: bytes) -> int:
        code, rows = tail.decode().split()
        if code != _SUCCESS:
            msg = f"PostgreSQL said: {_PLACE.sub('', self._child.said())}"
            raise DatabaseError(msg, sqlstate=code)
        return int(rows)

    @property
    def _output(self) -> IO[bytes]:
        if self._child.process.stdout is None:
            msg = "psql has no output"
            raise DatabaseError(msg)
        return self._child.process.stdout

    def _send(self, script: bytes) -> None:
        stdin = self._child.process.stdin
        if stdin:
            with contextlib.suppress(BrokenPipeError):  # its output shows the end
                stdin.write(script)
                stdin.flush()


def _ends_within(piece: bytes, mark: bytes) -> bool:
    """Whether a piece ends with the beginning of the mark."""
    return any(piece.endswith(mark[:length]) for length in range(1, len(mark)))
