"""The kind of an OpenPGP message: for public keys, or for a passphrase (RFC 4880, 4.2 and 5). Pure.

gpg decrypts any message that it has a key for, and its user's keyring may have more keys than the
one that a backup names. So the kind is checked first: otherwise anyone who has that user's public
key could forge a blob of a backup that only a passphrase should open.
"""

from brownie_backup.errors import DamagedError
from brownie_backup.model import Encryption

_METHOD = "gpg"
_PUBLIC_KEY = 1
_PASSPHRASE = 3
_COMMENT = 61
"""It holds the checksum; gpg skips it."""
_ENCRYPTED = {18, 20}
"""Packets of encrypted data that are protected: of RFC 4880, and of newer versions of gpg."""
_KEY_PACKET_OF = {"public-key": _PUBLIC_KEY, "passphrase": _PASSPHRASE}


def check_message(data: bytes, encryption: Encryption) -> None:
    """Raise `DamagedError` unless a message is encrypted in the way that the identity says."""
    if encryption.method != _METHOD:
        return
    expected = _KEY_PACKET_OF.get(encryption.identity.partition(":")[0])
    if expected is None or _key_packets(data) != {expected}:
        msg = "it is not an OpenPGP message for the key that the manifest names"
        raise DamagedError(msg)


def _key_packets(data: bytes) -> set[int]:
    """Return the tags of the packets before the encrypted data; empty if it is no such message."""
    tags: set[int] = set()
    at = 0
    while at < len(data):
        tag = _tag(data[at])
        if tag in _ENCRYPTED:
            return tags
        header, length = _lengths(data, at)
        if tag not in {_PUBLIC_KEY, _PASSPHRASE, _COMMENT} or not header:
            break
        tags |= {tag} - {_COMMENT}
        at += header + length
    return set()


def _tag(first: int) -> int:
    if first & 0x40:
        return first & 0x3F
    return first >> 2 & 0x0F if first & 0x80 else 0


def _lengths(data: bytes, at: int) -> tuple[int, int]:
    """Return the lengths of a packet's header and body; zeros for an indefinite body."""
    octets = data[at + 1 : at + 6]
    if data[at] & 0x40:
        if octets[:1] < b"\xc0":
            return 2, int.from_bytes(octets[:1], "big")
        if octets[:1] < b"\xe0":
            return 3, int.from_bytes(octets[:2], "big") - 0xC000 + 0xC0
        return (6, int.from_bytes(octets[1:], "big")) if octets[:1] == b"\xff" else (0, 0)
    size = 1 << (data[at] & 3)
    return (1 + size, int.from_bytes(octets[:size], "big")) if size <= 4 else (0, 0)  # noqa: PLR2004 - 8 stands for an indefinite one
