"""The session that holds a snapshot, and the locks on its large tables."""

import threading
from collections.abc import Generator

from brownie_backup.dumpers.postgres.segments import TableDetail
from brownie_backup.errors import DatabaseError, DumpFailed
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.copy_rows import begin_copying, copy_rows, named
from brownie_backup.postgres.limits import remedy
from brownie_backup.postgres.session import Session

_SIZE = b"SELECT pg_database_size(current_database())"


class SnapshotSession:
    """Holds a snapshot; reads tables that no other session can lock. Thread-safe.

    Args:
        session: the session that has exported it.
        process_id: the process ID of that session's backend.
        client: of the server where the snapshot is.
        standby: whether that is a standby, where replaying WAL may end the session.
    """

    def __init__(
        self, session: Session, process_id: int, client: Client, *, standby: bool = False
    ) -> None:
        self.process_id = process_id
        self.standby = standby
        self.client = client
        self._session = session
        self._lock = threading.Lock()
        self._prepared = False
        self._broken = False
        self._database_bytes: int | None = None

    def measure(self, other: Session) -> None:
        """Look how large the database is, by a session that has the time for it.

        The server looks at every file of the database.
        """
        self._database_bytes = int(other.value(_SIZE))

    def database_bytes(self) -> int:
        """Return the size of the database on the server's disk."""
        if self._database_bytes is None:
            self.measure(self._session)
        return self._database_bytes or 0

    def copy(self, part: TableDetail) -> Generator[bytes, None, int]:
        """Yield the rows of a range, while no other thread does."""
        with self._lock:
            if self._broken:
                msg = "the session that holds the snapshot has ended"
                raise DumpFailed(msg, hint=DatabaseHint.BACK_UP_AGAIN)
            self._broken = True  # until it is known to work
            try:
                if not self._prepared:
                    begin_copying(self._session)
                    self._prepared = True
                rows = yield from copy_rows(self._session, part.relation, part.blocks)
            except DumpFailed:
                raise
            except DatabaseError as error:
                msg = f"the table {named(part.relation)} could not be read: {error.message}"
                hint = remedy(error.message) or DatabaseHint.BACK_UP_AGAIN()
                raise DumpFailed(msg, hint=hint) from None
            self._broken = False
            return rows
