"""What of the operations has changed from one look at them to the next."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from brownie_backup.repository import OperationRecord

_EVER = datetime.min.replace(tzinfo=UTC)

_Mark = tuple[object, ...]
"""All of an operation that changes, without what it came to: small, as every listener has one."""


class ChangeTracker:
    """Knows what one listener has been told.

    Args:
        most: how many operations a look has at most; then older ones may be missing from it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, _Mark] = {}
        self._since: datetime | None = None
        """What ended unseen is news if it was asked for after this; None before the first look."""

    def of(
        self, records: Sequence[OperationRecord], lost: Callable[[OperationRecord], bool]
    ) -> list[OperationRecord]:
        """Return those of a look that have changed, oldest first.

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
        # What ended before somebody listened is none, also if it was missing from a full look.
        return self._since is not None and record.requested_at > self._since


def _mark(record: OperationRecord, lost: bool) -> _Mark:  # noqa: FBT001 - private
    progress = (record.phase, record.done_bytes, record.total_bytes)
    return (record.state, lost, record.backup, record.cancelled_by, *progress)
