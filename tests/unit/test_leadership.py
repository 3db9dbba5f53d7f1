"""Who leads: one at a time, and another one soon after it has died."""

import random
from datetime import timedelta

import pytest
from attrs import define

from brownie_backup.errors import StoreUnavailable
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import LEADERS, leader_key
from brownie_backup.protocols import ObjectUse, Store
from brownie_backup.repository.coordination.leadership import LOOKS, Leadership, Term
from brownie_backup.stores import MemoryStore

LIFETIME = timedelta(seconds=60)
PAUSE = LIFETIME.total_seconds() / LOOKS


@define
class Seconds:
    """A clock that stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def candidate(store: Store, seconds: Seconds) -> Leadership:
    return Leadership(store, "runner", elapsed=seconds, lifetime=LIFETIME)


def terms(store: MemoryStore) -> list[Term]:
    return [from_json(store.get(o.key), Term, o.key) for o in store.list(LEADERS)]


def test_the_first_leads_and_the_second_does_not(store: MemoryStore, seconds: Seconds) -> None:
    first, second = candidate(store, seconds), candidate(store, seconds)
    for _ in range(3 * LOOKS):
        assert first.look()
        assert not second.look()
        assert (first.leads, second.leads) == (True, False)
        seconds.now += PAUSE
    (term,) = terms(store)
    assert (term.number, term.renewals) == (1, 3 * LOOKS - 1)


def test_another_takes_over_within_a_lifetime_of_the_last_sign(
    store: MemoryStore, seconds: Seconds
) -> None:
    first, second = candidate(store, seconds), candidate(store, seconds)
    first.look()
    died = seconds.now
    while not second.look():
        assert not (first.leads and second.leads)
        seconds.now += PAUSE
    assert seconds.now - died <= LIFETIME.total_seconds() + PAUSE
    assert not first.leads
    assert not first.look()  # it was only asleep: it gives way
    assert [term.number for term in terms(store)] == [2]


def test_nobody_waits_for_one_that_has_stepped_down(store: MemoryStore, seconds: Seconds) -> None:
    first, second = candidate(store, seconds), candidate(store, seconds)
    assert first.look()
    assert not second.look()
    first.resign()
    assert not first.leads
    assert second.look()
    assert not first.look()


def test_one_that_slept_must_be_elected_again(store: MemoryStore, seconds: Seconds) -> None:
    only = candidate(store, seconds)
    only.look()
    seconds.now += 3600
    assert not only.leads
    assert only.look()
    assert [term.number for term in terms(store)] == [2]


def test_of_many_that_come_at_once_one_leads(store: MemoryStore, seconds: Seconds) -> None:
    many = [candidate(store, seconds) for _ in range(20)]
    assert sum(each.look() for each in many) == 1


def test_a_term_that_does_not_read_is_waited_for(store: MemoryStore, seconds: Seconds) -> None:
    store.put(leader_key("runner", 7), b"?")
    only = candidate(store, seconds)
    assert not only.look()
    seconds.now += LIFETIME.total_seconds()
    assert only.look()
    assert [term.number for term in terms(store)] == [8]


def test_a_store_that_is_gone_ends_the_leadership_in_time(
    store: MemoryStore, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = candidate(store, seconds)
    only.look()

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "list", fail)
        with pytest.raises(StoreUnavailable):
            only.look()
        leads = [only.leads]
        seconds.now += LIFETIME.total_seconds()
        leads.append(only.leads)
        assert leads == [True, False]
        only.resign()
    assert only.look()


def test_a_create_without_an_answer_leads_to_one_leader(
    store: MemoryStore, seconds: Seconds
) -> None:
    class Silent(MemoryStore):
        """Carries out the first put, and does not say so."""

        silent = True

        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            super().put(key, data, if_absent=if_absent, use=use)
            if self.silent:
                self.silent = False
                raise StoreUnavailable("no answer")

    store = Silent()
    first, second = candidate(store, seconds), candidate(store, seconds)
    with pytest.raises(StoreUnavailable):
        first.look()
    assert not first.leads
    assert not second.look()
    assert first.look()
    assert not second.look()


@pytest.mark.parametrize("seed", range(200))
def test_never_two_at_once_whoever_sleeps_and_dies(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
    seconds, store = Seconds(), MemoryStore()
    alive = [candidate(store, seconds) for _ in range(3)]
    ruled = 0.0
    for _ in range(400):
        step = chance.choice((0.1, 1.0, PAUSE / 3, PAUSE / 2))
        seconds.now += step
        one = chance.choice(alive)
        match chance.randrange(40):
            case 0:
                one.resign()
            case 1:
                alive[alive.index(one)] = candidate(store, seconds)  # it is killed, and restarted
            case 2:
                seconds.now += chance.choice((LIFETIME.total_seconds(), 1000))  # all sleep
            case _:
                one.look()
        leading = [each for each in alive if each.leads]
        assert len(leading) <= 1
        ruled += step * len(leading)
    assert ruled > 0


def test_leaders_disturb_no_lease(store: MemoryStore, seconds: Seconds) -> None:
    candidate(store, seconds).look()
    assert [found.key for found in store.list("")] == [leader_key("runner", 1)]
    assert to_json(terms(store)[0]) == store.get(leader_key("runner", 1))
