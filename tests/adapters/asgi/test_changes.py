"""A listener is told of every change once, and of nothing that was over before it came."""

from datetime import timedelta

from attrs import evolve
from tests.unit.fakes import NOON

from brownie_backup.repository import OperationRecord
from brownie_backup.repository.coordination.operations import FAILED, SUCCEEDED
from brownie_backup_asgi.changes import ChangeTracker

SECOND = timedelta(seconds=1)


def make(number: int, state: str = "running") -> OperationRecord:
    """Return an operation that was asked for so many seconds after noon."""
    at = NOON + number * SECOND
    return OperationRecord(str(number), "backup", "joe", at, at, state)


def alive(_: OperationRecord) -> bool:
    """Tell that no process has died."""
    return False


def dead(record: OperationRecord) -> bool:
    """Tell that the process of whatever runs has died."""
    return record.running


def test_each_change_is_told_once() -> None:
    changes, one = ChangeTracker(9), make(1)
    assert changes.of([one], alive) == [one]
    assert changes.of([evolve(one, heartbeat_at=NOON + 9 * SECOND)], alive) == []
    further = evolve(one, phase="dump", done_bytes=5)
    assert changes.of([further], alive) == [further]
    assert changes.of([further], dead) == [further]
    ended = evolve(further, state=FAILED, problem={})
    assert changes.of([ended], alive) == [ended]
    assert changes.of([ended], alive) == []


def test_what_was_over_before_is_none() -> None:
    for lost, record in ((alive, make(1, SUCCEEDED)), (dead, make(1))):
        assert ChangeTracker(9).of([record], lost) == []


def test_what_began_and_ended_between_two_looks_is_news() -> None:
    changes, one, two = ChangeTracker(9), make(1, SUCCEEDED), make(2, SUCCEEDED)
    assert changes.of([], alive) == []
    assert changes.of([two, one], alive) == [one, two]


def test_what_was_crowded_out_is_none_when_it_is_back() -> None:
    changes, old = ChangeTracker(2), [make(2, SUCCEEDED), make(1, SUCCEEDED)]
    assert changes.of(old, alive) == []
    assert changes.of([make(3), make(2, SUCCEEDED)], alive) == [make(3)]
    assert changes.of(old, alive) == []
    assert len(changes._seen) == 2
