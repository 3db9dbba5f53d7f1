"""The session that holds a snapshot, and the locks on its bulk tables."""

import threading
from collections.abc import Generator

from brownie_backup.dumpers.postgres.copying import begin_copying, copy_out
from brownie_backup.dumpers.postgres.encoding import codec_of
from brownie_backup.dumpers.postgres.session import Session
from brownie_backup.errors import DatabaseError, DumpFailed
from brownie_backup.model import PartSpec


class Holder:
    """Holds a snapshot; reads what no other session gets a lock for. Thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._codec: str | None = None
        self._broken = False

    def copy(self, part: PartSpec) -> Generator[bytes, None, int]:
        """Yield the rows of a part, while no other thread does."""
        with self._lock:
            if self._broken:
                msg = "the session that holds the snapshot has ended"
                raise DumpFailed(msg, hint="Run the backup again")
            self._broken = True  # until it is known to be well
            try:
                if self._codec is None:
                    self._codec = codec_of(begin_copying(self._session))
                statement = copy_out(part).encode(self._codec, "surrogateescape")
                rows = yield from self._session.copy(statement)
            except DatabaseError as error:
                msg = f"a bulk table could not be read: {error.message}"
                raise DumpFailed(msg, hint="Run the backup again") from None
            self._broken = False
            return rows
