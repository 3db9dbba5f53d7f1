"""Storing in several stores side by side: none waits for another for long, none depends on one."""
# ruff: noqa: D102 - the methods are those of the protocols

import gc
import threading
import time
import weakref
from collections.abc import Iterable, Iterator

import pytest
from tests.unit.fakes import FakeEncryptor, make_repository, tune
from tests.unit.several import AwayStore, HangingStore, Wrapper, blob_puts, named

from brownie_backup.compressors import Uncompressed
from brownie_backup.errors import AccessDenied, KeyNotFound, StoreFull, StoreUnavailable
from brownie_backup.format.layout import BLOBS, blob_key
from brownie_backup.model import Encryption
from brownie_backup.pipeline.replica import Replica
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.pipeline.writer import BlobWriter, StoredBlob
from brownie_backup.protocols import Store, StoredObject
from brownie_backup.repository.blobs.index import BlobIndex
from brownie_backup.testing import FaultyStore

HASH_KEY = bytes(32)
DATA = b"what is to be stored"


@pytest.fixture
def _short_grace() -> None:
    tune(grace_seconds=0.3)


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore(named("hanging")[0], blob_puts)
    yield store
    store.released.set()


def writer(*replicas: Replica) -> BlobWriter:
    encryption = Encryption("fake", "whose")
    return BlobWriter(ReplicaSet(replicas), Uncompressed(), FakeEncryptor(), HASH_KEY, encryption)


def on(*stores: Store) -> tuple[Replica, ...]:
    return tuple(replica(store) for store in stores)


def replica(store: Store, *suspect_blobs: str) -> Replica:
    return Replica(make_repository(store), suspect_blobs)


def complete(replicas: Iterable[Replica], *stored: StoredBlob) -> list[bool]:
    """Return which of the stores are well and have all these blobs, as far as the run knows."""
    refs = [blob.ref for blob in stored]
    return [each.problem is None and each.has(refs) for each in replicas]


def blobs(store: Store) -> dict[str, bytes]:
    return {found.key: store.get(found.key) for found in store.list(BLOBS)}


def test_a_blob_is_the_same_in_every_store() -> None:
    one, two, three = named("one", "two", "three")
    replicas = on(one, two, three)
    stored = writer(*replicas).put(DATA)
    assert stored.new
    assert blobs(one) == blobs(two) == blobs(three) != {}
    assert complete(replicas, stored) == [True, True, True]


def test_what_the_first_store_has_is_not_made_again_for_another() -> None:
    one, two = named("one", "two")
    first = writer(*on(one)).put(DATA)
    watched = FaultyStore(two)
    replicas = on(one, watched)
    again = writer(*replicas).put(DATA)
    assert (again.ref, again.new) == (first.ref, False)
    assert blobs(two) == {}
    assert complete(replicas, again) == [True, False]
    assert [method for method, _ in watched.calls] == ["list"]


def test_what_the_first_store_lacks_it_gets_at_once_whoever_has_it() -> None:
    """It may not depend on a copy, which may be away when it is to be copied from."""
    one, two, three = named("one", "two", "three")
    ref = writer(*on(two)).put(DATA).ref
    kept = blobs(two)
    stored = writer(*on(one, two, three)).put(DATA)
    assert (stored.ref.name, stored.new) == (ref.name, True)
    assert one.get(blob_key(ref.name)) == three.get(blob_key(ref.name))
    assert blobs(two) == kept


