"""Leases: who works in a store, until when, and who has to give way."""

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Timer

import pytest
from attrs import evolve
from tests.unit.fakes import NOON, FakeClock, make_repository

from brownie_backup import Repository
from brownie_backup.errors import Busy, KeyNotFound, LeaseLost, StoreUnavailable
from brownie_backup.format.converter import to_json
from brownie_backup.format.layout import LEASES, lease_key
from brownie_backup.protocols import StoredObject
from brownie_backup.repository import LeaseRecord
from brownie_backup.repository.coordination.leases import (
    EXPIRY_MARGIN,
    LIFETIME,
    RENEWAL,
    list_leases,
    remove_expired,
)
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    return make_repository(clock=clock)


def record(
    identifier: str = "other", *, exclusive: bool = False, backup: str | None = None
) -> LeaseRecord:
    return LeaseRecord(
        identifier, f"work of {identifier}", exclusive, "them", NOON, NOON + LIFETIME, backup
    )


def leave(repository: Repository, left: LeaseRecord) -> None:
    """Leave a lease in the store, as a client that was killed does."""
    repository.store.put(lease_key(left.id), to_json(left))


def test_shared_beside_shared(repository: Repository) -> None:
    with repository.shared_lease("one"), repository.shared_lease("two"):
        assert {lease.purpose for lease in repository.leases()} == {"one", "two"}
    assert repository.leases() == ()


def test_a_lease_ends_with_its_block_even_by_an_error(repository: Repository) -> None:
    def fail() -> None:
        with repository.exclusive_lease("cleanup"):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert list(repository.store.list(LEASES)) == []


def test_exclusive_gives_way_to_shared(repository: Repository) -> None:
    with repository.shared_lease("a backup"), pytest.raises(Busy, match="a backup by process"):
        repository.exclusive_lease("cleanup").__enter__()
    with repository.exclusive_lease("cleanup"):
        assert len(repository.leases()) == 1


def test_shared_gives_way_to_exclusive(repository: Repository) -> None:
    with repository.exclusive_lease("cleanup"):
        with pytest.raises(Busy, match="cleanup by process"):
            repository.shared_lease("a backup").__enter__()
        assert [lease.purpose for lease in repository.leases()] == ["cleanup"]


def test_of_two_exclusive_ones_the_second_gives_way(repository: Repository) -> None:
    with repository.exclusive_lease("one"), pytest.raises(Busy):
        repository.exclusive_lease("two").__enter__()


def test_a_refusal_says_who_and_until_when(repository: Repository) -> None:
    leave(repository, record(exclusive=True))
    with pytest.raises(Busy) as caught:
        repository.shared_lease("backup").__enter__()
    assert "work of other by them" in caught.value.message
    assert "12:10:00 UTC" in str(caught.value.hint)


def test_a_lease_that_nobody_renews_expires(repository: Repository, clock: FakeClock) -> None:
    leave(repository, record(exclusive=True))
    clock.advance(LIFETIME + EXPIRY_MARGIN)
    with pytest.raises(Busy):
        repository.shared_lease("backup").__enter__()
    clock.advance(SECOND)
    with repository.shared_lease("backup"):
        assert [lease.expired(clock()) for lease in repository.leases()].count(True) == 1


def test_the_later_of_two_with_the_same_name_gives_way(
    repository: Repository, clock: FakeClock
) -> None:
    with repository.shared_lease("first", backup="daily"):
        clock.advance(SECOND)
        with pytest.raises(Busy, match="first"):
            repository.shared_lease("second", backup="daily").__enter__()
        with repository.shared_lease("other", backup="weekly"), repository.shared_lease("restore"):
            pass


def test_of_two_with_the_same_name_and_time_exactly_one_gives_way() -> None:
    one, two = record("1", backup="daily"), record("2", backup="daily")
    assert one.excludes(two) is not two.excludes(one)
    assert not record("1").excludes(record("2"))
    assert not one.excludes(record("2"))
    assert record("1").excludes(record("2", exclusive=True))
    assert record("1", exclusive=True).excludes(record("2"))


def test_a_lease_that_was_removed_is_lost(repository: Repository) -> None:
    with repository.shared_lease("backup") as lease:
        lease.ensure_held()
        (found,) = repository.store.list(LEASES)
        repository.store.delete(found.key)
        with pytest.raises(LeaseLost):
            lease.ensure_held()


def test_a_lease_that_was_not_renewed_in_time_is_lost(
    repository: Repository, clock: FakeClock
) -> None:
    with repository.shared_lease("backup") as lease:
        clock.advance(LIFETIME - RENEWAL - SECOND)
        lease.ensure_held()
        clock.advance(SECOND)
        with pytest.raises(LeaseLost):
            lease.ensure_held()


def test_a_lease_that_has_expired_cannot_be_renewed(
    repository: Repository, clock: FakeClock
) -> None:
    """As by a process that was suspended while others took it for gone."""
    with repository.shared_lease("backup") as lease:
        clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
        with repository.exclusive_lease("cleanup"):
            pass
        with pytest.raises(LeaseLost):
            lease._extend()
        with pytest.raises(LeaseLost):
            lease.ensure_held()


