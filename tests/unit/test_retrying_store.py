"""A store that is out of reach for a while is waited for; one that stays away is given up."""
# ruff: noqa: D102 - the methods are those of the protocols

import contextlib
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.unreliable import UnreliableStore

from brownie_backup.errors import (
    AccessDenied,
    KeyExists,
    KeyNotFound,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import (
    HasFreeSpace,
    ObjectUse,
    Page,
    Store,
    StoredObject,
    SupportsObjectLock,
)
from brownie_backup.repository.coordination.leases import EXPIRY_MARGIN, RENEWAL
from brownie_backup.stores import MemoryStore, RetryingStore, RetryPolicy
from brownie_backup.testing import FaultyStore

GIVE_UP = RetryPolicy().give_up_after_seconds


class Time:
    """A clock that stands still but for sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []
        self.suspended = 0.0
        """How long the machine was, which only one of the clocks counts."""

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.suspended

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class Away(MemoryStore):
    """A store that is out of reach until a time, and takes a second to say so."""

    def __init__(self, time: Time, back_at: float, error: StoreError | None = None) -> None:
        super().__init__()
        self.time, self.back_at, self.tries = time, back_at, 0
        self.error = error or StoreUnavailable("the store is away", hint="Look for it")

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        self.tries += 1
        if self.time.now < self.back_at:
            self.time.now += 1
            raise self.error
        return super().get(key, most_bytes)


def retrying(
    inner: Store, time: Time, *, random: float = 0.5, **retry_policy: float
) -> RetryingStore:
    return RetryingStore(
        inner,
        RetryPolicy(**retry_policy),
        sleep=time.sleep,
        monotonic=time.monotonic,
        wall=time.wall,
        random=lambda: random,
    )


# --- waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_a_store_that_is_gone_for_twenty_seconds_is_waited_for(random: float) -> None:
    time = Time()
    inner = Away(time, time.now + 20)
    inner.put("key", b"data")
    assert retrying(inner, time, random=random).get("key") == b"data"
    assert inner.tries > 2
    assert time.now < 1000 + 20 + RetryPolicy().longest_wait_seconds + 1


def test_a_store_that_stays_away_is_given_up() -> None:
    time = Time()
    inner = Away(time, time.now + 10_000)
    with pytest.raises(StoreUnavailable) as raised:
        retrying(inner, time).get("key")
    assert GIVE_UP <= time.now - 1001 <= GIVE_UP + 2  # a last try, at the very end
    seconds = round(time.now - 1001)
    said = f"the store is away; tried {inner.tries} times in {seconds} s"
    assert raised.value.message == said
    assert str(raised.value.hint) == "Look for it"
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_the_waits_grow_up_to_a_limit() -> None:
    time = Time()
    with pytest.raises(StoreUnavailable):
        retrying(Away(time, 1e9), time, random=1.0).get("key")
    assert time.sleeps[:6] == [0.5, 1, 2, 4, 8, 10]
    assert max(time.sleeps) == RetryPolicy().longest_wait_seconds


def test_the_waits_are_by_chance() -> None:
    time = Time()
    with pytest.raises(StoreUnavailable):
        retrying(Away(time, 1e9), time, random=0.25).get("key")
    assert time.sleeps[:6] == [0.125, 0.25, 0.5, 1, 2, 2.5]
    own = RetryingStore(FaultyStore(MemoryStore(), 1), sleep=time.sleep)
    for _ in range(2):
        list(own.list(""))
    assert 0 < time.sleeps[-1] <= RetryPolicy().first_wait_seconds


@pytest.mark.parametrize(("asked", "waited"), [(7, 7.25), (0, 0.25), (None, 0.25), (3600, 60.25)])
def test_the_service_may_ask_for_a_wait(asked: float | None, waited: float) -> None:
    time = Time()
    error = StoreUnavailable("busy", retry_after_seconds=asked)
    retrying(FaultyStore(MemoryStore(), 1, error), time).put("key", b"")
    assert time.sleeps == [waited]


def test_the_last_wait_is_no_longer_than_what_is_left() -> None:
    time = Time()
    error = StoreUnavailable("busy", retry_after_seconds=50)
    with pytest.raises(StoreUnavailable) as raised:
        retrying(Away(time, 1e9, error), time).get("key")
    assert time.now - 1001 <= GIVE_UP + 1
    assert raised.value.retry_after_seconds == 50


def test_no_patience_means_one_try() -> None:
    time = Time()
    inner = Away(time, 1e9)
    with pytest.raises(StoreUnavailable, match=r"^the store is away\. Look for it$"):
        retrying(inner, time, give_up_after_seconds=0).get("key")
    assert (inner.tries, time.sleeps) == (1, [])


@pytest.mark.parametrize("error", [KeyNotFound("no"), AccessDenied("no"), StoreError("no")])
def test_what_would_fail_again_is_not_repeated(error: StoreError) -> None:
    time = Time()
    inner = FaultyStore(MemoryStore(), 1, error)
    with pytest.raises(type(error)) as raised:
        retrying(inner, time).put("key", b"")
    assert raised.value is error
    assert (len(inner.calls), time.sleeps) == (1, [])


class TerminatedBySignal(BaseException):
    """As the command line raises when it gets a signal."""


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, TerminatedBySignal])
@pytest.mark.parametrize("where", ["sleep", "call"])
def test_an_interrupt_ends_it_at_once(interrupt: type[BaseException], where: str) -> None:
    def interrupted(_: float) -> None:
        raise interrupt

    error = StoreUnavailable("away") if where == "sleep" else interrupt()
    inner = FaultyStore(MemoryStore(), 1, error)
    with pytest.raises(interrupt):
        RetryingStore(inner, sleep=interrupted).get("key")
    assert len(inner.calls) == 1


@pytest.mark.parametrize(
    "again", [lambda s: s.put("x", b""), lambda s: list(s.list("")), lambda s: s.get("nowhere")]
)
def test_after_one_call_was_given_up_the_next_is_tried_once_until_there_is_an_answer(
    again: Callable[[RetryingStore], object],
) -> None:
    time = Time()
    inner = Away(time, 1e9)
    inner.put("key", b"data")
    store = retrying(inner, time)
    with pytest.raises(StoreUnavailable):
        store.get("key")
    inner.tries, time.sleeps = 0, []
    with pytest.raises(StoreUnavailable, match=r"^the store is away\. Look for it$"):
        store.get("key")
    assert (inner.tries, time.sleeps) == (1, [])

    inner.back_at = time.now
    with contextlib.suppress(KeyNotFound):
        again(store)  # the store is there again, so it gets our patience again
    inner.back_at = time.now + 20
    assert store.get("key") == b"data"


def test_patience_comes_back_by_itself() -> None:
    time = Time()
    inner = Away(time, 1e9)
    inner.put("key", b"data")
    store = retrying(inner, time)
    with pytest.raises(StoreUnavailable):
        store.get("key")
    time.now += GIVE_UP
    inner.back_at = time.now + 20
    assert store.get("key") == b"data"


# --- put -----------------------------------------------------------------------------------------


def test_a_create_whose_answer_was_lost_has_succeeded() -> None:
    time, memory = Time(), MemoryStore()
    inner = FaultyStore(memory, 1, after=True)
    retrying(inner, time).put("key", b"data", if_absent=True)
    assert [method for method, _ in inner.calls] == ["put", "put", "get"]
    assert memory.get("key") == b"data"


def test_a_create_that_somebody_else_won_meanwhile_has_failed() -> None:
    class Rival(FaultyStore):
        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            try:
                super().put(key, data, if_absent=if_absent, use=use)
            except StoreUnavailable:
                memory.put(key, b"of the rival", if_absent=True)
                raise

    time, memory = Time(), MemoryStore()
    with pytest.raises(KeyExists):
        retrying(Rival(memory, 1), time).put("key", b"data", if_absent=True)
    assert memory.get("key") == b"of the rival"


def test_a_create_of_what_is_there_with_the_same_bytes_has_failed() -> None:
    time, memory = Time(), MemoryStore()
    memory.put("key", b"data")
    inner = FaultyStore(memory)
    with pytest.raises(KeyExists):
        retrying(inner, time).put("key", b"data", if_absent=True)
    assert inner.calls == [("put", "key")]


def test_a_create_that_was_deleted_meanwhile_is_repeated() -> None:
    class Comes(FaultyStore):
        def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
            memory.delete(key)
            return super().get(key, most_bytes)

    time, memory = Time(), MemoryStore()
    inner = Comes(memory, 1, after=True)
    retrying(inner, time).put("key", b"data", if_absent=True)
    assert [method for method, _ in inner.calls] == ["put", "put", "get", "put"]
    assert memory.get("key") == b"data"


def test_a_doubtful_create_is_looked_at_as_patiently() -> None:
    time, memory = Time(), MemoryStore()
    lost = FaultyStore(memory, 1, after=True)
    retrying(FaultyStore(lost, 3), time).put("key", b"data", if_absent=True)
    assert [method for method, _ in lost.calls] == ["put", "put", "put", "get"]


# --- delete --------------------------------------------------------------------------------------


class Undeleted(MemoryStore):
    """A store that takes a while to say that it does not delete."""

    def __init__(self, time: Time, *, takes: float = 1, suspended: float = 0) -> None:
        super().__init__()
        self.time, self.takes, self.suspended = time, takes, suspended
        self.tries: list[float] = []

    def delete(self, key: str) -> None:
        self.tries.append(self.time.wall())
        self.time.now += self.takes
        self.time.suspended += self.suspended
        raise StoreUnavailable("the store is away")


@pytest.mark.parametrize("random", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("takes", [1, 30, 70])
def test_a_delete_is_over_before_others_take_its_lease_for_expired(
    takes: float, random: float
) -> None:
    """However long the service is waited for otherwise."""
    time = Time()
    inner = Undeleted(time, takes=takes)
    asked_at = time.wall()
    with pytest.raises(StoreUnavailable):
        retrying(inner, time, random=random, give_up_after_seconds=480).delete("key")
    assert len(inner.tries) > 1
    longest = RetryPolicy().connect_seconds + RetryPolicy().read_seconds
    assert inner.tries[-1] + longest < asked_at + (RENEWAL + EXPIRY_MARGIN).total_seconds()


def test_a_machine_that_was_suspended_does_not_go_on_deleting() -> None:
    time = Time()
    inner = Undeleted(time, suspended=3600)
    with pytest.raises(StoreUnavailable, match="away"):
        retrying(inner, time).delete("key")
    assert len(inner.tries) == 1


def test_nor_does_one_that_was_suspended_between_two_tries() -> None:
    time = Time()
    inner = Undeleted(time)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        time.suspended += 3600

    store = RetryingStore(inner, sleep=sleep, monotonic=time.monotonic, wall=time.wall)
    with pytest.raises(StoreUnavailable, match="away"):
        store.delete("key")
    assert len(inner.tries) == 1


# --- list ----------------------------------------------------------------------------------------


class Listing(MemoryStore):
    """Its listings break after as many keys as it is told, one listing after the other."""

    def __init__(self, keys: int, breaks: list[int]) -> None:
        super().__init__()
        for number in range(keys):
            self.put(f"{number:06}", b"x")
        self.breaks, self.listings = breaks, 0

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.listings += 1
        end = self.breaks.pop(0) if self.breaks else None
        found = list(super().list(prefix))
        if self.listings % 2:
            found.reverse()  # in no particular order
        yield from found[:end]
        if end is not None:
            msg = "the listing broke off"
            raise StoreUnavailable(msg)


@pytest.mark.parametrize("breaks", [[0], [5], [5, 0, 5, 99], [100], [3, 7, 100, 100]])
def test_a_listing_that_breaks_off_has_each_key_once(breaks: list[int]) -> None:
    time = Time()
    inner = Listing(100, list(breaks))
    keys = [found.key for found in retrying(inner, time).list("")]
    assert sorted(keys) == [f"{number:06}" for number in range(100)]
    assert inner.listings == len(breaks) + 1


def test_a_listing_that_gets_on_is_never_given_up() -> None:
    time = Time()
    inner = Listing(1000, list(range(1, 300)))
    assert len(list(retrying(inner, time, random=1.0).list(""))) == 1000
    assert time.now - 1000 > GIVE_UP


def test_a_listing_that_does_not_get_on_is_given_up() -> None:
    time = Time()
    inner = Listing(100, [10] * 10_000)
    inner.listings = 1
    keys: list[str] = []
    with pytest.raises(StoreUnavailable, match="the listing broke off; tried"):
        keys.extend(found.key for found in retrying(inner, time).list("00000"))
    assert len(keys) == len(set(keys)) <= 20
    assert GIVE_UP <= time.now - 1000 <= GIVE_UP + 1


class Long(MemoryStore):
    """Lists many blobs, and breaks off at the very end, once."""

    length = 50_000
    broken = False

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for number in range(self.length):
            yield StoredObject(f"{prefix}{number:064x}", 0, datetime.now(UTC))
        if not self.broken:
            self.broken = True
            msg = "so near"
            raise StoreUnavailable(msg)


@pytest.mark.once
def test_a_long_listing_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        assert sum(1 for _ in retrying(Long(), Time()).list("blobs/")) == Long.length
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / Long.length < 120


class Paged(MemoryStore):
    """Lists by pages of three, each of which fails at first."""

    def __init__(self, keys: int) -> None:
        super().__init__()
        for number in range(keys):
            self.put(f"k{number}", b"x")
        self.asked: list[str | None] = []

    def list_page(self, prefix: str, token: str | None) -> Page:
        self.asked.append(token)
        if self.asked.count(token) == 1:
            msg = "this page did not come"
            raise StoreUnavailable(msg)
        start = int(token or 0)
        found = list(self.list(prefix))
        more = str(start + 3) if start + 3 < len(found) else None
        return Page(tuple(found[start : start + 3]), more)


@pytest.mark.parametrize("keys", [0, 2, 3, 7])
def test_of_a_listing_by_pages_only_the_page_that_failed_is_repeated(keys: int) -> None:
    inner = Paged(keys)
    found = [found.key for found in retrying(inner, Time()).list("k")]
    assert found == [f"k{number}" for number in range(keys)]
    tokens = [None, *(str(start) for start in range(3, keys, 3))]
    assert inner.asked == [token for token in tokens for _ in range(2)]


def test_a_page_may_be_empty_before_the_last() -> None:
    class Sparse(MemoryStore):
        def list_page(self, prefix: str, token: str | None) -> Page:
            found = tuple(self.list(prefix)) if token == "2" else ()
            tokens = {None: "1", "1": "2", "2": "3", "3": None}
            return Page(found, tokens[token])

    inner = Sparse()
    inner.put("key", b"")
    assert [found.key for found in retrying(inner, Time()).list("")] == ["key"]


# --- the rest ------------------------------------------------------------------------------------


def test_locks_are_extended_where_there_are_any() -> None:
    class Locking(FaultyStore):
        extended = 0

        def extend_lock(self, key: str) -> None:
            self.get(key)
            self.extended += 1

    memory = MemoryStore()
    memory.put("key", b"")
    inner = Locking(memory, 1)
    store = retrying(inner, Time())
    assert isinstance(store, SupportsObjectLock)
    store.extend_lock("key")
    assert (inner.extended, len(inner.calls)) == (1, 2)
    with pytest.raises(KeyNotFound):
        store.extend_lock("nowhere")
    retrying(memory, Time()).extend_lock("nowhere")


def test_it_is_the_store_that_it_wraps() -> None:
    store = RetryingStore(MemoryStore())
    assert store.url == "memory:"
    assert not isinstance(store, HasFreeSpace)
    assert "MemoryStore" in repr(store)


def test_each_try_is_logged_and_a_long_wait_is_a_warning_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "brownie_backup")
    time = Time()
    error = StoreUnavailable("cannot reach http://ada:hunter2@proxy: away")
    inner = Away(time, time.now + 30, error)
    inner.put("key", b"data")
    store = retrying(inner, time)
    store.get("key")
    levels = [record.levelname for record in caplog.records]
    assert levels.count("INFO") == len(time.sleeps)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [text.partition(";")[0] for text in warnings] == [
        "cannot reach http://ada:********@proxy: away",
        "memory: answers again",
    ]
    assert "hunter2" not in caplog.text
    caplog.clear()
    retrying(FaultyStore(inner, 1), time).get("key")
    assert [record.levelname for record in caplog.records] == ["INFO"]  # short: nobody is warned


@pytest.mark.parametrize("name", ["connect_seconds", "read_seconds", "first_wait_seconds"])
def test_patience_is_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: 0})


def test_threads_wait_each_for_itself() -> None:
    memory = MemoryStore()
    inner = UnreliableStore(memory, seed=1, share=0.5)
    store = RetryingStore(inner, sleep=lambda _: None)
    won: list[int] = []

    def work(thread: int) -> None:
        for number in range(50):
            try:
                store.put(f"{number}", f"{thread}".encode(), if_absent=True)
                won.append(number)
            except KeyExists:
                continue

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(50))


Call = Callable[[Store, bytes], object]
KEYS = st.sampled_from(["a", "a/b", "a/c", "b"])
CALLS: st.SearchStrategy[Call] = st.one_of(
    st.builds(lambda k: lambda s, data: s.put(k, data), KEYS),
    st.builds(lambda k: lambda s, data: s.put(k, data, if_absent=True), KEYS),
    st.builds(lambda k: lambda s, _: s.get(k), KEYS),
    st.builds(lambda k: lambda s, _: s.delete(k), KEYS),
    st.builds(lambda k: lambda s, _: sorted((f.key, f.size_bytes) for f in s.list(k)), KEYS),
)


def outcome(call: Call, store: Store, data: bytes) -> object:
    try:
        return call(store, data)
    except (KeyNotFound, KeyExists) as error:
        return type(error)


@given(st.lists(CALLS, max_size=12), st.integers(0, 2**32), st.floats(0, 0.8))
def test_failures_change_nothing_but_the_time_it_takes(
    calls: list[Call], seed: int, share: float
) -> None:
    """With one client, that never puts the same bytes twice: whatever fails, before or after."""
    good, memory = MemoryStore(), MemoryStore()
    # To fail so often that it gives up is not what this is about.
    store = retrying(UnreliableStore(memory, seed, share), Time(), give_up_after_seconds=1e6)
    for number, call in enumerate(calls):
        data = b"x" * number
        assert outcome(call, store, data) == outcome(call, good, data)
    assert sorted(f.key for f in good.list("")) == sorted(f.key for f in memory.list(""))
