"""Finds the operations that have changed since the last read."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from brownie_backup.repository import OperationRecord

_EVER = datetime.min.replace(tzinfo=UTC)

_Mark = tuple[object, ...]
"""The fields of an operation that change, without its result: small, as every listener has one."""


class ChangeTracker:
    """Tracks the state that one listener has received.

    Args:
        most: the most operations that a read returns; a full read may lack older ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, _Mark] = {}
        self._since: datetime | None = None
        """An ended operation not seen before is new if requested after this; None at first."""

    def of(
        self, records: Sequence[OperationRecord], lost: Callable[[OperationRecord], bool]
    ) -> list[OperationRecord]:
        """Return the operations that have changed since the last read, oldest first.

        Args:
            records: newest first.
            lost: whether the process of an operation died.
        """
        marks = {record.id: _mark(record, lost(record)) for record in records}
        changes = [r for r in reversed(records) if self._is_news(r, marks[r.id], lost)]
        self._seen = marks
        full = len(records) >= self._most
        self._since = min(record.requested_at for record in records) if full else _EVER
        return changes

    def _is_news(
        self, record: OperationRecord, mark: _Mark, lost: Callable[[OperationRecord], bool]
    ) -> bool:
        if record.id in self._seen:
            return self._seen[record.id] != mark
        if record.running and not lost(record):
            return True
        # An operation that ended before the first read is not new, even if a full read missed it.
        return self._since is not None and record.requested_at > self._since


def _mark(record: OperationRecord, lost: bool) -> _Mark:  # noqa: FBT001 - private
    progress = (record.phase, record.done_bytes, record.total_bytes)
    return (record.state, lost, record.backup, record.cancelled_by, *progress)
