"""One object: whole or not at all, and with one creator."""
# ruff: noqa: S101 - these are tests

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from brownie_backup.errors import (
    DamagedError,
    KeyExists,
    KeyNotFound,
)
from brownie_backup.protocols import ObjectUse, Store
from brownie_backup.testing.stores.fixtures import StoreFixtures

BIG = 33 << 20
"""More bytes than any blob has."""
_RACERS = 16
_RACES = 3


class ObjectPromises(StoreFixtures):
    """Guarantees about each object."""

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

    def test_a_value_larger_than_its_reader_accepts_is_refused(self, store: Store) -> None:
        """Others may be able to write: what is not ours must not fill the memory."""
        store.put("key", b"0123456789")
        assert store.get("key", 10) == b"0123456789"
        for most_bytes in (9, 0):
            with pytest.raises(DamagedError, match="key"):
                store.get("key", most_bytes)
        store.put("empty", b"")
        assert store.get("empty", 0) == b""

    def test_put_replaces(self, store: Store) -> None:
        """Without `if_absent` the last put wins, and there is one object."""
        store.put("key", b"a long first value")
        store.put("key", b"second")
        assert store.get("key") == b"second"
        assert [found.size_bytes for found in store.list("")] == [6]

    @pytest.mark.parametrize("use", ObjectUse)
    def test_an_object_may_be_put_for_any_use(self, store: Store, use: ObjectUse) -> None:
        """An object comes back, whatever its use."""
        store.put("key", b"data", use=use)
        assert store.get("key") == b"data"
        with pytest.raises(KeyExists):
            store.put("key", b"other", if_absent=True, use=use)

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
        """The data of the call that won is the stored data."""
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
