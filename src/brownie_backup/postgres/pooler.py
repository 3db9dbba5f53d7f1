"""Whether a pooler gives the sessions of several clients to one process of the server.

A setting made by one session would then apply to another client: an application would get our and
pg_dump's search_path. So this is checked before anything is set.
"""

from collections.abc import Callable
from contextlib import ExitStack

from brownie_backup.postgres.session import Session

MARK = "-c brownie_backup.direct=yes"
"""A connection option that a server applies and a pooler does not."""
_ASK_FOR_MARK = "SELECT pg_catalog.current_setting('brownie_backup.direct', true) AS mark"
_ASK_FOR_PROCESS = "SELECT pg_catalog.pg_backend_pid() AS id"
_TIMES = 3


def has_mark(session: Session) -> bool:
    """Whether a session that was started with `MARK` is with a server."""
    (row,) = session.query(_ASK_FOR_MARK)
    return bool(row["mark"] == "yes")


def is_shared(connect: Callable[[], Session]) -> bool:
    """Whether two open sessions lack a backend of their own that they keep."""
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
