"""Listings: complete, whatever happens meanwhile."""
# ruff: noqa: S101 - these are tests

import itertools
import string
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from brownie_backup.protocols import Store
from brownie_backup.testing.stores.fixtures import StoreFixtures

MANY = 2_500
"""More than two pages of a listing in any store that is known."""
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


class ListingPromises(StoreFixtures):
    """Guarantees about listings and threads."""

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
