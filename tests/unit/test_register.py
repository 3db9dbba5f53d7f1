"""What the store knows of operations that were asked for over REST."""

import threading
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import FakeClock

from brownie_backup.errors import Busy, NotFound
from brownie_backup.format.layout import attempt_key
from brownie_backup.model import Attempt
from brownie_backup.repository.catalogue.holds import add_attempt
from brownie_backup.repository.coordination.leases import hold
from brownie_backup.repository.coordination.operations import (
    KEPT_FOR,
    LOST_AFTER,
    SUCCEEDED,
    OperationRecord,
    Register,
)
from brownie_backup.stores import MemoryStore

SECOND = timedelta(seconds=1)


@pytest.fixture
def register(clock: FakeClock) -> Register:
    return Register(MemoryStore(clock), clock)


def make(register: Register, name: str, database: str = "shop") -> OperationRecord:
    """Enter the record of a backup."""
    now = register.clock()
    record = OperationRecord(name, "backup", "admin", now, now, backup=name, database=database)
    return register.enter(record)


def end(register: Register, record: OperationRecord) -> None:
    """Let it have ended well."""
    register.put(evolve(record, state=SUCCEEDED, ended_at=register.clock()))


def test_a_record_is_entered_once(register: Register) -> None:
    first = make(register, "one")
    again = evolve(first, request="another")
    assert register.enter(again).request == ""
    assert register.get("one") == first
    with pytest.raises(NotFound):
        register.get("two")


def test_it_is_lost_when_nobody_puts_it_any_more(register: Register, clock: FakeClock) -> None:
    record = make(register, "one")
    clock.advance(LOST_AFTER)
    assert not register.lost(record)
    clock.advance(SECOND)
    assert register.lost(record)
    assert not register.lost(evolve(record, state=SUCCEEDED))


def test_a_database_has_one_operation_at_a_time(register: Register) -> None:
    one, two = make(register, "one"), make(register, "two")
    register.claim(one)
    with pytest.raises(Busy, match="operation one"):
        register.claim(two)
    register.claim(make(register, "else", database="other"))
    end(register, one)
    register.claim(two)


def test_a_claim_of_the_dead_counts_for_nothing(register: Register, clock: FakeClock) -> None:
    register.claim(make(register, "one"))
    clock.advance(LOST_AFTER + SECOND)
    register.claim(make(register, "two"))
    clock.advance(LOST_AFTER + SECOND)
    register.claim(make(register, "three"))
    assert len(list(register.store.list("claims/"))) == 1


def test_a_claim_without_its_record_counts_for_nothing(register: Register) -> None:
    register.claim(make(register, "one"))
    register.withdraw("one")
    register.claim(make(register, "two"))


@pytest.mark.parametrize("damaged", ["claim", "record", "attempt"])
def test_what_is_damaged_blocks_no_database(register: Register, damaged: str) -> None:
    register.claim(make(register, "one"))
    add_attempt(register.store, Attempt("shop", "one", register.clock()))
    keys = {"claim": "claims/", "record": "operations/one", "attempt": attempt_key("shop")}
    (found,) = register.store.list(keys[damaged])
    register.store.put(found.key, b"{")
    if damaged == "attempt":
        register.withdraw("one")
    register.claim(make(register, "two"))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "\0", "x" * 65, "é", "\ud800", "a\n"])
def test_what_cannot_be_an_id_is_not_there(register: Register, name: str) -> None:
    with pytest.raises(NotFound):
        register.get(name)


def test_of_many_that_race_one_wins(register: Register, clock: FakeClock) -> None:
    for round_ in range(20):
        records = [make(register, f"{round_}-{number}") for number in range(8)]
        barrier, won = threading.Barrier(8), list[OperationRecord]()

        def race(record: OperationRecord) -> None:
            barrier.wait()  # noqa: B023 - joined before the next round
            try:
                register.claim(record)
            except Busy:
                return
            won.append(record)  # noqa: B023

        threads = [threading.Thread(target=race, args=(record,)) for record in records]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        end(register, won[0])


def test_a_backup_begun_elsewhere_keeps_the_database_busy(
    register: Register, clock: FakeClock
) -> None:
    add_attempt(register.store, Attempt("shop", "nightly", clock()))
    with hold(register.store, "backup", clock=clock, identifier="x", backup="nightly"):
        with pytest.raises(Busy, match="'nightly' is being made"):
            register.claim(make(register, "one"))
        register.claim(make(register, "two", database="other"))
    register.claim(make(register, "three"))


def test_the_lease_of_an_operation_that_died_does_not(register: Register, clock: FakeClock) -> None:
    add_attempt(register.store, Attempt("shop", "one", clock()))
    register.claim(make(register, "one"))
    with hold(register.store, "backup", clock=clock, identifier="x", backup="one"):
        clock.advance(LOST_AFTER + SECOND)
        register.claim(make(register, "two"))


def test_the_newest_are_listed_and_old_ones_forgotten(register: Register, clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        make(register, name)
        clock.advance(SECOND)
    assert [record.id for record in register.recent(2)] == ["c", "b"]
    register.store.put("operations/broken.json", b"{")
    assert [record.id for record in register.recent(9)] == ["c", "b", "a"]
    clock.advance(KEPT_FOR)
    make(register, "d")
    register.forget_old()
    assert [record.id for record in register.recent(9)] == ["d"]


def test_what_has_ended_is_not_read_again(register: Register) -> None:
    ended = evolve(make(register, "a"), state=SUCCEEDED, backup="remembered")
    assert register.recent(9, {"a": ended}) == (ended,)


def test_a_cancellation_says_who_wants_it(register: Register) -> None:
    assert register.asked_to_cancel("one") is None
    register.ask_to_cancel("one", "joe")
    assert register.asked_to_cancel("one") == "joe"
    register.store.put("cancellations/one.json", b"")
    assert register.asked_to_cancel("one") == "somebody"
