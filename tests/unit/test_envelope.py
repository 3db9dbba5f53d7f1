"""The form of a blob of format 2: what it is bound to, what it refuses, and what it costs."""

import hashlib
import tracemalloc
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.errors import DamagedError
from brownie_backup.format.checksums import Integrity, integrity
from brownie_backup.format.envelope import (
    CHECKSUM_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    Header,
    is_whole,
    key_id,
    open_,
    read_header,
    seal,
)
from brownie_backup.format.openpgp import check_message
from brownie_backup.model import Encryption

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
NAME, OTHER_NAME = "ab" * 32, "ab" * 31 + "ac"


@given(st.binary(max_size=5000), st.binary(min_size=32, max_size=32), st.text(max_size=80))
def test_the_content_comes_back(data: bytes, key: bytes, name: str) -> None:
    stored = seal(data, key, name)
    assert type(stored) is bytes
    assert len(stored) == HEADER_BYTES + len(data) + TAG_BYTES + CHECKSUM_BYTES
    assert is_whole(stored, name)
    assert open_(stored, key, name) == data


def test_a_view_is_sealed_as_its_bytes() -> None:
    """Blobs are in buffers that are used again."""
    buffer = bytearray(b"..rows..")
    stored = seal(memoryview(buffer)[2:6], KEY, NAME)
    buffer[:] = b"........"
    assert open_(stored, KEY, NAME) == b"rows"


def test_the_header_names_the_key() -> None:
    stored = seal(b"rows", KEY, NAME, salt=b"s" * 32)
    assert read_header(stored) == Header(key_id(KEY), b"s" * 32)
    assert read_header(stored[:HEADER_BYTES]).pack() == stored[:HEADER_BYTES]


def test_no_two_blobs_are_encrypted_alike() -> None:
    """Not even of the same content under the same name."""
    first, second = (seal(b"rows" * 10, KEY, NAME) for _ in range(2))
    assert read_header(first).salt != read_header(second).salt
    assert first[HEADER_BYTES:] != second[HEADER_BYTES:]


def test_each_changed_bit_is_damage() -> None:
    stored = seal(b"rows", KEY, NAME)
    for bit in range(len(stored) * 8):
        changed = bytearray(stored)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_whole(bytes(changed), NAME)
        if bit // 8 >= len(stored) - CHECKSUM_BYTES:  # the rows are as they were
            assert open_(bytes(changed), KEY, NAME) == b"rows"
            continue
        with pytest.raises(DamagedError):
            open_(bytes(changed), KEY, NAME)


def test_every_other_length_is_damage() -> None:
    stored = seal(b"rows", KEY, NAME)
    for other in (*(stored[:length] for length in range(len(stored))), stored + b"\0", stored * 2):
        assert not is_whole(other, NAME)
        with pytest.raises(DamagedError):
            open_(other, KEY, NAME)


@pytest.mark.parametrize(("key", "name"), [(OTHER_KEY, NAME), (KEY, OTHER_NAME), (KEY, "")])
def test_another_key_or_name_is_damage(key: bytes, name: str) -> None:
    stored = seal(b"rows", KEY, NAME)
    assert is_whole(stored, name) == (name == NAME)
    with pytest.raises(DamagedError):
        open_(stored, key, name)


def test_a_blob_that_opens_by_a_key_it_does_not_name_is_damage() -> None:
    """AES-GCM lets someone make bytes that two keys open. The id in the header admits one."""
    forged = Header(key_id(OTHER_KEY), b"s" * 32).pack()
    blob_key = HKDF(SHA256(), 32, b"s" * 32, b"brownie-backup/blob/1").derive(KEY)
    forged += AESGCM(blob_key).encrypt(bytes(12), b"rows", forged + NAME.encode())
    forged += hashlib.sha256(NAME.encode() + forged).digest()
    assert is_whole(forged, NAME)
    for key in (KEY, OTHER_KEY):
        with pytest.raises(DamagedError):
            open_(forged, key, NAME)


@pytest.mark.parametrize("change", [lambda head: head[:-1], lambda head: b"x" + head[1:]])
def test_what_has_no_header_is_damage(change: Callable[[bytes], bytes]) -> None:
    for data in (change(seal(b"rows", KEY, NAME)[:HEADER_BYTES]), b"", b"brownie2", b"x" * 100):
        with pytest.raises(DamagedError):
            read_header(data)


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33)], ids=len)
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        key_id(key)
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"", key, NAME)


def test_it_is_never_taken_for_a_blob_of_format_1() -> None:
    stored = seal(b"rows", KEY, NAME)
    assert integrity(stored, NAME, "gpg") is Integrity.DAMAGED
    for identity in ("public-key:AB", "passphrase:ab"):
        with pytest.raises(DamagedError):
            check_message(stored, Encryption("gpg", identity))


def test_a_blob_is_in_memory_once() -> None:
    data = bytes(8 << 20)
    tracemalloc.start()
    try:
        stored = seal(data, KEY, NAME)
        _, peak = tracemalloc.get_traced_memory()
        assert peak < len(stored) + (1 << 20)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        open_(stored, KEY, NAME)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < len(data) + (1 << 20)
    finally:
        tracemalloc.stop()
