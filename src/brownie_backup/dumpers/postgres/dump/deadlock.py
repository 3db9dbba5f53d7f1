"""Programs that wait for a lock which they can't get before we end: a deadlock that includes us.

Another session's ALTER TABLE waits for the session that holds the snapshot, and pg_dump waits
behind it for the same table. PostgreSQL sees no deadlock there, since the snapshot's session waits
for no lock.
"""

import logging
import selectors
import time

from brownie_backup.errors import DatabaseError, DumpFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.client import Client, quote_text
from brownie_backup.postgres.process import Child

_PATIENCE_SECONDS = 10.0
"""How long such a wait may last: a session that requests an exclusive lock often gives up soon, and
tries again later."""
_PAUSE_SECONDS = 1.0

_WAITS = """
WITH RECURSIVE waiting(id) AS (
  SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'
  UNION SELECT unnest(pg_blocking_pids(id)) FROM waiting
)
SELECT EXISTS (SELECT FROM waiting WHERE id = %d) AS doomed
"""

_log = logging.getLogger(__name__)


def await_output(child: Child, client: Client, application: str, holder: int) -> None:
    """Return when a program has begun to write, or has ended.

    Args:
        child: the program.
        client: of the server, to ask which sessions block the program.
        application: the name that the program's session has on the server.
        holder: the server's process of the session that holds the snapshot.

    Raises:
        DumpFailed: the program waits for a session that itself waits until we end.
    """
    waited_since: float | None = None
    with selectors.DefaultSelector() as selector:
        if child.process.stdout:
            selector.register(child.process.stdout, selectors.EVENT_READ)
        while not selector.select(_PAUSE_SECONDS):
            now = time.monotonic()
            if not _is_doomed(client, application, holder):
                waited_since = None
            elif now - (waited_since := waited_since or now) > _PATIENCE_SECONDS:
                msg = "a session waits for an exclusive lock on a table that this backup has locked"
                raise DumpFailed(msg, hint=DatabaseHint.BACK_UP_WHEN_OVER)


def _is_doomed(client: Client, application: str, holder: int) -> bool:
    try:
        (row,) = client.query(_WAITS % (quote_text(application), holder))
    except DatabaseError as error:  # pg_dump reports the problem, if there is one
        _log.debug("what pg_dump waits for is not known: %s", error)
        return False
    return bool(row["doomed"])
