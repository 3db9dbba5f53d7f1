"""Loading the rows of large tables, several ranges at once, each counted."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait

from attrs import frozen

from brownie_backup.concurrency.threads import Threads
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


class Loader:
    """Loads ranges into one database. Any number of threads may `work` at once.

    Args:
        client: of the server.
        database: the target.
        encoding: PostgreSQL's name for the encoding of the rows.
        relations: the tables' names, by the OIDs that they had.
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
        with self._client.session(self._database) as session:
            session.run(*_SETTINGS)
            while taken and not self.stopping.is_set():
                table, (spec, chunks) = taken
                with step("load range", rows=spec.rows):
                    self._load(session, spec, chunks)
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

    def _load(self, session: Session, spec: RowsToLoad, chunks: Iterable[bytes]) -> None:
        relation = self._relations.get(spec.oid)
        if relation is None:
            msg = "the inventory of the backup does not name one of its large tables"
            raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
        statement = sql_bytes(copy_in(relation), self._encoding)
        where = f"the rows of {relation.schema}.{relation.name}"
        try:
            loaded = session.copy_in(statement, self._encoding, self._while_wanted(chunks))
        except DatabaseError as error:
            if isinstance(error, RestoreFailed):
                raise
            msg = f"{where} could not be loaded: {error.message}"
            raise RestoreFailed(
                msg, hint=RestoreHint.TARGET_UNCHANGED, errors=[error.message]
            ) from None
        if loaded != spec.rows:
            msg = f"{where} are not all there: {spec.rows} were backed up, and {loaded} were loaded"
            raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED, errors=[msg])
        with self._lock:
            self.loaded[relation.oid] += spec.rows or 0

    def _while_wanted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.stopping.is_set():
                msg = "another worker failed"
                raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED)
            yield chunk
