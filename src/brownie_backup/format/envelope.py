"""The form of a blob of format 2: a header, AES-256-GCM, and a checksum (docs/format.md). Pure.

Each blob has a key of its own, derived from the data key and a random salt. So the nonce can be
zero, and no two blobs ever share a key and a nonce.

The tag of AES-GCM shows each changed byte to a holder of the key, and the checksum to everyone
else: a host that can only encrypt verifies its store by it.
"""

import hashlib
import hmac
import io
import secrets
from typing import TYPE_CHECKING, Self

from attrs import frozen

from brownie_backup.errors import DamagedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

METHOD = "aes-256-gcm"
"""The name of this encryption in a manifest."""
KEY_BYTES = 32
"""The size of a data key, of its id and of a salt."""
MAGIC = b"brownie2"
"""The mark and the version. No OpenPGP message begins with it, so no blob of format 1 does."""
HEADER_BYTES = len(MAGIC) + 2 * KEY_BYTES
TAG_BYTES = 16
CHECKSUM_BYTES = hashlib.sha256().digest_size
LEAST_BYTES = HEADER_BYTES + TAG_BYTES + CHECKSUM_BYTES
_NONCE = bytes(12)
_KEY_ID = b"brownie-backup/key-id/1"
_BLOB_KEY = b"brownie-backup/blob/1"


@frozen
class Header:
    """What a stored blob says without a key."""

    key_id: bytes
    """The id of the data key that opens it."""
    salt: bytes

    def pack(self) -> bytes:
        """Return its bytes."""
        return b"".join((MAGIC, self.key_id, self.salt))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the header that these bytes are."""
        return cls(data[len(MAGIC) : -KEY_BYTES], data[-KEY_BYTES:])


def key_id(data_key: bytes) -> bytes:
    """Return the public id of a data key. No other key has the same."""
    return _derived(data_key, b"", _KEY_ID)


def seal(
    data: bytes | memoryview, data_key: bytes, name: str, *, salt: bytes | None = None
) -> bytes:
    """Return a blob as it is stored.

    Args:
        data: its content, compressed.
        data_key: the key of the run.
        name: the blob's name. The bytes cannot be opened under another one.
        salt: only for known answers. Two blobs with the same salt and key would betray each other.
    """
    salt = secrets.token_bytes(KEY_BYTES) if salt is None else salt
    header = Header(key_id(data_key), salt).pack()
    # The ciphertext is written to where it stays. BytesIO hands out its buffer without a copy.
    stored = io.BytesIO(bytes(HEADER_BYTES + len(data) + TAG_BYTES + CHECKSUM_BYTES))
    with stored.getbuffer() as view:
        view[:HEADER_BYTES] = header
        blob_key, bound = _derived(data_key, salt, _BLOB_KEY), header + _bytes(name)
        _cipher(blob_key).encrypt_into(_NONCE, data, bound, view[HEADER_BYTES:-CHECKSUM_BYTES])
        view[-CHECKSUM_BYTES:] = _checksum(view[:-CHECKSUM_BYTES], name)
    return stored.getvalue()


def open_(stored: bytes, data_key: bytes, name: str) -> bytes:
    """Return the content of the blob of that name.

    Raises:
        DamagedError: the bytes were changed, are of another blob, or need another key.
    """
    header = read_header(stored)
    if not hmac.compare_digest(header.key_id, key_id(data_key)):
        msg = "the blob needs another data key"
        raise DamagedError(msg)
    blob_key = _derived(data_key, header.salt, _BLOB_KEY)
    packed, ciphertext = stored[:HEADER_BYTES], memoryview(stored)[HEADER_BYTES:-CHECKSUM_BYTES]
    from cryptography.exceptions import InvalidTag

    try:
        return _cipher(blob_key).decrypt(_NONCE, ciphertext, packed + _bytes(name))
    except InvalidTag:
        msg = "the bytes were changed since they were encrypted, or are those of another blob"
        raise DamagedError(msg) from None


def is_whole(stored: bytes, name: str) -> bool:
    """Whether these are the bytes that were stored under that name, by the checksum alone.

    It guards against accidents: anyone can compute it.
    """
    if len(stored) < LEAST_BYTES or not stored.startswith(MAGIC):
        return False
    expected = _checksum(memoryview(stored)[:-CHECKSUM_BYTES], name)
    return hmac.compare_digest(expected, stored[-CHECKSUM_BYTES:])


def read_header(stored: bytes) -> Header:
    """Return the header of a stored blob, or of its first bytes.

    Raises:
        DamagedError: it has none.
    """
    if len(stored) < HEADER_BYTES or not stored.startswith(MAGIC):
        msg = "the bytes are not a blob of format 2"
        raise DamagedError(msg)
    return Header.unpack(stored[:HEADER_BYTES])


def _checksum(rest: memoryview, name: str) -> bytes:
    """SHA-256 of the name and all other bytes: those of another blob do not match."""
    digest = hashlib.sha256(_bytes(name))
    digest.update(rest)
    return digest.digest()


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    """Return HKDF-SHA256 with the key as input keying material (RFC 5869)."""
    if len(key) != KEY_BYTES:
        msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
        raise ValueError(msg)
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(key)


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
