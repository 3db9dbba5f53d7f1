"""Whether a pooler gives the sessions of several clients to one process of the server.

What a session sets there, another client gets: ours and pg_dump's search_path, an application.
So it is found out before anything is set.
"""

from collections.abc import Callable
from contextlib import ExitStack

from brownie_backup.postgres.session import Session

MARK = "-c brownie_backup.direct=yes"
"""In the options of a connection: what a server does with it, and no pooler."""
_ASK_FOR_MARK = "SELECT pg_catalog.current_setting('brownie_backup.direct', true) AS mark"
_ASK_FOR_PROCESS = "SELECT pg_catalog.pg_backend_pid() AS id"
_TIMES = 3


def has_mark(session: Session) -> bool:
    """Whether a session that was begun with `MARK` is that of a server."""
    (row,) = session.query(_ASK_FOR_MARK)
    return bool(row["mark"] == "yes")


def is_shared(connect: Callable[[], Session]) -> bool:
    """Whether two sessions that are open at once do not have a process each, and keep it."""
    with ExitStack() as stack:
        sessions = [connect() for _ in range(2)]
        for session in sessions:
            stack.callback(session.close)
        seen = [[_process_id(session) for session in sessions] for _ in range(_TIMES)]
    ours, others = map(set, zip(*seen, strict=True))
    return len(ours) > 1 or len(others) > 1 or bool(ours & others)


def _process_id(session: Session) -> int:
    (row,) = session.query(_ASK_FOR_PROCESS)
    return int(row["id"])
