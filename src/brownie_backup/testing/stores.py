"""What every store promises (`brownie_backup.protocols.Store`)."""
# ruff: noqa: S101 - these are tests

import itertools
import string
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from brownie_backup.errors import (
    AccessDenied,
    BucketNotFound,
    KeyExists,
    KeyNotFound,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.protocols import Store
from brownie_backup.testing.optional import leave_out, only_if

MANY = 2_500
"""More than two pages of a listing in any store that is known."""
BIG = 33 << 20
"""More bytes than any blob has."""

_RACERS = 16
_RACES = 3
_LISTINGS = 15
_ODD = [c for c in string.printable if c in string.punctuation + " " and c not in "/\\"]
_PREFIXES = {
    "": {"a/b", "a/b.x", "a/bc", "a-b", "ab/b", "b"},
    "a": {"a/b", "a/b.x", "a/bc", "a-b", "ab/b"},
    "a/": {"a/b", "a/b.x", "a/bc"},
    "a/b": {"a/b", "a/b.x", "a/bc"},  # a whole key, and the beginning of two others
    "a/bc": {"a/bc"},
    "a-": {"a-b"},
    "ab": {"ab/b"},
    "a/b/": set(),
    "b/": set(),
    "a/c": set(),
    "c/d/e": set(),
}
_PROMISES = (
    "failing_puts",
    "cut_off_puts",
    "wrong_credentials",
    "missing_bucket",
    "clock_an_hour_off",
)
_CUT_OFF_BYTES = 8 << 20
_CALLS: tuple[Callable[[Store], object], ...] = (
    lambda store: store.put("key", b"data"),
    lambda store: store.put("key", b"data", if_absent=True),
    lambda store: store.get("key"),
    lambda store: list(store.list("")),
    lambda store: list(store.list("key")),
    lambda store: store.delete("key"),
)


class StoreContract:
    """Tests that a store keeps its promises.

    A subclass gives the fixture `store`: an empty one, and for each test a new one. It may give:

    - `secrets`: what its stores were given to log in with, which nothing that they say may hold;
    - `failing_puts`: a context in which every put fails after it has begun to write;
    - `cut_off_puts`: a context that gives a store of the same objects, whose connection breaks
      in the middle of each put;
    - `wrong_credentials`: a store that logs in with credentials that are not right;
    - `missing_bucket`: a store whose bucket, or whatever holds its objects, is not there;
    - `clock_an_hour_off`: a context in which this host's clock is an hour ahead, as far as the
      store can tell.
    """

    def __init_subclass__(cls) -> None:
        """Leave out the tests of what this store has no fixture for."""
        for promise in _PROMISES:
            if not any(promise in vars(c) for c in cls.__mro__ if c is not StoreContract):
                leave_out(cls, promise)

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        raise NotImplementedError

    @pytest.fixture
    def _hurried(self) -> Iterator[None]:
        """Let threads take turns often, so that a missing lock shows."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """Return the secrets that the store knows."""
        return ()

    @pytest.fixture
    def failing_puts(self) -> AbstractContextManager[None]:
        """Return a context in which puts fail half-way."""
        raise NotImplementedError

    @pytest.fixture
    def cut_off_puts(self) -> AbstractContextManager[Store]:
        """Return a context with a store whose connection breaks in the middle of each put."""
        raise NotImplementedError

    @pytest.fixture
    def wrong_credentials(self) -> Store:
        """Return a store that is given wrong credentials."""
        raise NotImplementedError

    @pytest.fixture
    def missing_bucket(self) -> Store:
        """Return a store in a bucket that does not exist."""
        raise NotImplementedError

    @pytest.fixture
    def clock_an_hour_off(self) -> AbstractContextManager[None]:
        """Return a context in which this host's clock is wrong."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", [b"", b"\0", b"data", bytes(range(256)) * 5])
    def test_what_was_put_is_got(self, store: Store, data: bytes) -> None:
        """A put object is there, byte for byte, and listed with its size."""
        store.put("folder/key", data)
        assert store.get("folder/key") == data
        assert type(store.get("folder/key")) is bytes
        (found,) = store.list("folder/")
        assert (found.key, found.size_bytes) == ("folder/key", len(data))

    def test_a_value_larger_than_any_blob_comes_back_whole(self, store: Store) -> None:
        """33 MiB go in one call, and come back in one."""
        data = bytes(range(251)) * (BIG // 251) + b"end"
        store.put("big", data)
        assert store.get("big") == data

    def test_put_replaces(self, store: Store) -> None:
        """Without `if_absent` the last put wins, and there is one object."""
        store.put("key", b"a long first value")
        store.put("key", b"second")
        assert store.get("key") == b"second"
        assert [found.size_bytes for found in store.list("")] == [6]

    def test_if_absent_creates_and_then_refuses(self, store: Store) -> None:
        """The second create-if-absent raises `KeyExists`, and changes nothing."""
        store.put("key", b"first", if_absent=True)
        with pytest.raises(KeyExists):
            store.put("key", b"second", if_absent=True)
        assert store.get("key") == b"first"
        store.delete("key")
        store.put("key", b"third", if_absent=True)
        assert store.get("key") == b"third"

    @pytest.mark.usefixtures("_hurried")
    def test_of_racing_creates_exactly_one_wins(self, store: Store) -> None:
        """The data of the one that was told that it won is what is stored."""
        # Several races at once, because some stores let the losers wait for seconds.
        keys = [f"race/{number}" for number in range(_RACES)]
        barrier = threading.Barrier(_RACERS * _RACES)

        def create(racer: int) -> tuple[str, bytes] | None:
            key, data = keys[racer % _RACES], f"racer {racer}".encode() * 1000
            barrier.wait()
            try:
                store.put(key, data, if_absent=True)
            except KeyExists:
                return None
            return key, data

        with ThreadPoolExecutor(barrier.parties) as pool:
            winners = [won for won in pool.map(create, range(barrier.parties)) if won]
        assert sorted(key for key, _ in winners) == keys
        for key, data in winners:
            assert store.get(key) == data

    def test_a_reader_never_sees_half_a_value(self, store: Store) -> None:
        """While a value is replaced again and again, each get returns one of them whole."""
        values = {b"a" * (1 << 20), b"b" * (2 << 20)}
        store.put("key", min(values))

        def replace() -> None:
            for value in [*values] * 5:
                store.put("key", value)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(replace)
            while not writing.done():
                assert store.get("key") in values
            writing.result()

    def test_get_of_a_missing_key_raises(self, store: Store) -> None:
        """`KeyNotFound`, in a folder that is there or not, and after a delete."""
        store.put("folder/key", b"data")
        store.delete("folder/key")
        store.put("folder/other", b"data")
        for key in ("folder/key", "folder/ke", "folder/other2", "nowhere", "no/where/at/all"):
            with pytest.raises(KeyNotFound):
                store.get(key)

    def test_delete_of_a_missing_key_succeeds(self, store: Store) -> None:
        """Whether its folder is there or not, and as often as one likes."""
        store.put("folder/key", b"data")
        for key in ("folder/key", "folder/key", "folder/ke", "nowhere", "no/where/at/all"):
            store.delete(key)
        assert list(store.list("")) == []

    def test_the_beginning_of_a_key_is_no_key(self, store: Store) -> None:
        """Only whole keys name an object, whatever the store makes of the slashes."""
        store.put("folder/key", b"data")
        for key in ("folder", "folder/key/more"):
            with pytest.raises(KeyNotFound):
                store.get(key)
            store.delete(key)
        assert [found.key for found in store.list("")] == ["folder/key"]

    @pytest.mark.parametrize("prefix", _PREFIXES, ids=repr)
    def test_a_listing_has_the_keys_that_begin_with_the_prefix(
        self, store: Store, prefix: str
    ) -> None:
        """A prefix is text: it may end anywhere, and is no folder."""
        for key in _PREFIXES[""]:
            store.put(key, key.encode())
        assert Counter(found.key for found in store.list(prefix)) == Counter(_PREFIXES[prefix])

    def test_a_long_listing_has_every_key_once(self, store: Store) -> None:
        """Pages of a listing neither repeat nor skip a key."""
        keys = [f"many/{number % 7}/{number:05}" for number in range(MANY)]
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda key: store.put(key, b"x"), keys):
                pass
        assert Counter(found.key for found in store.list("many/")) == Counter(keys)

    def test_every_permitted_character_may_be_in_a_key(self, store: Store) -> None:
        """All of printable ASCII but slash and backslash; and segments of 200 characters."""
        inside = [f"odd/x{c}y" for c in _ODD] + [f"odd/x{c}" for c in _ODD]
        leading = [f"odd/{c}y" for c in _ODD if c != "."]
        keys = [*inside, *leading, "odd/a%2Fb", "odd/a/b", "odd/%41", f"odd/{'k' * 200}/x"]
        for key in keys:
            store.put(key, key.encode(), if_absent=True)
        assert Counter(found.key for found in store.list("odd/")) == Counter(keys)
        for key in keys:
            assert store.get(key) == key.encode()
            assert key in {found.key for found in store.list(key)}
            store.delete(key)
        assert list(store.list("")) == []

    def test_a_listing_survives_deletes_and_puts(self, store: Store) -> None:
        """What is there all the time appears once; the rest once or never."""
        stay = [f"x/{number:03}-stays" for number in range(60)]
        go = [f"x/{number:03}-goes" for number in range(60)]
        for key in [*stay, *go]:
            store.put(key, b"x")
        seen: Counter[str] = Counter()
        for found in store.list("x/"):
            seen[found.key] += 1
            if seen.total() == 1:
                for key in go:
                    store.delete(key)
                store.put("x/999-new", b"x")
        assert [seen[key] for key in stay] == [1] * len(stay)
        assert max(seen.values()) == 1
        assert {found.key for found in store.list("x/")} == {*stay, "x/999-new"}

    @pytest.mark.usefixtures("_hurried")
    def test_a_listing_survives_other_threads(self, store: Store) -> None:
        """While others put and delete, it has exactly once what stays, and what is replaced."""
        replaced = [f"busy/{thread}-replaced" for thread in range(2)]
        stay = [*(f"busy/{number:03}" for number in range(200)), *replaced]
        for key in stay:
            store.put(key, b"x")
        ended = threading.Event()

        def come_and_go(thread: int) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                store.put(replaced[thread], b"x")
                store.put(f"busy/{thread}-{number % 50}", b"x")
                store.delete(f"busy/{thread}-{(number + 25) % 50}")

        end = time.monotonic() + 1
        more = itertools.takewhile(lambda _: time.monotonic() < end, range(_LISTINGS, 60))
        with ThreadPoolExecutor(2) as pool:
            working = [pool.submit(come_and_go, thread) for thread in range(2)]
            try:
                for _ in itertools.chain(range(_LISTINGS), more):
                    seen = Counter(found.key for found in store.list("busy/"))
                    assert [seen[key] for key in stay] == [1] * len(stay)
                    assert max(seen.values()) == 1
            finally:
                ended.set()
            for work in working:
                work.result()

    def test_modified_at_is_now_in_utc(self, store: Store) -> None:
        """An instant with its zone; two minutes are for clocks that are apart."""
        store.put("key", b"x")
        (found,) = store.list("key")
        assert found.modified_at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=2)

    def test_the_url_names_the_store_and_no_secret(
        self, store: Store, secrets: Sequence[str]
    ) -> None:
        """It is shown in messages and logs."""
        assert store.url
        for secret in secrets:
            assert secret not in store.url
            assert secret not in repr(store)

    def test_threads_may_share_it(self, store: Store) -> None:
        """Eight threads put, get, list and delete at once."""

        def work(thread: int) -> None:
            for number in range(10):
                key = f"thread-{thread}/{number}"
                store.put(key, key.encode())
                assert store.get(key) == key.encode()
                assert len(list(store.list(f"thread-{thread}/"))) == 1
                store.delete(key)

        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(work, range(8)):
                pass
        assert list(store.list("")) == []

    @only_if("failing_puts")
    @pytest.mark.parametrize("if_absent", [False, True])
    def test_a_put_that_fails_leaves_nothing(
        self,
        store: Store,
        failing_puts: AbstractContextManager[None],
        if_absent: bool,  # noqa: FBT001 - pytest passes it by name
    ) -> None:
        """Half an object is never seen, and an old one stays."""
        store.put("old", b"as it was")
        key = "new" if if_absent else "old"
        with failing_puts, pytest.raises(StoreError):
            store.put(key, b"x" * 100_000, if_absent=if_absent)
        assert [found.key for found in store.list("")] == ["old"]
        assert store.get("old") == b"as it was"
        store.put("new", b"works again", if_absent=True)
        assert store.get("new") == b"works again"

    @only_if("cut_off_puts")
    def test_a_put_that_is_cut_off_leaves_nothing(
        self, store: Store, cut_off_puts: AbstractContextManager[Store]
    ) -> None:
        """The same call may succeed later, says the error; until then all is as it was."""
        data = bytes(range(256)) * (_CUT_OFF_BYTES // 256)
        store.put("old", b"as it was")
        with cut_off_puts as unlucky:
            for key, if_absent in (("old", False), ("new", False), ("other", True)):
                with pytest.raises(StoreUnavailable):
                    unlucky.put(key, data, if_absent=if_absent)
        assert [found.key for found in store.list("")] == ["old"]
        assert store.get("old") == b"as it was"
        store.put("other", data, if_absent=True)
        assert store.get("other") == data

    @only_if("wrong_credentials")
    def test_wrong_credentials_are_refused(
        self, wrong_credentials: Store, secrets: Sequence[str]
    ) -> None:
        """`AccessDenied` from every method, and no secret in whatever a log may show of it."""
        for call in _CALLS:
            with pytest.raises(AccessDenied) as raised:
                call(wrong_credentials)
            assert raised.value.hint
            told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
            assert [secret for secret in secrets if secret in told] == []

    @only_if("missing_bucket")
    def test_a_missing_bucket_is_named(self, missing_bucket: Store) -> None:
        """`BucketNotFound` from every method: it is neither empty, nor does it have no such key."""
        for call in _CALLS:
            with pytest.raises(BucketNotFound) as raised:
                call(missing_bucket)
            assert raised.value.hint

    @only_if("clock_an_hour_off")
    def test_a_wrong_clock_does_no_harm(
        self, store: Store, clock_an_hour_off: AbstractContextManager[None]
    ) -> None:
        """Each call does what it should, or raises an error that names the clock."""
        store.put("old", b"as it was")
        with clock_an_hour_off:
            for call in _CALLS:
                try:
                    call(store)
                except (KeyExists, KeyNotFound):
                    continue
                except StoreError as error:
                    assert "clock" in str(error)  # noqa: PT017 - the call may also work
        assert {found.key for found in store.list("")} <= {"old", "key"}
        assert store.get("old") == b"as it was"
        store.put("key", b"again")
        assert store.get("key") == b"again"
