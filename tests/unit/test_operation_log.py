"""What the store knows of operations that were asked for over REST."""

import threading
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import FakeClock

from brownie_backup.errors import Busy, DamagedError, NotFound
from brownie_backup.format.converter import to_json
from brownie_backup.format.layout import attempt_key, operation_key
from brownie_backup.model import Attempt
from brownie_backup.repository.catalogue.holds import add_attempt
from brownie_backup.repository.coordination.leases import hold
from brownie_backup.repository.coordination.operations import (
    KEPT_FOR,
    LOST_AFTER,
    SUCCEEDED,
    OperationLog,
    OperationRecord,
)
from brownie_backup.stores import MemoryStore

SECOND = timedelta(seconds=1)


@pytest.fixture
def operation_log(clock: FakeClock) -> OperationLog:
    return OperationLog(MemoryStore(clock), clock)


def make(operation_log: OperationLog, name: str, database: str = "shop") -> OperationRecord:
    """Enter the record of a backup."""
    now = operation_log.clock()
    record = OperationRecord(name, "backup", "admin", now, now, backup=name, database=database)
    return operation_log.enter(record)


def end(operation_log: OperationLog, record: OperationRecord) -> None:
    """Let it have ended well."""
    operation_log.put(evolve(record, state=SUCCEEDED, ended_at=operation_log.clock()))


def test_a_record_is_entered_once(operation_log: OperationLog) -> None:
    first = make(operation_log, "one")
    again = evolve(first, request="another")
    assert operation_log.enter(again).request == ""
    assert operation_log.get("one") == first
    with pytest.raises(NotFound):
        operation_log.get("two")


def test_it_is_lost_when_nobody_puts_it_any_more(
    operation_log: OperationLog, clock: FakeClock
) -> None:
    record = make(operation_log, "one")
    clock.advance(LOST_AFTER)
    assert not operation_log.lost(record)
    clock.advance(SECOND)
    assert operation_log.lost(record)
    assert not operation_log.lost(evolve(record, state=SUCCEEDED))


def test_a_database_has_one_operation_at_a_time(operation_log: OperationLog) -> None:
    one, two = make(operation_log, "one"), make(operation_log, "two")
    operation_log.claim(one)
    with pytest.raises(Busy, match="operation one"):
        operation_log.claim(two)
    operation_log.claim(make(operation_log, "else", database="other"))
    end(operation_log, one)
    operation_log.claim(two)


def test_a_claim_of_the_dead_counts_for_nothing(
    operation_log: OperationLog, clock: FakeClock
) -> None:
    operation_log.claim(make(operation_log, "one"))
    clock.advance(LOST_AFTER + SECOND)
    operation_log.claim(make(operation_log, "two"))
    clock.advance(LOST_AFTER + SECOND)
    operation_log.claim(make(operation_log, "three"))
    assert len(list(operation_log.store.list("claims/"))) == 1


def test_a_claim_without_its_record_counts_for_nothing(operation_log: OperationLog) -> None:
    operation_log.claim(make(operation_log, "one"))
    operation_log.withdraw("one")
    operation_log.claim(make(operation_log, "two"))


@pytest.mark.parametrize("damaged", ["claim", "record", "attempt"])
def test_what_is_damaged_blocks_no_database(operation_log: OperationLog, damaged: str) -> None:
    operation_log.claim(make(operation_log, "one"))
    add_attempt(operation_log.store, Attempt("shop", "one", operation_log.clock()))
    keys = {"claim": "claims/", "record": "operations/one", "attempt": attempt_key("shop")}
    (found,) = operation_log.store.list(keys[damaged])
    operation_log.store.put(found.key, b"{")
    if damaged == "attempt":
        operation_log.withdraw("one")
    operation_log.claim(make(operation_log, "two"))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "\0", "x" * 65, "é", "\ud800", "a\n"])
def test_what_cannot_be_an_id_is_not_there(operation_log: OperationLog, name: str) -> None:
    with pytest.raises(NotFound):
        operation_log.get(name)


def test_of_many_that_race_one_wins(operation_log: OperationLog, clock: FakeClock) -> None:
    for round_ in range(20):
        records = [make(operation_log, f"{round_}-{number}") for number in range(8)]
        barrier, won = threading.Barrier(8), list[OperationRecord]()

        def race(record: OperationRecord) -> None:
            barrier.wait()  # noqa: B023 - joined before the next round
            try:
                operation_log.claim(record)
            except Busy:
                return
            won.append(record)  # noqa: B023

        threads = [threading.Thread(target=race, args=(record,)) for record in records]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        end(operation_log, won[0])


def test_a_backup_begun_elsewhere_keeps_the_database_busy(
    operation_log: OperationLog, clock: FakeClock
) -> None:
    add_attempt(operation_log.store, Attempt("shop", "nightly", clock()))
    with hold(operation_log.store, "backup", clock=clock, identifier="x", backup="nightly"):
        with pytest.raises(Busy, match="'nightly' is being made"):
            operation_log.claim(make(operation_log, "one"))
        operation_log.claim(make(operation_log, "two", database="other"))
    operation_log.claim(make(operation_log, "three"))


def test_the_lease_of_an_operation_that_died_does_not(
    operation_log: OperationLog, clock: FakeClock
) -> None:
    add_attempt(operation_log.store, Attempt("shop", "one", clock()))
    operation_log.claim(make(operation_log, "one"))
    with hold(operation_log.store, "backup", clock=clock, identifier="x", backup="one"):
        clock.advance(LOST_AFTER + SECOND)
        operation_log.claim(make(operation_log, "two"))


def test_the_newest_are_listed_and_old_ones_forgotten(
    operation_log: OperationLog, clock: FakeClock
) -> None:
    for name in ("a", "b", "c"):
        make(operation_log, name)
        clock.advance(SECOND)
    assert [record.id for record in operation_log.recent(2)] == ["c", "b"]
    operation_log.store.put("operations/broken.json", b"{")
    assert [record.id for record in operation_log.recent(9)] == ["c", "b", "a"]
    clock.advance(KEPT_FOR)
    make(operation_log, "d")
    operation_log.forget_old()
    assert [record.id for record in operation_log.recent(9)] == ["d"]


def test_what_has_ended_is_not_read_again(operation_log: OperationLog) -> None:
    ended = evolve(make(operation_log, "a"), state=SUCCEEDED, backup="remembered")
    assert operation_log.recent(9, {"a": ended}) == (ended,)


def test_a_cancellation_says_who_wants_it(operation_log: OperationLog) -> None:
    assert operation_log.asked_to_cancel("one") is None
    operation_log.ask_to_cancel("one", "joe")
    assert operation_log.asked_to_cancel("one") == "joe"
    operation_log.store.put("cancellations/one.json", b"")
    assert operation_log.asked_to_cancel("one") == "somebody"


@pytest.mark.parametrize("identifier", ["two", "one\ndata: forged", "", "x" * 65])
def test_a_record_under_the_key_of_another_is_none(
    operation_log: OperationLog, identifier: str
) -> None:
    """Its id is sent to all clients, as a line of its own."""
    forged = to_json(evolve(make(operation_log, "one"), id=identifier))
    operation_log.store.put(operation_key("one"), forged)
    assert operation_log.recent(10) == ()
    with pytest.raises(DamagedError):
        operation_log.get("one")
