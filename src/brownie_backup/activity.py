"""What somebody does: one operation, who asked for it and what came of it."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

from attrs import define, field, frozen


@frozen
class Actor:
    """Who asks, and from where."""

    name: str
    """A user of this machine, the name of a token (never the token), or ``scheduler``."""
    origin: str
    """The adapter and the host that asks, such as ``cli db1`` or ``api 10.0.0.7``."""


@define
class Operation:
    """One operation while it runs. Whoever runs it fills in what becomes known.

    Attributes:
        id: what logs, spans, the audit trail and the REST API call it.
        action: the verb: ``backup``, ``restore``, ``verify``, ``delete``, ``cleanup`` and so on.
        actor: who asked for it.
        started_at: when, UTC.
        backup: the name of the backup that it is about, once known.
        database: the name of the database, once known.
        size_bytes: how much data was read or loaded.
        stored_bytes: how much was added to the store.
        dry_run: whether it only says what it would do.
    """

    id: str
    action: str
    actor: Actor
    started_at: datetime
    backup: str | None = None
    database: str | None = None
    size_bytes: int | None = None
    stored_bytes: int | None = None
    dry_run: bool = False
    _began: float = field(factory=time.monotonic)

    @property
    def duration_seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began


_CURRENT: ContextVar[Operation | None] = ContextVar("operation", default=None)


def current_operation() -> Operation | None:
    """Return what this thread is doing, for logs and spans."""
    return _CURRENT.get()


@contextlib.contextmanager
def operating(
    action: str,
    actor: Actor,
    *,
    backup: str | None = None,
    database: str | None = None,
    id: str | None = None,  # noqa: A002 - it is the operation's id
) -> Iterator[Operation]:
    """Begin an operation; within the block it is the current one."""
    number = id or new_operation_id()
    operation = Operation(number, action, actor, datetime.now(UTC), backup, database)
    token = _CURRENT.set(operation)
    try:
        yield operation
    finally:
        _CURRENT.reset(token)


def new_operation_id() -> str:
    """Return an id that nobody can guess, and that sorts by time to the second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}"
