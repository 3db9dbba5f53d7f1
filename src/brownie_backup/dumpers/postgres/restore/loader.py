"""Loading the rows of large tables, several ranges at once, each counted."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait

from attrs import frozen

from brownie_backup.concurrency.threads import Threads
from brownie_backup.dumpers.postgres.restore.contents import TABLE_DATA
from brownie_backup.dumpers.postgres.restore.failures import NO_TABLES_FAULT, Failure, Failures
from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.errors import BackupError, DamagedError, DatabaseError, RestoreFailed
from brownie_backup.hints import BackupHint, RestoreHint
from brownie_backup.model import Relation
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.copy_rows import copy_in
from brownie_backup.postgres.encoding import sql_bytes
from brownie_backup.postgres.session import Session
from brownie_backup.tracing import step


@frozen
class RowsToLoad:
    """Rows of a large table: their expected number, and the OID that the table had."""

    oid: int
    rows: int | None


Loadable = tuple[RowsToLoad, Iterable[bytes]]
"""Rows, and their bytes."""

# The settings that pg_restore uses too, and those that the text of rows was written with. A commit
# need not wait for the disk: the commit that gives the database its name does, and all earlier ones
# are on disk then.
_SETTINGS = (
    "SET search_path = ''",
    "SET row_security = off",
    "SET DateStyle = ISO",
    "SET IntervalStyle = postgres",
    "SET TimeZone = 'UTC'",
    "SET lc_monetary = 'C'",
    "SET xmloption = content",
    "SET check_function_bodies = off",
    "SET synchronous_commit = off",
)


_NO_SUCH_OBJECT = "42"  # the class of such errors (PostgreSQL's manual, appendix A)


class Loader:
    """Loads ranges into one database. Any number of threads may `work` at once.

    Args:
        client: of the server.
        database: the target.
        encoding: PostgreSQL's name for the encoding of the rows.
        relations: the tables' names, by the OIDs that they had.
        tables: for each table its ranges, in order.
        failures: takes note of the tables that lack rows.
    """

    def __init__(
        self,
        client: Client,
        database: str,
        encoding: str,
        relations: Mapping[int, Relation],
        tables: Sequence[Iterator[Loadable]],
        *,
        failures: Failures,
    ) -> None:
        self._client = client
        self._database = database
        self._encoding = encoding
        self._relations = relations
        self._lock = threading.Lock()
        self._waiting = list(tables)
        self._shared: list[Iterator[Loadable]] = []
        self._failures = failures
        self._failed: set[int] = set()
        self._hopeless: set[int] = set()
        self.stopping = threading.Event()
        self.loaded: Counter[int] = Counter()
        """The number of loaded rows, by the OIDs that the tables had."""

    def run(
        self,
        jobs: int,
        *,
        give_up: Callable[[], None],
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        """Load everything, with several workers.

        Args:
            jobs: the number of workers.
            give_up: called when a worker fails, to end the waits of the others.
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

        While there is a table without a worker, this worker takes it: so its rows keep their order,
        and no worker waits for another's lock to extend the file. Otherwise it helps another
        worker.
        """
        taken = self._take(None)
        if taken is None:
            return
        while taken and not self.stopping.is_set():
            with self._client.session(self._database) as session:
                session.run(*_SETTINGS)
                loaded = True
                while taken and loaded and not self.stopping.is_set():
                    table, (spec, chunks) = taken
                    with step("load range", rows=spec.rows):
                        loaded = self._load(session, spec, chunks)
                    taken = self._take(table)

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

    def _load(self, session: Session, spec: RowsToLoad, chunks: Iterable[bytes]) -> bool:
        """Load a range; return whether it was loaded, or raise if a failure is the end."""
        relation = self._relations.get(spec.oid)
        if relation is None:
            msg = "the inventory of the backup does not name one of its large tables"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        if spec.oid in self._hopeless:
            return True
        statement = sql_bytes(copy_in(relation), self._encoding)
        try:
            loaded = session.copy_in(statement, self._encoding, self._while_wanted(chunks))
        except DatabaseError as error:
            if isinstance(error, RestoreFailed) or error.sqlstate[:2] in NO_TABLES_FAULT:
                raise
            if error.sqlstate.startswith(_NO_SUCH_OBJECT):
                self._hopeless.add(spec.oid)
            self._fail(relation, error.message)
            return False
        if loaded != spec.rows:
            self._fail(relation, f"{spec.rows} rows were backed up, and {loaded} were loaded")
        with self._lock:
            self.loaded[relation.oid] += loaded
        return True

    def _fail(self, relation: Relation, error: str) -> None:
        """Take note of the first failure of a table, or raise it."""
        with self._lock:
            first = relation.oid not in self._failed
            self._failed.add(relation.oid)
        if first:
            name = str(TableName(relation.schema, relation.name))
            self._failures.add(Failure(TABLE_DATA, name, error))

    def _while_wanted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.stopping.is_set():
                msg = "another worker failed"
                raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED)
            yield chunk
