"""A store that hangs: its calls end all the same, and nobody waits twice for it."""

import time
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve
from tests.unit.several import HangingStore, Wrapper, named

from brownie_backup.errors import KeyExists, KeyNotFound, StoreUnavailable
from brownie_backup.protocols import SupportsObjectLock
from brownie_backup.repository.deadline import Deadlines, DeadlineStore, with_deadline
from brownie_backup.stores import RetryingStore, RetryPolicy

IMPATIENT = Deadlines(answer_seconds=0.2, slowest_bytes_per_second=1 << 30)


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore(named("one")[0], lambda _, key: "hang" in key)
    store.inner.put("there", b"bytes")
    yield store
    store.released.set()


def test_a_store_is_watched_once() -> None:
    store = with_deadline(named("one")[0], IMPATIENT)
    assert with_deadline(store, IMPATIENT) is store
    assert store.url == "memory:one"


@pytest.mark.parametrize("method", ["put", "get", "list", "delete"])
def test_a_call_that_does_not_end_is_given_up(hanging: HangingStore, method: str) -> None:
    store = DeadlineStore(hanging, IMPATIENT)
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: store.put("hang", b""),
        "get": lambda: store.get("hang"),
        "list": lambda: list(store.list("hang")),
        "delete": lambda: store.delete("hang"),
    }
    with pytest.raises(StoreUnavailable, match="memory:one does not answer"):
        calls[method]()
    began = time.monotonic()
    for _ in range(100):  # at once, and another call too
        with pytest.raises(StoreUnavailable):
            store.get("there")
    assert time.monotonic() - began < 5
    assert hanging.hanging == 1


def test_once_the_call_has_ended_the_store_is_asked_again(hanging: HangingStore) -> None:
    store = DeadlineStore(hanging, IMPATIENT)
    with pytest.raises(StoreUnavailable):
        store.put("hang", b"late")
    hanging.released.set()
    while True:
        try:
            assert store.get("hang") == b"late"
        except StoreUnavailable:
            time.sleep(0.01)
        else:
            break


def test_what_is_large_may_take_longer(hanging: HangingStore) -> None:
    class Slow(Wrapper):
        def before(self, method: str, key: str) -> None:
            del method, key
            time.sleep(0.5)

    patient = evolve(IMPATIENT, slowest_bytes_per_second=1000)
    store = DeadlineStore(Slow(hanging.inner), patient)
    store.put("large", bytes(2000))
    assert store.get("large") == bytes(2000)
    with pytest.raises(StoreUnavailable):
        store.put("small", b"")


def test_answers_and_errors_arrive_as_they_are() -> None:
    store = DeadlineStore(named("one")[0], IMPATIENT)
    store.put("a/b", b"1", if_absent=True)
    with pytest.raises(KeyExists):
        store.put("a/b", b"2", if_absent=True)
    store.put("a/b", b"3")
    assert store.get("a/b") == b"3"
    store.delete("a/b")
    with pytest.raises(KeyNotFound):
        store.get("a/b")


def test_listings_are_whole_however_long() -> None:
    (inner,) = named("one")
    keys = {f"some/{number}" for number in range(2500)}
    for key in keys:
        inner.put(key, b"")
    listed = [found.key for found in DeadlineStore(inner, Deadlines()).list("some/")]
    assert (set(listed), len(listed)) == (keys, 2500)


def test_locks_reach_the_inner_store_if_it_has_any() -> None:
    locked = []

    class Lock(Wrapper):
        def extend_lock(self, key: str) -> None:
            locked.append(key)

    for inner in (Lock(named("one")[0]), named("one")[0]):
        store = DeadlineStore(inner, IMPATIENT)
        assert isinstance(store, SupportsObjectLock)
        store.extend_lock("key")
    assert locked == ["key"]


def test_a_store_that_repeats_calls_has_as_much_longer() -> None:
    class Slow(Wrapper):
        def before(self, method: str, key: str) -> None:
            del method, key
            time.sleep(0.5)

    slow = Slow(named("one")[0])
    DeadlineStore(RetryingStore(slow, RetryPolicy(give_up_after_seconds=30)), IMPATIENT).put(
        "key", b""
    )
    with pytest.raises(StoreUnavailable):
        DeadlineStore(RetryingStore(slow, RetryPolicy(give_up_after_seconds=0.1)), IMPATIENT).put(
            "key", b""
        )
