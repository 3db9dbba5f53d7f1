"""Servers for the tests, and what the tests do with them."""

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.dump.large_tables import BULK_TABLE_BYTES
from brownie_backup.dumpers.postgres.dumper import LOCK_TIMEOUT
from brownie_backup.postgres.server import ThrowawayServer
from tests.servers.install import installed

# Nothing here needs to survive a power cut, and logical publications want to be restorable.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "wal_level": "logical"}
# Each login takes both sides some milliseconds otherwise, and the tests log in often.
_QUICK_LOGIN = {"scram_iterations": "1"}
_QUICK_SINCE = 16

BULK = """
CREATE TABLE bulk AS SELECT g AS id, (
  SELECT string_agg(encode(sha512((g || ':' || i)::bytea), 'hex'), '') FROM generate_series(1, 80) i
) AS text FROM generate_series(1, 10000) g;
"""
"""Some 100 MiB of rows that compress to a half."""

_SUBSCRIPTIONS = """
SET search_path = pg_catalog; -- a test may have operators of its own
SELECT quote_ident(subname) FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Server:
    """A running server and the client programs of one major."""

    def __init__(self, major: int, settings: Mapping[str, str] | None = None) -> None:
        self.major = major
        self.client = installed(major) / "client"
        chosen = _SETTINGS | (_QUICK_LOGIN if major >= _QUICK_SINCE else {}) | dict(settings or {})
        self._server = ThrowawayServer(installed(major), settings=chosen)
        self.url = self._server.url
        self.password = self._server.password
        self.port = self._server.port
        if major >= _QUICK_SINCE:  # what it has was made slow to guess
            self.sql("postgres", f"ALTER ROLE postgres PASSWORD '{self.password.reveal()}'")

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._server.data

    @property
    def process_id(self) -> int:
        """The postmaster's process id."""
        return int((self._server.data / "postmaster.pid").read_text().split()[0])

    def stop(self, mode: str = "fast") -> None:
        """Stop it."""
        self._server.stop(mode)

    def start(self) -> None:
        """Start it again."""
        self._server.start()

    def close(self) -> None:
        """Stop and remove it."""
        self._server.close()

    def dumper(
        self,
        database: str,
        *,
        client: Path | None = None,
        bulk_table_bytes: int = BULK_TABLE_BYTES,
        binary: bool = True,
        lock_timeout: timedelta = LOCK_TIMEOUT,
    ) -> PostgresDumper:
        """Return a dumper of a database, by the server's own client programs."""
        return PostgresDumper(
            parse_conninfo(self.url("postgres")).with_database(database),
            pg_bin=str(client or self.client),
            lock_timeout=lock_timeout,
            bulk_table_bytes=bulk_table_bytes,
            binary=binary,
        )

    def sql(self, database: str, sql: str) -> str:
        """Run SQL in psql; return what it printed."""
        quiet = ("-X", "-q", "-At", "-v", "ON_ERROR_STOP=1")
        return self._run("psql", *quiet, database=database, given=sql)

    def load(self, database: str, file: Path) -> None:
        """Run a file of SQL in a database."""
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file), database=database)

    def create(self, database: str, options: str = "TEMPLATE template0 ENCODING 'UTF8'") -> None:
        """Create a database."""
        quoted = database.replace('"', '""')
        self.sql("postgres", f'CREATE DATABASE "{quoted}" {options}')

    def drop(self, database: str) -> None:
        """Drop a database, its subscriptions first, which would not let it go."""
        quoted = database.replace('"', '""')
        if not self.databases(database):
            return
        for name in self.sql(database, _SUBSCRIPTIONS).splitlines():
            forget = f"ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name}"
            self.sql(database, f"{forget} SET (slot_name = NONE); DROP SUBSCRIPTION {name}")
        self.sql("postgres", f'ALTER DATABASE "{quoted}" IS_TEMPLATE false')
        self.sql("postgres", f'DROP DATABASE "{quoted}" WITH (FORCE)')

    def databases(self, like: str = "%") -> list[str]:
        """Return the names of the databases that match."""
        escaped = like.replace("\\", "\\\\").replace("'", "''")
        sql = f"SELECT datname FROM pg_database WHERE datname LIKE '{escaped}'"
        return sorted(self.sql("postgres", sql).splitlines())

    def sessions(self, like: str) -> int:
        """Return how many sessions there are in the databases that match."""
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{like}'"
        return int(self.sql("postgres", sql))

    def end_sessions(self, like: str) -> None:
        """End all sessions in the databases that match."""
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE"
        self.sql("postgres", f"{end} '{like}'")

    def plain_dump(self, database: str, *arguments: str, client: Path | None = None) -> list[str]:
        r"""Return the lines of a plain pg_dump, but for the random key of its \restrict lines."""
        text = self._run("pg_dump", *arguments, database=database, client=client)
        return [x for x in text.split("\n") if not x.startswith(("\\restrict", "\\unrestrict"))]

    def _run(
        self,
        program: str,
        *arguments: str,
        database: str,
        given: str | None = None,
        client: Path | None = None,
    ) -> str:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BACKUP_"))}
        done = subprocess.run(
            [str((client or self.client) / program), *arguments],
            check=False,
            input=given,
            capture_output=True,
            encoding="utf-8",
            env=env
            | {
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGUSER": "postgres",
                "PGPASSWORD": self.password.reveal(),
                "PGDATABASE": database,
                **({"PGCLIENTENCODING": "UTF8"} if program == "psql" else {}),
            },
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


class Servers:
    """One server of each major that is asked for; more on demand."""

    def __init__(self) -> None:
        self._shared: dict[int, Server] = {}

    def get(self, major: int = 18) -> Server:
        """Return the shared server of a major."""
        if major not in self._shared:
            self._shared[major] = Server(major)
        return self._shared[major]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._shared.values():
            server.close()
