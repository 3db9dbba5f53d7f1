"""Statistics of a restored database, of several tables at once."""

from collections import deque
from concurrent.futures import FIRST_EXCEPTION, wait
from contextlib import ExitStack

from brownie_backup.concurrency.threads import Threads
from brownie_backup.dumpers.postgres.restore.failures import NO_TABLES_FAULT
from brownie_backup.errors import DatabaseError
from brownie_backup.postgres.client import Client, qualified
from brownie_backup.postgres.session import Session

# A partitioned table's statistics come from autovacuum or from a manual ANALYZE, as always.
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
ORDER BY pg_relation_size(c.oid) DESC
"""


def analyse(client: Client, database: str, jobs: int) -> dict[str, str]:
    """Analyse all tables of a database; return PostgreSQL's errors about tables, by their names.

    An expression of an index or of extended statistics may call a function that fails here.

    Args:
        client: of the server.
        database: its name.
        jobs: how many sessions to use.

    Raises:
        DatabaseError: the server is out of reach.
    """
    failed: dict[str, str] = {}
    tables = deque(qualified(r["schema"], r["name"]) for r in client.query(_TABLES, database))
    with ExitStack() as stack:
        count = max(1, min(jobs, len(tables)))
        sessions = [stack.enter_context(client.session(database)) for _ in range(count)]
        pool = stack.enter_context(Threads(count, thread_name_prefix="analyse"))
        try:
            futures = [pool.submit(_work, session, tables, failed) for session in sessions]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            for session in sessions:
                session.interrupt()
            raise
    return failed


def _work(session: Session, tables: deque[str], failed: dict[str, str]) -> None:
    while True:
        try:
            table = tables.popleft()
        except IndexError:
            return
        try:
            session.run(f"ANALYZE {table}")
        except DatabaseError as error:
            if error.sqlstate[:2] in NO_TABLES_FAULT:
                raise
            failed[table] = error.message
