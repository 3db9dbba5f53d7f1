"""psql behind two pipes, for COPY out alone: any driver costs twice as much for that, or more."""

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
        # Nobody can have put that into a table.
        self._mark = secrets.token_hex(16).encode()
        self.encoding = "SQL_ASCII"
        """The encoding of the database, which all that comes and goes is in once it is prepared."""

    def prepare(self) -> None:
        """See to it that no timeout of the server's ends it, and that nobody's operators run."""
        self.run(*GUARD)
        self.encoding = self.value(b"SHOW server_encoding")
        self.run(f"SET client_encoding = '{self.encoding}'")

    def interrupt(self) -> None:
        """End it, from any thread: what runs in it fails."""
        self._child.interrupt()

    def run(self, *statements: str | bytes) -> None:
        """Run statements, one after the other; what is not ASCII is in the database's encoding.

        The first error ends that.
        """
        for statement in statements:
            sql = statement if isinstance(statement, bytes) else statement.encode("ascii")
            self.value(sql)

    def value(self, sql: bytes) -> str:
        """Run a SELECT of one value; return that as text."""
        output = b"".join(self._run(sql + b"\n;"))
        return output.decode("utf-8", "surrogateescape").rstrip("\n")

    def copy_out(self, statement: bytes) -> Generator[bytes, None, int]:
        """Run one ``COPY … TO STDOUT``; yield what it writes, and return its count of rows.

        Anyone who does not read to the end must end the session.
        """
        # Into a file of its own: psql tells no count of what went to its standard output.
        return (yield from self._run(statement + b" \\g /dev/stdout"))

    def _run(self, command: bytes) -> Generator[bytes, None, int]:
        """Run a command; what follows its output says how it ended, and how many rows it had."""
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
                held = piece  # the mark came in two pieces
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
            with contextlib.suppress(BrokenPipeError):  # its end shows in its output
                stdin.write(script)
                stdin.flush()


def _ends_within(piece: bytes, mark: bytes) -> bool:
    """Whether a piece ends with the beginning of the mark."""
    return any(piece.endswith(mark[:length]) for length in range(1, len(mark)))
