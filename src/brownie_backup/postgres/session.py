"""Our own session on the server, by libpq."""

import contextlib
import os
import socket
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from brownie_backup.errors import ConnectionFailed, DatabaseError
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.errors import statement_failed

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGresult
    from psycopg.rows import DictRow

GUARD = (
    "SET statement_timeout = 0",
    "SET search_path = pg_catalog, pg_temp",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    # Since version 17.
    """SELECT set_config('transaction_timeout', '0', false)
       WHERE current_setting('transaction_timeout', true) IS NOT NULL""",
)
"""The settings at the start of each of our sessions. The database's owner can set its search_path:
an operator of theirs in our queries would run with our rights, perhaps a superuser's."""

_PIECE_BYTES = 256 << 10
"""How many bytes go to libpq at once: the fastest size (measured from 8 KiB to 1 MiB)."""
_CANCEL_SECONDS = 5.0


class Session:
    """One connection, one statement at a time. Any thread may interrupt it."""

    def __init__(self, connection: "Connection[DictRow]") -> None:
        self._connection = connection
        self._busy = threading.Lock()
        # An interrupting thread must not act on the reused number of another file.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._ending = threading.Lock()
        self._ended = False

    @property
    def server_version(self) -> str:
        """The server's version, as the server reports it."""
        return self._status("server_version")

    @property
    def encoding(self) -> str:
        """The encoding of the database, by PostgreSQL's name."""
        return self._status("server_encoding")

    @property
    def address(self) -> tuple[str, str, int]:
        """Host, its address and port of the server that was reached, of several perhaps."""
        info = self._connection.info
        return info.host, info.hostaddr, info.port

    def prepare(self) -> None:
        """Make sure that no server timeout ends it, and that no user-defined operators run."""
        self.run(";".join(GUARD))
        if self.encoding == "SQL_ASCII":
            # Names are then bytes, not text: the server would refuse to send some as UTF-8.
            self.run("SET client_encoding = 'SQL_ASCII'")

    def run(self, *statements: str) -> None:
        """Run statements one after the other; stop at the first error.

        Several statements in one text are one transaction.
        """
        for statement in statements:
            with self._working():
                self._command(statement.encode("utf-8", "surrogateescape"))

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run one SELECT; return its rows as dicts."""
        with self._working() as connection, connection.cursor() as cursor:
            cursor.execute(sql.encode("utf-8", "surrogateescape"))
            return cursor.fetchall()

    def value(self, sql: bytes) -> str:
        """Run a SELECT of one value; return the value as text."""
        with self._working():
            (result,) = self._command(sql)
            return (result.get_value(0, 0) or b"").decode("utf-8", "surrogateescape")

    def copy_out(self, statement: bytes) -> Generator[bytes, None, int]:
        """Run one ``COPY … TO STDOUT``; yield its output, and return its count of rows.

        Statement and rows are in the encoding of the database, so that nothing is converted. A
        caller that does not read to the end must end the session.
        """
        from psycopg.generators import copy_from  # noqa: PLC0415 - it takes long to import

        with self._working():
            self._speak(self.encoding)
            self._command(statement)
        rows: int | None = None
        while rows is None:
            held, size = [], 0
            with self._working() as connection:
                while rows is None and size < _PIECE_BYTES:
                    piece = connection.wait(copy_from(connection.pgconn))  # a row, or the end
                    if isinstance(piece, memoryview):
                        held.append(bytes(piece))
                        size += len(piece)
                    else:
                        rows = piece.command_tuples or 0
                        self._speak()
            if held:
                yield b"".join(held)
        return rows

    def copy_in(self, statement: bytes, encoding: str, chunks: Iterable[bytes]) -> int:
        """Run one ``COPY … FROM STDIN``; return its count of rows.

        Args:
            statement: in ASCII, or in the encoding.
            encoding: the encoding of the rows.
            chunks: the rows; if the iterator raises, the COPY ends without loading a row.
        """
        from psycopg import Error  # noqa: PLC0415 - as above
        from psycopg.generators import copy_to  # noqa: PLC0415 - as above

        with self._working():
            self._speak(encoding)
            self._command(statement)
        for chunk in chunks:
            view = memoryview(chunk)
            with self._working() as connection:
                for at in range(0, len(view), _PIECE_BYTES):
                    piece = view[at : at + _PIECE_BYTES]
                    try:
                        connection.wait(copy_to(connection.pgconn, piece))
                    except Error:
                        self._results()  # raises the server's error, if there is one
                        raise
        with self._working() as connection:
            connection.pgconn.put_copy_end()
            (done,) = self._results()
            self._speak()
        return done.command_tuples or 0

    def interrupt(self) -> None:
        """End it, from any thread: the running statement fails."""
        with self._ending:
            if self._socket.fileno() < 0:
                return
            self._ended = True
            self._cancel()
            with contextlib.suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it, and its running statement."""
        if not self._busy.acquire(blocking=False):  # another thread is using it
            self.interrupt()
            self._busy.acquire()
        try:
            with self._ending:
                if self._socket.fileno() >= 0:
                    self._ended = True
                    self._cancel()  # interrupted by a signal, or not read to the end
                    self._connection.close()
                    self._socket.close()
        finally:
            self._busy.release()

    @contextlib.contextmanager
    def _working(self) -> Iterator["Connection[DictRow]"]:
        from psycopg import Error  # noqa: PLC0415 - as above

        with self._busy:
            if self._ended:
                msg = "the session with PostgreSQL was ended"
                raise ConnectionFailed(msg, hint=DatabaseHint.SEE_WHAT_ENDED_IT)
            try:
                yield self._connection
            except Error as error:
                raise statement_failed(error) from None

    def _command(self, sql: bytes) -> list["PGresult"]:
        """Run statements in any encoding: psycopg's cursors don't know all encodings."""
        self._connection.pgconn.send_query(sql)
        return self._results()

    def _results(self) -> list["PGresult"]:
        from psycopg import pq  # noqa: PLC0415 - as above
        from psycopg.errors import error_from_result  # noqa: PLC0415 - as above
        from psycopg.generators import execute  # noqa: PLC0415 - as above

        results: list[PGresult] = self._connection.wait(execute(self._connection.pgconn))
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        return results

    def _speak(self, encoding: str | None = None) -> None:
        """Use that encoding for input and output, or ours again."""
        ours = "SQL_ASCII" if self.encoding == "SQL_ASCII" else "UTF8"
        self._command(f"SET client_encoding = '{encoding or ours}'".encode())

    def _cancel(self) -> None:
        from psycopg import Error, pq  # noqa: PLC0415 - as above

        if self._connection.info.transaction_status == pq.TransactionStatus.ACTIVE:
            with contextlib.suppress(Error):  # then it ends when it notices
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def _status(self, name: str) -> str:
        value = self._connection.pgconn.parameter_status(name.encode())
        if value is None:
            msg = f"the server does not say its {name}"
            raise DatabaseError(msg, hint=DatabaseHint.CONNECT_DIRECTLY)
        return value.decode()
