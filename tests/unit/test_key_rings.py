"""Key rings, data keys in stores, and unwrapping them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.fakes import FakeClock
from tests.unit.toys import Toy, given

from brownie_backup.errors import (
    AccessDenied,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    KeyMissing,
    StoreError,
)
from brownie_backup.format.envelope import key_id
from brownie_backup.format.layout import KEY_RINGS, KEYS
from brownie_backup.model.keys import KeyContext, KeyRing, Recipient
from brownie_backup.repository.keys.objects import (
    copy_keys,
    has_key,
    put_key,
    wrap_key,
    wrapped_keys,
)
from brownie_backup.repository.keys.ring import add_ring, adopt_ring, ensure_ring, read_ring
from brownie_backup.repository.keys.unwrapping import MOST_AT_ONCE, DataKeys
from brownie_backup.stores import MemoryStore

KEY = bytes(range(32))
ID = key_id(KEY).hex()
RING, OTHER_RING = "ab" * 16, "cd" * 16
CONTEXT = KeyContext("a-repository", ID)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(FakeClock())


def stored(store: MemoryStore, *wrappers: Toy, key: bytes = KEY) -> str:
    """Store a data key for these recipients; return its id."""
    ring = KeyRing(1, RING, tuple(each.recipient for each in wrappers))
    name = key_id(key).hex()
    context = KeyContext(CONTEXT.repository_id, name)
    put_key(store, name, wrap_key(ring, key, context, wrappers))
    return name


def keys(store: MemoryStore, *wrappers: Toy) -> DataKeys:
    return DataKeys(CONTEXT.repository_id, (store,), given(*wrappers))


# --- the ring ------------------------------------------------------------------------------------


def test_the_first_backup_makes_the_ring_and_later_ones_find_it(store: MemoryStore) -> None:
    one, two = Toy("one"), Toy("two")
    ring, wrappers = ensure_ring(store, given(two, one))
    assert ring.recipients == (one.recipient, two.recipient)
    assert wrappers == (two, one)
    again, _ = ensure_ring(store, given(one, two), read_ring(store))
    assert again == ring == read_ring(store)
    assert len([*store.list(KEY_RINGS)]) == 1


def test_other_recipients_are_refused_with_the_difference(store: MemoryStore) -> None:
    ensure_ring(store, given(Toy("one"), Toy("two")))
    with pytest.raises(ConfigurationError) as caught:
        ensure_ring(store, given(Toy("two"), Toy("three")), read_ring(store))
    assert caught.value.problems == (
        "the key ring lacks the recipient toy:three",
        "the settings lack the recipient toy:one",
    )
    assert len([*store.list(KEY_RINGS)]) == 1


def test_of_two_first_runs_one_makes_the_ring_and_both_use_it(store: MemoryStore) -> None:
    """As with a passphrase, whose salt each would choose itself."""
    salts = iter(range(100))
    meeting = threading.Barrier(2)

    class Salted:
        kind = "toy"

        def is_for(self, recipient: Recipient) -> bool:
            return False

        def wrapper(self, known: Recipient | None = None) -> Toy:
            if known is None:
                meeting.wait(10)
                return Toy(f"salt-{next(salts)}")
            return Toy(known.ref)

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(ensure_ring, store, [Salted()]) for _ in range(2)]
    (one, (first,)), (two, (second,)) = (run.result() for run in runs)
    assert one == two
    assert first.recipient == second.recipient == one.recipients[0]


def test_the_highest_number_counts_and_a_number_goes_to_one(store: MemoryStore) -> None:
    one, two = (KeyRing(number, RING, (Toy(str(number)).recipient,)) for number in (1, 2))
    add_ring(store, one)
    assert add_ring(store, two) == two
    assert read_ring(store) == two
    lost = KeyRing(2, OTHER_RING, ())
    assert add_ring(store, lost) == two
    store.put(f"{KEY_RINGS}000000000009 (copy).json", b"{}")
    assert read_ring(store) == two
    store.put(f"{KEY_RINGS}000000000003.json", b"{}")
    assert read_ring(store) == two
    for number in (1, 2):
        store.put(f"{KEY_RINGS}00000000000{number}.json", b"{")
    with pytest.raises(DamagedError):
        read_ring(store)


def test_a_store_takes_the_ring_of_another_with_the_same_recipients(store: MemoryStore) -> None:
    one, two = Toy("one").recipient, Toy("two").recipient
    ring = KeyRing(7, RING, (one, two))
    adopt_ring(store, ring)
    adopt_ring(store, ring)
    assert read_ring(store) == KeyRing(1, RING, (one, two))
    store.put(f"{KEY_RINGS}000000000005.json", b"{}")
    adopt_ring(store, KeyRing(1, OTHER_RING, (one, two)))
    assert read_ring(store) == KeyRing(6, OTHER_RING, (one, two))
    with pytest.raises(ConfigurationError, match="the settings lack the recipient toy:two"):
        adopt_ring(store, KeyRing(1, "ef" * 16, (one,)))


# --- data keys in a store ------------------------------------------------------------------------


def test_a_data_key_is_stored_once_for_its_recipients(store: MemoryStore) -> None:
    one, two = Toy("one"), Toy("two")
    stored(store, one, two)
    stored(store, two, one)
    assert len([*store.list(KEYS)]) == 1
    assert {key.recipient for key in wrapped_keys(store, ID)} == {one.recipient, two.recipient}
    stored(store, one)
    assert len([*store.list(KEYS)]) == 2


def test_a_store_that_returns_another_key_is_refused(store: MemoryStore) -> None:
    class Lying(MemoryStore):
        def get(self, key: str, most_bytes: int = 1 << 20) -> bytes:
            return super().get(key, most_bytes).replace(b"ring", b"gnir")

    with pytest.raises(StoreError, match="another data key"):
        stored(Lying(FakeClock()), Toy("one"))


def test_damaged_and_foreign_objects_hide_no_good_one(store: MemoryStore) -> None:
    one = Toy("one")
    stored(store, one)
    (good,) = store.list(KEYS)
    store.put(f"{KEYS}{ID}/{'0' * 64}.json", store.get(good.key))  # of other recipients
    store.put(f"{KEYS}{ID}/{'1' * 64}.json", b"{")
    store.put(f"{KEYS}{ID}/notes (copy).txt", b"")
    assert [key.recipient for key in wrapped_keys(store, ID)] == [one.recipient]
    assert keys(store, one).get(ID) == KEY


# --- unwrapping ----------------------------------------------------------------------------------


def test_any_recipient_opens_and_each_key_is_unwrapped_once(store: MemoryStore) -> None:
    one, two = Toy("one"), Toy("two", b"other")
    names = [stored(store, one, two, key=bytes([n] * 32)) for n in range(20)]
    for wrapper in (one, two):
        opened = keys(store, wrapper)
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(opened.get, names * 5))
        assert found[:20] == [bytes([n] * 32) for n in range(20)]
        assert sorted(wrapper.calls) == sorted(names)
        assert max(wrapper.at_once) <= MOST_AT_ONCE


def test_the_recipients_own_key_is_tried_first(store: MemoryStore) -> None:
    one, two = Toy("one"), Toy("two")
    stored(store, one, two)
    assert keys(store, two).get(ID) == KEY
    assert len(two.calls) == 1
    renamed = Toy("a-name-of-before")
    with pytest.raises(DecryptionError, match="wrong key"):
        keys(store, renamed).get(ID)


def test_why_no_key_opens_is_said(store: MemoryStore) -> None:
    stored(store, Toy("one"))
    with pytest.raises(KeyMissing, match=r"no key here is of a recipient: toy:one"):
        keys(store, Toy("one", kind="another")).get(ID)
    with pytest.raises(KeyMissing, match="there is no key"):
        keys(store, Toy("one", unwraps=False)).get(ID)
    with pytest.raises(DecryptionError, match="wrong key"):
        keys(store, Toy("one", unwraps=False), Toy("one", b"wrong")).get(ID)
    missing = "ab" * 32
    with pytest.raises(DamagedError, match="missing or damaged in every store"):
        keys(store, Toy("one")).get(missing)
    wrapper = Toy("one", unwraps=False)
    opened = keys(store, wrapper)
    for _ in range(3):
        with pytest.raises(KeyMissing):
            opened.get(ID)
    assert len(wrapper.calls) == 1


def test_another_store_helps(store: MemoryStore) -> None:
    one = Toy("one")
    stored(store, one)
    empty = MemoryStore(FakeClock())
    assert DataKeys(CONTEXT.repository_id, (empty, store), given(one)).get(ID) == KEY
    with pytest.raises(DecryptionError):
        DataKeys("another-repository", (store,), given(one)).get(ID)


# --- what is damaged -----------------------------------------------------------------------------


def test_damage_of_a_wrapped_key_is_found_without_a_key(store: MemoryStore) -> None:
    stored(store, Toy("one"))
    assert has_key(store, ID)
    (found,) = store.list(KEYS)
    data = store.get(found.key)
    at = data.index(b'"wrapped"') + 13
    store.put(found.key, data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :])
    assert not has_key(store, ID)
    assert not has_key(store, "ab" * 32)


def test_a_sync_mends_keys_and_copies_no_damage() -> None:
    good, bad, empty = (MemoryStore(FakeClock()) for _ in range(3))
    one = Toy("one")
    names = [stored(good, one, key=bytes([n] * 32)) for n in range(3)]
    copy_keys(bad, [good])
    first, second, _ = (found.key for found in good.list(KEYS))
    bad.put(first, b"{}")
    bad.delete(second)
    bad.put(f"{KEYS}../evil.json", b"{}")
    copy_keys(empty, [bad, good])
    assert {f.key for f in empty.list(KEYS)} == {f.key for f in good.list(KEYS)}
    copy_keys(bad, [good], mend=True)
    for store in (bad, empty):
        assert all(has_key(store, name) for name in names)


def test_a_store_whose_keys_cannot_be_read_is_passed_over(store: MemoryStore) -> None:
    class Denied(MemoryStore):
        def get(self, key: str, most_bytes: int = 1 << 20) -> bytes:
            raise AccessDenied("no right to read")

    one = Toy("one")
    stored(store, one)
    denied = Denied(FakeClock())
    for found in store.list(KEYS):
        denied.put(found.key, store.get(found.key))
    assert DataKeys(CONTEXT.repository_id, (denied, store), given(one)).get(ID) == KEY
    with pytest.raises(AccessDenied):
        DataKeys(CONTEXT.repository_id, (denied,), given(one)).get(ID)


def test_a_damaged_ring_keeps_no_key_from_being_unwrapped(store: MemoryStore) -> None:
    one = Toy("one")
    stored(store, one)
    store.put(f"{KEY_RINGS}000000000001.json", b"{")
    assert keys(store, one).get(ID) == KEY


def test_planted_forms_of_a_key_do_not_hide_the_rings(store: MemoryStore) -> None:
    ours = Toy("ours", b"s")
    ring, _ = ensure_ring(store, given(ours))
    planted = [Toy(f"planted-{n:03}") for n in range(30)]
    for toy in planted:
        stored(store, toy)
    stored(store, ours)
    assert ring.recipients == (ours.recipient,)
    assert keys(store, ours).get(ID) == KEY
    assert len(ours.calls) == 1


@pytest.mark.parametrize("ring", ["", "ring", "\udcff" * 32, "A" * 32, "a" * 900_000])
def test_a_ring_with_another_id_is_damaged(store: MemoryStore, ring: str) -> None:
    text = json.dumps({"number": 1, "id": ring, "recipients": []})
    store.put(f"{KEY_RINGS}000000000001.json", text.encode())
    with pytest.raises(DamagedError):
        read_ring(store)
