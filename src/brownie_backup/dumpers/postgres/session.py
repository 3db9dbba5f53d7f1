"""A session that stays open: psql behind two pipes."""

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from brownie_backup.dumpers.postgres.client import GUARD, Client, as_json, query_error, read_json
from brownie_backup.dumpers.postgres.process import Child, running

_NO_TIMEOUT = """
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';
"""


class Session:
    """One connection, one statement at a time. The first error ends it."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def run(self, sql: str) -> list[str]:
        """Run statements; return the lines that they printed."""
        stdin, stdout = self._child.process.stdin, self._child.process.stdout
        if stdin is None or stdout is None:
            return []
        mark = f"-- {secrets.token_hex(8)}"
        with contextlib.suppress(BrokenPipeError):
            stdin.write(f"{sql}\n\\echo {mark!r}\n".encode())
            stdin.flush()
        lines: list[str] = []
        for raw in stdout:
            line = raw.decode("utf-8", "surrogateescape").rstrip("\n")
            if line == mark:
                return lines
            lines.append(line)
        raise query_error(*self._child.finish())

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run one SELECT; return its rows as dicts."""
        return read_json(self.run(as_json(sql))[-1])


@contextlib.contextmanager
def open_session(client: Client, database: str) -> Iterator[Session]:
    """Open a session that no timeout of the server's ends, and close it."""
    env = client.environment() | {"PGCLIENTENCODING": "UTF8"}
    with running(client.psql(database), env, pipe="both") as child:
        session = Session(child)
        session.run(GUARD + _NO_TIMEOUT)
        yield session
