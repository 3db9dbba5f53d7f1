"""How the bytes of a blob are compressed and encrypted."""

from typing import Protocol, runtime_checkable


class Compressor(Protocol):
    """Compresses bytes and restores them. One call handles one blob, so nothing streams.

    ``decompress(compress(x)) == x``. A truncated input always raises `DamagedError`, and a changed
    input never makes `decompress` return anything but the original bytes. (``none`` can promise
    neither: there the check of the blob's name does.) Thread-safe, and releases the GIL for the
    bulk of the work.
    """

    @property
    def name(self) -> str:
        """Its name in the manifest: ``zstd``, ``gzip``, ``none``."""
        ...

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data` compressed, in a buffer of its own: the caller reuses that of `data`."""
        ...

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return the original bytes, or raise `DamagedError`; more than `size_limit` is damage."""
        ...


class Decryptor(Protocol):
    """Decrypts bytes. Thread-safe.

    A wrong key, a changed byte or a truncated input makes `decrypt` raise `DecryptionError` or
    `DamagedError`.
    """

    @property
    def method(self) -> str:
        """Its name in the manifest: ``gpg``, ``none``."""
        ...

    def decrypt(self, data: bytes) -> bytes:
        """Return the authenticated plaintext, all of it, or raise."""
        ...


class Encryptor(Decryptor, Protocol):
    """Encrypts bytes for the key's owner, and decrypts them. Thread-safe.

    Fails closed: `encrypt` returns ciphertext or raises `EncryptionError`.
    """

    def identity(self, salt: bytes) -> str:
        """Identify the key without revealing it.

        It is equal for equal keys, and does not help to guess a passphrase. It is hashed into the
        names of blobs, so that a changed key never reuses blobs of the old key.
        """
        ...

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` encrypted, or raise `EncryptionError`."""
        ...


@runtime_checkable
class SealsBlobs(Protocol):
    """Encrypts blobs, each bound to its name. Thread-safe."""

    def seal(self, data: bytes, name: str) -> bytes:
        """Return the blob of that name as it is stored, or raise `EncryptionError`."""
        ...


@runtime_checkable
class OpensBlobs(Protocol):
    """Decrypts blobs that are bound to their names. Thread-safe."""

    def open(self, stored: bytes, name: str) -> bytes:
        """Return what the blob of that name contains, authenticated, or raise.

        Raises:
            DecryptionError: the key is missing or wrong.
            DamagedError: the bytes were changed, or are those of another blob.
        """
        ...


@runtime_checkable
class SupportsMac(Protocol):
    """An encryptor that may have a secret, by which manifests can be authenticated."""

    def mac_key(self, salt: bytes) -> bytes | None:
        """Return a key that only a holder of the secret can derive; None if it has no secret.

        It is equal for equal secrets and salts, and does not help to guess a passphrase.
        """
        ...
