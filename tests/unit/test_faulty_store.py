"""The store that fails on purpose fails where it is told to, and nowhere else."""

from collections.abc import Callable

import pytest

from brownie_backup.errors import KeyExists, StoreFull, StoreUnavailable
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore


def calls(store: FaultyStore) -> list[Callable[[], object]]:
    return [
        lambda: store.put("a", b"123"),
        lambda: store.get("a"),
        lambda: list(store.list("")),
        lambda: store.delete("a"),
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_only_the_chosen_call_fails(fail_at: int, *, after: bool) -> None:
    inner = MemoryStore()
    inner.put("a", b"old")
    store = FaultyStore(inner, fail_at=fail_at, after=after)
    for number, call in enumerate(calls(store), 1):
        assert store.failed is (number > fail_at)
        if number == fail_at:
            with pytest.raises(StoreUnavailable):
                call()
        else:
            call()
    assert store.calls == [("put", "a"), ("get", "a"), ("list", ""), ("delete", "a")]
    assert store.put_bytes == (0 if fail_at == 1 and not after else 3)


def test_before_means_that_nothing_happened_and_after_that_it_did() -> None:
    inner = MemoryStore()
    for after in (False, True):
        with pytest.raises(StoreUnavailable):
            FaultyStore(inner, fail_at=1, after=after).put("a", b"x")
        assert bool(list(inner.list("a"))) is after
    for after in (False, True):
        with pytest.raises(StoreUnavailable):
            FaultyStore(inner, fail_at=1, after=after).delete("a")
        assert bool(list(inner.list("a"))) is not after


def test_a_listing_that_fails_after_has_yielded_all() -> None:
    inner = MemoryStore()
    inner.put("a", b"x")
    listing = FaultyStore(inner, fail_at=1, after=True).list("")
    assert next(listing).key == "a"
    with pytest.raises(StoreUnavailable):
        next(listing)


def test_the_error_may_be_any() -> None:
    for error in (StoreFull("full"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            FaultyStore(MemoryStore(), fail_at=1, error=error).put("a", b"")


def test_a_refused_put_counts_no_bytes() -> None:
    store = FaultyStore(MemoryStore())
    store.put("a", b"123", if_absent=True)
    with pytest.raises(KeyExists):
        store.put("a", b"456", if_absent=True)
    assert store.put_bytes == 3
