"""Loading the rows of bulk tables, several ranges at once, each counted."""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait

from attrs import frozen

from brownie_backup.concurrency.threads import Threads
from brownie_backup.dumpers.postgres.restore.archive import HINT
from brownie_backup.errors import BackupError, DamagedError, RestoreFailed
from brownie_backup.model import Relation
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.copy_rows import copy_in
from brownie_backup.postgres.encoding import sql_bytes
from brownie_backup.postgres.process import feed, read_output, running
from brownie_backup.tracing import step


@frozen
class RowsToLoad:
    """Rows of a bulk table: how many they must be, and the oid that the table had."""

    oid: int
    rows: int | None


Loadable = tuple[RowsToLoad, Iterable[bytes]]
"""Rows, and their bytes."""

# What pg_restore sets too, and what the text of rows was written with. A commit need not wait for
# the disk: the one that gives the database its name does, and all before it is on disk then.
_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "search_path": "",
    "row_security": "off",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "lc_monetary": "C",
    "xmloption": "content",
    "check_function_bodies": "off",
    "synchronous_commit": "off",
}


class Loader:
    """Loads ranges into one database. Any number of threads may `work` at once.

    Args:
        client: of the server.
        database: where to.
        encoding: of the rows, as PostgreSQL calls it.
        relations: what the tables are called, by the oids that they had.
        tables: for each table its ranges, in order.
    """

    def __init__(
        self,
        client: Client,
        database: str,
        encoding: str,
        relations: Mapping[int, Relation],
        tables: Sequence[Iterator[Loadable]],
    ) -> None:
        self._client = client
        self._database = database
        self._encoding = encoding
        self._relations = relations
        self._lock = threading.Lock()
        self._waiting = list(tables)
        self._shared: list[Iterator[Loadable]] = []
        self.stopping = threading.Event()
        self.loaded: Counter[int] = Counter()
        """How many rows were loaded, by the oids that the tables had."""
        settings = dict(_SETTINGS)
        if client.server_version.major >= 17:  # noqa: PLR2004 - the major that brought it
            settings["transaction_timeout"] = "0"
        # Not by PGOPTIONS: a connection string or a service may have options of its own.
        self._settings = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())

    def run(
        self,
        jobs: int,
        *,
        give_up: Callable[[], None],
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        """Load everything, by several workers.

        Args:
            jobs: how many.
            give_up: called when one of them fails, to end what the others wait for.
            beside: something else to do at the same time.
        """
        pool = Threads(jobs + 1, thread_name_prefix="load")
        try:
            futures = [pool.submit(work) for work in (beside, *[self.work] * jobs)]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            self.stopping.set()
            with contextlib.suppress(BackupError):  # then it ends by itself
                give_up()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def work(self) -> None:
        """Load ranges until there are no more.

        While there is a table that nobody is at, this worker takes that: so its rows keep their
        order, and nobody waits for another one's lock on the end of the file. Else it helps.
        """
        table: Iterator[Loadable] | None = None
        while not self.stopping.is_set():
            taken = self._take(table)
            if taken is None:
                return
            table, (spec, chunks) = taken
            with step("load range", rows=spec.rows):
                self._load(spec, chunks)

    def _take(self, table: Iterator[Loadable] | None) -> tuple[Iterator[Loadable], Loadable] | None:
        with self._lock:
            while True:
                if table is None:
                    if self._waiting:
                        table = self._waiting.pop(0)
                        self._shared.append(table)
                    elif self._shared:
                        table = self._shared[0]
                    else:
                        return None
                found = next(table, None)
                if found:
                    return table, found
                if table in self._shared:
                    self._shared.remove(table)
                table = None

    def _load(self, spec: RowsToLoad, chunks: Iterable[bytes]) -> None:
        relation = self._relations.get(spec.oid)
        if relation is None:
            msg = "the inventory of the backup does not name one of its bulk tables"
            raise DamagedError(msg, hint="Restore another backup")
        statement = sql_bytes(copy_in(relation), self._encoding)
        argv = [*self._client.psql(self._database)]
        at = argv.index("--file=-")
        argv[at : at + 1] = [f"--command={self._settings}", f"--command={os.fsdecode(statement)}"]
        argv.remove("--quiet")  # it would not say how many rows it has loaded
        env = self._client.environment() | {"PGCLIENTENCODING": self._encoding}
        with running(argv, env, pipe="both") as child:
            feed(child, self._while_wanted(chunks))
            output = b"".join(read_output(child))
            status, said = child.finish()
        where = f"the rows of {relation.schema}.{relation.name}"
        if status != 0:
            msg = f"{where} could not be loaded: {said or f'psql ended with status {status}'}"
            raise RestoreFailed(msg, hint=HINT, errors=[said])
        loaded = output.decode().strip().rpartition("\n")[2]
        if loaded != f"COPY {spec.rows}":
            msg = (
                f"{where} are not all there: {spec.rows} were backed up, and loading said {loaded}"
            )
            raise RestoreFailed(msg, hint=HINT, errors=[msg])
        with self._lock:
            self.loaded[relation.oid] += spec.rows or 0

    def _while_wanted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.stopping.is_set():
                msg = "another worker failed"
                raise RestoreFailed(msg, hint=HINT)
            yield chunk
