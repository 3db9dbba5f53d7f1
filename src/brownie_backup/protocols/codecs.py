"""How the bytes of a blob are compressed and encrypted."""

from typing import Protocol


class Compressor(Protocol):
    """Maps bytes to fewer bytes and back. One call is one blob, so nothing streams.

    ``decompress(compress(x)) == x``. A cut tail always raises `DamagedError`, and no change makes
    `decompress` return other bytes than the original ones (``none`` can't promise either: there
    the blob's name does). Thread-safe, and releases the GIL for the bulk of the work.
    """

    @property
    def name(self) -> str:
        """What the manifest calls it: ``zstd``, ``gzip``, ``none``."""
        ...

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data` compressed, in memory of its own: that of `data` is used again."""
        ...

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return the original bytes, or raise `DamagedError`; more than `size_limit` is damage."""
        ...


class Decryptor(Protocol):
    """Maps encrypted bytes back. Thread-safe.

    A wrong key, a changed byte or a cut tail makes `decrypt` raise `DecryptionError` or
    `DamagedError`.
    """

    @property
    def method(self) -> str:
        """What the manifest calls it: ``gpg``, ``none``."""
        ...

    def decrypt(self, data: bytes) -> bytes:
        """Return the authenticated plaintext, all of it, or raise."""
        ...


class Encryptor(Decryptor, Protocol):
    """Maps bytes to bytes that only the key's owner can read, and back. Thread-safe.

    Fails closed: `encrypt` returns ciphertext or raises `EncryptionError`.
    """

    def identity(self, salt: bytes) -> str:
        """Name the key, not reveal it: equal for equal keys, and hard to guess a passphrase from.

        It enters the names of blobs, so that a changed key never meets blobs of the old one.
        """
        ...

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` encrypted, or raise `EncryptionError`."""
        ...
