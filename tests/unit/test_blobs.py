"""Blobs: cut to size, named for what they hold, and proven whenever they are read."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.fakes import FakeEncryptor, make_repository
from tests.unit.keys import plain_pair

from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.encryptors import Cleartext, GnuPG
from brownie_backup.errors import DamagedError, DecryptionError, StoreUnavailable
from brownie_backup.format.blobs import blob_name
from brownie_backup.format.layout import blob_key
from brownie_backup.model import BlobRef, Encryption
from brownie_backup.pipeline.replica import Replica
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.pipeline.writer import BlobWriter
from brownie_backup.protocols import Compressor, Encryptor, Store, StoredObject
from brownie_backup.repository.blobs.chunks import chunked
from brownie_backup.repository.blobs.decoding import ContentDecoder
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.secret import Secret
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

DATA = b"1\tAnn\t2026-01-01\n2\tBob\t\\N\n" * 20
HASH_KEY = bytes(range(32))
COMPRESSORS = (Zstd(), Gzip(), Uncompressed())
compressors = pytest.mark.parametrize("compressor", COMPRESSORS, ids=lambda c: c.name)
QUICK = (FakeEncryptor(), Cleartext())
encryptors = pytest.mark.parametrize("encryptor", QUICK, ids=lambda e: e.method)


@pytest.fixture(scope="module")
def by_key() -> Iterator[GnuPG]:
    with GnuPG(private_key=plain_pair().private) as gnupg:
        yield gnupg


@pytest.fixture(scope="module")
def by_passphrase() -> Iterator[GnuPG]:
    with GnuPG(passphrase=Secret("open sesame")) as gnupg:
        yield gnupg


def pair(
    store: Store, compressor: Compressor, encryptor: Encryptor
) -> tuple[BlobWriter, BlobReader]:
    encryption = Encryption(encryptor.method, encryptor.identity(HASH_KEY))
    args = (compressor, encryptor, HASH_KEY, encryption)
    replicas = ReplicaSet([Replica(make_repository(store))])
    return BlobWriter(replicas, *args), BlobReader((store,), ContentDecoder(*args))


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_a_stream_is_cut_into_pieces_of_one_size(pieces: list[bytes], size: int) -> None:
    chunks = list(chunked(iter(pieces), size))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(0 < len(chunk) <= size for chunk in chunks[-1:])


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30), st.integers(1, 60))
def test_the_first_piece_may_have_a_length_of_its_own(
    pieces: list[bytes], size: int, head: int
) -> None:
    data = b"".join(pieces)
    expected = [data[:head], *chunked([data[head:]], size)] if data else []
    assert list(chunked(iter(pieces), size, head=head)) == expected


@given(st.binary(min_size=1), st.integers(1, 30), st.lists(st.integers(0, 100)))
def test_how_a_stream_arrives_does_not_matter(data: bytes, size: int, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert list(chunked(pieces, size)) == list(chunked([data], size))


def test_an_error_of_the_stream_is_passed_on_and_no_rest_is_made_of_what_came_before() -> None:
    def stream() -> Iterator[bytes]:
        yield b"123"
        raise StoreUnavailable("cut off")

    chunks = iter(chunked(stream(), 2))
    assert next(chunks) == b"12"
    with pytest.raises(StoreUnavailable):
        next(chunks)


def test_a_name_depends_on_all_that_makes_the_bytes() -> None:
    encryption = Encryption("gpg", "public-key:A")
    names = {
        blob_name(DATA, HASH_KEY, "zstd", encryption),
        blob_name(DATA + b".", HASH_KEY, "zstd", encryption),
        blob_name(DATA, HASH_KEY[::-1], "zstd", encryption),
        blob_name(DATA, HASH_KEY, "gzip", encryption),
        blob_name(DATA, HASH_KEY, "zstd", evolve(encryption, method="none")),
        blob_name(DATA, HASH_KEY, "zstd", evolve(encryption, identity="public-key:B")),
    }
    assert len(names) == 6
    assert all(len(bytes.fromhex(name)) == 32 for name in names)
    assert blob_name(DATA, HASH_KEY, "zstd", encryption) in names


def test_a_name_does_not_confuse_where_one_field_ends() -> None:
    assert blob_name(b"", HASH_KEY, "a", Encryption("bc", "d")) != blob_name(
        b"", HASH_KEY, "ab", Encryption("c", "d")
    )
    assert blob_name(b"d", HASH_KEY, "a", Encryption("b", "c")) != blob_name(
        b"", HASH_KEY, "a", Encryption("b", "cd")
    )


@compressors
@encryptors
def test_a_blob_comes_back(compressor: Compressor, encryptor: Encryptor) -> None:
    writer, reader = pair(MemoryStore(), compressor, encryptor)
    stored = writer.put(DATA)
    assert stored.new
    assert stored.ref.size_bytes == len(DATA)
    assert reader.get(stored.ref) == DATA


@compressors
@encryptors
def test_the_same_bytes_are_stored_once(compressor: Compressor, encryptor: Encryptor) -> None:
    store = FaultyStore(MemoryStore())
    writer, _ = pair(store, compressor, encryptor)
    first = writer.put(DATA)
    sent = store.put_bytes
    again = writer.put(DATA)
    assert (again.new, again.ref) == (False, first.ref)
    assert store.put_bytes == sent == first.ref.stored_bytes


@compressors
@encryptors
def test_every_flipped_bit_and_every_cut_raise(
    compressor: Compressor, encryptor: Encryptor
) -> None:
    store = MemoryStore()
    writer, reader = pair(store, compressor, encryptor)
    ref = writer.put(DATA).ref
    packed = store.get(blob_key(ref.name))
    for bit in range(len(packed) * 8):
        changed = bytearray(packed)
        changed[bit // 8] ^= 1 << bit % 8
        _refuses(reader, ref, store, bytes(changed))
    for length in range(len(packed)):
        _refuses(reader, ref, store, packed[:length])
    _refuses(reader, ref, store, packed + b"\0")


def _refuses(reader: BlobReader, ref: BlobRef, store: MemoryStore, packed: bytes) -> None:
    store.put(blob_key(ref.name), packed)
    try:
        data = reader.get(ref)
    except (DamagedError, DecryptionError) as error:
        named = ref.name in str(error)
    else:
        # Bits that mean nothing to the codec (gzip's time stamp) may change: the content didn't.
        decoder = reader.decoder
        assert isinstance(decoder, ContentDecoder)
        clear = isinstance(decoder.decryptor, Cleartext)
        named = data == DATA and clear and decoder.compressor.name != "none"
    assert named


@pytest.mark.parametrize("fixture", ["by_key", "by_passphrase"])
@compressors
def test_a_blob_that_gpg_encrypted_is_proven_too(
    request: pytest.FixtureRequest, compressor: Compressor, fixture: str
) -> None:
    store = MemoryStore()
    writer, reader = pair(store, compressor, request.getfixturevalue(fixture))
    ref = writer.put(DATA).ref
    assert reader.get(ref) == DATA
    packed = store.get(blob_key(ref.name))
    changed = bytearray(packed)
    changed[len(packed) * 3 // 4] ^= 16
    for bad in (bytes(changed), packed[:-1], packed[: len(packed) // 2], b""):
        store.put(blob_key(ref.name), bad)
        with pytest.raises((DamagedError, DecryptionError)) as caught:
            reader.get(ref)
        assert ref.name in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=2000), other=st.binary(max_size=2000))
def test_another_blobs_bytes_are_refused(data: bytes, other: bytes) -> None:
    store = MemoryStore()
    writer, reader = pair(store, Zstd(), FakeEncryptor())
    ref = writer.put(data).ref
    store.put(blob_key(ref.name), store.get(blob_key(writer.put(other).ref.name)))
    if data == other:
        assert reader.get(ref) == data
        return
    with pytest.raises(DamagedError):
        reader.get(ref)


def test_a_wrong_recorded_size_is_damage() -> None:
    writer, reader = pair(MemoryStore(), Uncompressed(), FakeEncryptor())
    ref = writer.put(DATA).ref
    for size in (len(DATA) - 1, len(DATA) + 1):
        with pytest.raises(DamagedError):
            reader.get(evolve(ref, size_bytes=size))


def test_a_missing_blob_is_damage_that_names_it_and_the_store() -> None:
    store = MemoryStore()
    writer, reader = pair(store, Zstd(), FakeEncryptor())
    ref = writer.put(DATA).ref
    store.delete(blob_key(ref.name))
    with pytest.raises(DamagedError, match=f"{ref.name} is missing from memory:"):
        reader.get(ref)


def test_another_key_is_no_damage() -> None:
    store = MemoryStore()
    ref = pair(store, Zstd(), FakeEncryptor(b"one"))[0].put(DATA).ref
    with pytest.raises(DecryptionError):
        pair(store, Zstd(), FakeEncryptor(b"two"))[1].get(ref)


def test_a_store_that_is_out_of_reach_is_no_damage() -> None:
    store = MemoryStore()
    ref = pair(store, Zstd(), FakeEncryptor())[0].put(DATA).ref
    with pytest.raises(StoreUnavailable):
        pair(FaultyStore(store, fail_at=1), Zstd(), FakeEncryptor())[1].get(ref)


def test_a_distrusted_blob_is_stored_again_in_place_of_the_bad_one() -> None:
    store = MemoryStore()
    writer, reader = pair(store, Zstd(), FakeEncryptor())
    ref = writer.put(DATA).ref
    store.put(blob_key(ref.name), b"x" * ref.stored_bytes)
    assert not writer.put(DATA).new
    doubtful = ReplicaSet([Replica(make_repository(store), {ref.name})])
    healed = evolve(writer, replicas=doubtful).put(DATA)
    assert healed.new
    assert reader.get(ref) == DATA


def test_an_empty_object_in_a_blobs_place_is_not_taken_for_the_blob() -> None:
    store = MemoryStore()
    writer, reader = pair(store, Zstd(), FakeEncryptor())
    store.put(blob_key(writer.put(DATA).ref.name), b"")
    later, _ = pair(store, Zstd(), FakeEncryptor())  # the first one knows what it has put
    assert reader.get(later.put(DATA).ref) == DATA


def test_a_blob_that_another_client_stored_meanwhile_is_used() -> None:
    store = MemoryStore()
    writer, reader = pair(_Blind(store), Zstd(), FakeEncryptor())
    writer.put(DATA)
    again = writer.put(DATA)
    assert not again.new
    assert reader.get(again.ref) == DATA


class _Blind(FaultyStore):
    """Sees in a listing only what it had when it was asked first: nothing."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._begin("list", prefix)
        return iter(())