def test_a_lease_is_lost_when_another_that_excludes_it_stays(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownie_backup.repository.coordination.leases.PASSING", SECOND / 2)
    with repository.shared_lease("backup") as lease:
        leave(repository, record(exclusive=True))
        with pytest.raises(LeaseLost):
            lease.ensure_held()


def test_another_that_came_later_and_gives_way_does_no_harm(repository: Repository) -> None:
    with repository.shared_lease("backup") as lease:
        leave(repository, record(exclusive=True))
        removal = Timer(0.1, repository.store.delete, [lease_key("other")])
        removal.start()
        lease.ensure_held()
        removal.join()


def test_a_lease_of_a_host_whose_clock_runs_ahead_expires_by_the_stores(
    repository: Repository, clock: FakeClock
) -> None:
    ahead = NOON + 365 * DAY
    leave(
        repository, evolve(record(exclusive=True), acquired_at=ahead, expires_at=ahead + LIFETIME)
    )
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
    with repository.shared_lease("backup"):
        pass


def test_renewing_moves_the_end(repository: Repository, clock: FakeClock) -> None:
    with repository.shared_lease("backup") as lease:
        clock.advance(LIFETIME / 2)
        lease._extend()
        (found,) = repository.leases()
        assert found.expires_at == NOON + LIFETIME * 1.5
        clock.advance(LIFETIME - RENEWAL - SECOND)
        lease.ensure_held()
        assert found.acquired_at == NOON


def test_renewing_does_not_bring_a_removed_lease_back(repository: Repository) -> None:
    with repository.shared_lease("backup") as lease:
        (found,) = repository.store.list(LEASES)
        repository.store.delete(found.key)
        with pytest.raises(KeyNotFound):
            lease._extend()
        assert list(repository.store.list(LEASES)) == []


def test_a_thread_renews_and_survives_a_store_that_fails(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "brownie_backup.repository.coordination.leases.RENEWAL", timedelta(milliseconds=5)
    )
    inner = MemoryStore(clock)
    store = FaultyStore(inner, fail_at=4)  # the acquiring is a put, a list and a get
    with make_repository(store, clock=clock).shared_lease("backup"):
        clock.advance(LIFETIME / 2)
        for _ in range(2000):
            (found,) = list_leases(inner)
            if found.expires_at == NOON + LIFETIME * 1.5:
                break
            time.sleep(0.005)
        else:
            pytest.fail("the lease was not renewed")
    assert store.failed


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"\xff", b'{"id": 5}'])
def test_an_unreadable_lease_counts_as_exclusive_until_it_could_have_expired(
    repository: Repository, clock: FakeClock, data: bytes
) -> None:
    repository.store.put(lease_key("broken"), data)
    with pytest.raises(Busy, match="cannot be read"):
        repository.shared_lease("backup").__enter__()
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
    with repository.shared_lease("backup"):
        pass


@pytest.mark.parametrize("hours", [-5, -1, 1, 5])
def test_clients_whose_clocks_are_hours_apart_agree_on_who_holds_what(
    clock: FakeClock, hours: int
) -> None:
    store = MemoryStore(clock)
    right = make_repository(store, clock=clock)
    wrong = make_repository(store, clock=lambda: clock() + timedelta(hours=hours))
    for one, other in ((right, wrong), (wrong, right)):
        with one.shared_lease("backup") as lease, pytest.raises(Busy):
            other.exclusive_lease("cleanup").__enter__()
        assert lease.now() == clock()
        with one.exclusive_lease("cleanup") as lease:
            with pytest.raises(Busy):
                other.shared_lease("backup").__enter__()
            lease.ensure_held()
            assert lease.clock_offset == timedelta(hours=-hours if one is wrong else 0)
    leave(right, record(exclusive=True))
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
    with wrong.shared_lease("backup"):
        pass


def test_a_store_that_does_not_list_our_lease_is_not_worked_in(clock: FakeClock) -> None:
    class Forgetful(MemoryStore):
        def list(self, prefix: str) -> Iterator[StoredObject]:
            return iter(())

    with pytest.raises(LeaseLost, match="is gone"):
        make_repository(Forgetful(clock)).shared_lease("backup").__enter__()


def test_only_expired_leases_are_removed(repository: Repository, clock: FakeClock) -> None:
    leave(repository, record("old"))
    repository.store.put(lease_key("broken"), b"{")
    clock.advance(LIFETIME + EXPIRY_MARGIN + SECOND)
    leave(repository, record("young"))
    removed = remove_expired(repository.store, clock())
    assert {lease.id for lease in removed} == {"old", "leases/broken.json"}
    assert [lease.id for lease in repository.leases()] == ["young"]


def test_a_lease_that_cannot_be_released_is_no_error(clock: FakeClock) -> None:
    store = FaultyStore(MemoryStore(clock), fail_at=4)
    with make_repository(store, clock=clock).shared_lease("backup"):
        pass
    assert store.calls[-1][0] == "delete"
    assert store.failed


@pytest.mark.parametrize("fail_at", [1, 2])
def test_without_a_look_at_the_others_there_is_no_lease(clock: FakeClock, fail_at: int) -> None:
    store = FaultyStore(MemoryStore(clock), fail_at=fail_at)
    with pytest.raises(StoreUnavailable):
        make_repository(store, clock=clock).shared_lease("backup").__enter__()
    assert list(store.list(LEASES)) == []


def test_a_lease_whose_put_lost_its_answer_is_taken_back(clock: FakeClock) -> None:
    store = FaultyStore(MemoryStore(clock), fail_at=1, after=True)
    with pytest.raises(StoreUnavailable):
        make_repository(store, clock=clock).shared_lease("backup").__enter__()
    assert list(store.list(LEASES)) == []


def test_an_expired_lease_is_told_from_one_that_holds() -> None:
    lease = record()
    assert not lease.expired(lease.expires_at)
    assert not lease.expired(lease.expires_at + EXPIRY_MARGIN)
    assert lease.expired(lease.expires_at + EXPIRY_MARGIN + SECOND)
    assert not evolve(lease, expires_at=NOON + 2 * LIFETIME).expired(NOON + 2 * LIFETIME)
