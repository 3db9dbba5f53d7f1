"""One operation: its action, its actor and its outcome."""

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime

from attrs import define, field, frozen

from brownie_backup.errors import BackupError
from brownie_backup.tracing import step


@frozen
class Actor:
    """The actor, and where the request comes from."""

    name: str
    """A user of this machine, the name of a token (never the token), or ``scheduler``."""
    origin: str
    """The adapter and the calling host, such as ``cli db1`` or ``api 10.0.0.7``."""


@define
class Operation:
    """One operation while it runs. The code that runs it fills in facts as they become known.

    Attributes:
        id: its identifier in logs, spans, the audit trail and the REST API.
        action: the verb: ``backup``, ``restore``, ``verify``, ``delete``, ``cleanup`` and so on.
        actor: the caller.
        started_at: when, UTC.
        backup: the name of the backup that it is about, once known.
        database: the name of the database, once known.
        size_bytes: how much data was read or loaded.
        stored_bytes: how much was added to the store.
        reused_bytes: how much more there would be to add, had the store not had it.
        dry_run: whether it only reports what it would do.
        checked: how much a verification checked: ``content`` or ``structure``.
        deleted: the names of the backups that it has deleted.
        not_done_in: the URLs of the stores where it failed, if it succeeded in others.
        accepted: what a restore went on in spite of: ``differences``, ``errors``.
        problem: a problem although it completed, such as damage that it found.
    """

    id: str
    action: str
    actor: Actor
    started_at: datetime
    backup: str | None = None
    database: str | None = None
    size_bytes: int | None = None
    stored_bytes: int | None = None
    reused_bytes: int | None = None
    dry_run: bool = False
    checked: str | None = None
    deleted: Sequence[str] = ()
    not_done_in: Sequence[str] = ()
    accepted: Sequence[str] = ()
    problem: BackupError | None = None
    _began: float = field(factory=time.monotonic)

    @property
    def duration_seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._began


_CURRENT: ContextVar[Operation | None] = ContextVar("operation", default=None)


def current_operation() -> Operation | None:
    """Return the current operation of this thread, for logs and spans."""
    return _CURRENT.get()


@contextlib.contextmanager
def operating(
    action: str,
    actor: Actor,
    *,
    backup: str | None = None,
    database: str | None = None,
    id: str | None = None,  # noqa: A002 - it is the operation's id
    dry_run: bool = False,
) -> Iterator[Operation]:
    """Begin an operation; within the block it is the current one."""
    number = id or new_operation_id()
    operation = Operation(number, action, actor, datetime.now(UTC), backup, database)
    operation.dry_run = dry_run
    token = _CURRENT.set(operation)
    try:
        with step(action, operation=operation.id) as measured:
            yield operation
            measured.tell(
                backup=operation.backup,
                size_bytes=operation.size_bytes,
                stored_bytes=operation.stored_bytes,
            )
    finally:
        _CURRENT.reset(token)


def new_operation_id() -> str:
    """Return an id that cannot be guessed, and that sorts by time to the second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}"
