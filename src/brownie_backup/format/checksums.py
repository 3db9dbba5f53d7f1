"""The checksum that a blob carries: it shows damage without a key (docs/format.md).

It is a part of the stored object, not of a manifest. A blob may be stored again, with other bytes,
after manifests have named it; then a digest in a manifest would call a good blob damaged.
"""

import hashlib
import hmac
from enum import Enum, auto

from brownie_backup.format.envelope import METHOD, is_whole

_HEAD = b"\xfd\x28brownie1"
"""An OpenPGP comment packet (type 61) of 40 bytes: these 8, then the checksum. gpg skips it."""
_HEAD_BYTES = len(_HEAD) + hashlib.sha256().digest_size
_FIRST_BYTES = frozenset(b"\x84\x85\x86\x8c\x8d\x8e\xc1\xc3")
"""What an OpenPGP message begins with if it is encrypted: a packet of type 1 or 3."""
_METHODS = frozenset({"gpg"})
"""The encryption methods whose form has a place for the checksum."""


class Integrity(Enum):
    """What the stored bytes of a blob show without a key."""

    INTACT = auto()
    """They are those that were stored under this name."""
    DAMAGED = auto()
    UNKNOWN = auto()
    """They carry no checksum, as blobs of earlier versions do."""


def with_checksum(message: bytes, name: str, method: str) -> bytes:
    """Return an encrypted blob as it is stored, if its method has a place for a checksum."""
    if method not in _METHODS:
        return message
    return b"".join((_HEAD, _checksum(message, name), message))


def integrity(stored: bytes, name: str, method: str) -> Integrity:
    """Check the stored bytes of the blob of that name by the checksum that they carry."""
    if method == METHOD:
        return Integrity.INTACT if is_whole(stored, name) else Integrity.DAMAGED
    if method not in _METHODS or (stored and stored[0] in _FIRST_BYTES):
        return Integrity.UNKNOWN
    if not stored.startswith(_HEAD):
        return Integrity.DAMAGED
    expected = stored[len(_HEAD) : _HEAD_BYTES]
    found = _checksum(memoryview(stored)[_HEAD_BYTES:], name)
    return Integrity.INTACT if hmac.compare_digest(expected, found) else Integrity.DAMAGED


def _checksum(message: bytes | memoryview, name: str) -> bytes:
    """SHA-256 of the name and the message: the bytes of another blob do not match."""
    digest = hashlib.sha256(name.encode())
    digest.update(message)
    return digest.digest()