def test_of_several_threads_none_forgets_that_a_store_lacks_something() -> None:
    one, two = named("one", "two")
    pieces = [bytes([number]) * 50 for number in range(60)]
    for piece in pieces:
        writer(*on(one)).put(piece)
    for piece in pieces[1:]:
        writer(*on(two)).put(piece)
    replicas = on(one, two)
    both = writer(*replicas)
    stored: list[StoredBlob] = []
    threads = [
        threading.Thread(target=lambda piece=piece: stored.append(both.put(piece)))
        for piece in pieces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert complete(replicas, *stored) == [True, False]
    assert [complete(replicas, each)[1] for each in stored].count(False) == 1


class Lock(Wrapper):
    """A store with locks, which fails for what is not there, as S3 does."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.extended: list[str] = []

    def extend_lock(self, key: str) -> None:
        self.inner.get(key)
        self.extended.append(key)


def test_the_lock_of_a_blob_is_extended_where_it_is_used_again_and_only_there() -> None:
    one, two, three = (Lock(store) for store in named("one", "two", "three"))
    ref = writer(*on(one, two)).put(DATA).ref
    replicas = on(one, two, three)
    writer(*replicas).put(DATA)
    key = blob_key(ref.name)
    assert (one.extended, two.extended, three.extended) == ([key], [key], [])
    assert [each.problem for each in replicas] == [None] * 3


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("position", [1, 2])
def test_one_that_fails_is_left_behind_and_not_asked_again(failing: int, position: int) -> None:
    stores: list[Store] = [*named("one", "two", "three")]
    error = StoreFull("no room")
    faulty = stores[failing] = FaultyStore(stores[failing], position, error)
    replicas = on(*stores)
    several = writer(*replicas)
    assert several.put(DATA).new
    more = several.put(b"more")
    assert more.new
    assert [each.problem for each in replicas].count(None) == 2
    assert replicas[failing].problem is error
    assert complete(replicas, more) == [number != failing for number in range(3)]
    assert not replicas[failing].late
    assert len(faulty.calls) == position
    well = [store for number, store in enumerate(stores) if number != failing]
    assert len(blobs(well[0])) == 2
    assert blobs(well[0]) == blobs(well[1])


def test_the_frames_of_an_error_do_not_keep_a_blob_in_memory() -> None:
    class Blob:
        pass

    def fail(blob: Blob) -> None:
        try:
            dict[Blob, int]()[blob]
        except KeyError:
            raise StoreFull("no room")  # noqa: B904 - so that it has a context

    (failed,) = on(*named("one"))
    blob = Blob()
    there = weakref.ref(blob)
    try:
        fail(blob)
    except StoreFull as error:
        failed.drop(error)
    del blob
    gc.collect()
    assert failed.problem
    assert there() is None


def test_when_all_fail_the_first_ones_error_is_raised() -> None:
    one, two = (AwayStore(store) for store in named("one", "two"))
    several = writer(*on(one, two))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="memory:one is out of reach"):
            several.put(DATA)
    assert (one.refused, two.refused) == (1, 1)


def test_one_store_alone_raises_its_error_and_may_be_tried_again() -> None:
    (store,) = named("one")
    only = replica(FaultyStore(store, 2, AccessDenied("no right")))
    alone = writer(only)
    with pytest.raises(AccessDenied):
        alone.put(DATA)
    assert only.problem is None
    assert alone.put(DATA).new


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), ZeroDivisionError()])
def test_what_is_no_error_of_a_store_ends_the_run(error: BaseException) -> None:
    one, two = named("one", "two")
    with pytest.raises(type(error)) as caught:
        writer(*on(one, FaultyStore(two, 2, error))).put(DATA)
    assert caught.value is error


@pytest.mark.usefixtures("_short_grace")
def test_one_that_hangs_is_left_behind_as_late(hanging: HangingStore) -> None:
    one, three = named("one", "three")
    replicas = on(one, hanging, three)
    several = writer(*replicas)
    began = time.monotonic()
    refs = [several.put(bytes([number])).ref for number in range(5)]
    took = time.monotonic() - began
    assert 0.3 <= took < 30  # it waited once, not five times for sixty seconds
    assert isinstance(replicas[1].problem, StoreUnavailable)
    assert replicas[1].late
    assert len(refs) == len(blobs(one)) == len(blobs(three))
    assert hanging.hanging == 1


@pytest.mark.usefixtures("_short_grace")
def test_the_quickest_is_never_left_behind_however_slow(hanging: HangingStore) -> None:
    replicas = on(hanging, HangingStore(named("two")[0], blob_puts))
    threading.Timer(0.2, hanging.released.set).start()
    assert writer(*replicas).put(DATA).new
    assert replicas[0].problem is None
    assert replicas[1].late


@pytest.mark.usefixtures("_short_grace")
def test_grace_is_a_multiple_of_what_the_quickest_takes() -> None:
    tune(grace_factor=10.0)

    class Slow(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put":
                time.sleep(0.3 if self.url.endswith("one") else 1.2)

    replicas = on(*(Slow(store) for store in named("one", "two")))
    writer(*replicas).put(DATA)
    assert [each.problem for each in replicas] == [None, None]


def test_a_store_that_failed_first_does_not_make_the_others_hurry() -> None:
    tune(grace_seconds=0.0)
    one, two = named("one", "two")
    slow = HangingStore(two, blob_puts)
    threading.Timer(0.5, slow.released.set).start()
    replicas = on(FaultyStore(one, 1), slow)
    assert writer(*replicas).put(DATA).new
    assert replicas[1].problem is None


def test_a_distrusted_blob_is_replaced_and_trusted_again() -> None:
    one, two = named("one", "two")
    ref = writer(*on(one, two)).put(DATA).ref
    good = one.get(blob_key(ref.name))
    one.put(blob_key(ref.name), b"x" * len(good))
    replicas = (replica(one, ref.name), replica(two))
    several = writer(*replicas)
    assert several.put(DATA).new
    assert one.get(blob_key(ref.name)) == good
    assert not several.put(DATA).new
    assert replicas[0].blobs.suspect_blobs == set()


def test_a_blob_that_only_a_copy_distrusts_is_left_for_copying() -> None:
    one, two = named("one", "two")
    ref = writer(*on(one, two)).put(DATA).ref
    replicas = (replica(one), replica(two, ref.name))
    stored = writer(*replicas).put(DATA)
    assert not stored.new
    assert complete(replicas, stored) == [True, False]


class Grown(FakeEncryptor):
    """Its output is a byte longer, as that of gpg may be from time to time."""

    def encrypt(self, data: bytes) -> bytes:
        return super().encrypt(data) + b"!"


def test_another_size_in_another_store_is_remembered() -> None:
    one, two, three = named("one", "two", "three")
    ref = writer(*on(one)).put(DATA).ref
    grown = BlobWriter(
        ReplicaSet(on(two)), Uncompressed(), Grown(), HASH_KEY, Encryption("fake", "whose")
    )
    assert grown.put(DATA).ref.stored_bytes == ref.stored_bytes + 1
    replicas = on(one, two, three)
    assert writer(*replicas).put(DATA).ref == ref
    sizes = [each.blobs.whole(ref.name) for each in replicas]
    assert sizes == [ref.stored_bytes, ref.stored_bytes + 1, None]


def test_a_blob_that_another_client_stores_meanwhile_counts_as_there() -> None:
    one, two = named("one", "two")

    class Overtaken(Wrapper):
        def before(self, method: str, key: str) -> None:
            if method == "put":
                self.inner.put(key, b"what the other has made of it")

    replicas = on(one, Overtaken(two))
    stored = writer(*replicas).put(DATA)
    assert stored.new
    assert complete(replicas, stored) == [True, True]
    size = replicas[1].blobs.whole(stored.ref.name)
    assert size == len(b"what the other has made of it")


def test_a_listing_says_which_blobs_are_whole_and_is_made_once() -> None:
    (store,) = named("one")
    store.put(blob_key("good"), b"1")
    store.put(blob_key("bad"), b"12")
    watched = FaultyStore(store)
    index = BlobIndex(watched, {"bad"})
    for _ in range(2):
        index.list_blobs()
        assert (index.whole("good"), index.whole("bad"), index.whole("none")) == (1, None, None)
        assert (index.find("good"), index.find("bad")) == (1, 0)
    assert watched.calls == [("list", BLOBS)]


def test_what_is_put_while_blobs_are_listed_is_not_suspect() -> None:
    (store,) = named("one")
    store.put(blob_key("blob"), b"cut")

    class Slow(Wrapper):
        def list(self, prefix: str) -> Iterator[StoredObject]:
            found = [*super().list(prefix)]
            index.put("blob", b"the whole blob", replace=True)
            yield from found

    index = BlobIndex(Slow(store), {"blob"})
    index.list_blobs()
    assert index.whole("blob") == len(b"the whole blob")


def test_a_worker_elsewhere_reports_each_blob_once() -> None:
    one, two = named("one", "two")
    ref = writer(*on(one, two)).put(DATA).ref
    ours = (replica(one), replica(two, ref.name))
    theirs = tuple(Replica(each.repository, each.state.suspect_blobs) for each in ours)
    stored = [writer(*theirs).put(data) for data in (DATA, b"more")]
    for mine, other in zip(ours, theirs, strict=True):
        mine.merge(other.report())
        assert other.report().sizes == {}
    assert complete(ours, *stored) == [True, False]
    assert complete(ours, stored[1]) == [True, True]


def test_a_key_that_is_gone_leaves_the_store() -> None:
    one, two = (Lock(store) for store in named("one", "two"))
    writer(*on(one, two)).put(DATA)

    def vanished(key: str) -> None:
        raise KeyNotFound(key)

    two.extend_lock = vanished  # type: ignore[method-assign]
    replicas = on(one, two)
    stored = writer(*replicas).put(DATA)
    assert not stored.new
    assert complete(replicas, stored) == [True, False]
    assert not replicas[1].has([stored.ref])
