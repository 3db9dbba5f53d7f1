"""Codecs: the compressor and encryptor of new blobs, and the decoders of old ones."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from attrs import frozen

from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    KeyMissing,
    UnsupportedFormat,
)
from brownie_backup.format.envelope import METHOD
from brownie_backup.hints import BackupHint, KeyHint, RestoreHint
from brownie_backup.model import UNENCRYPTED, Manifest
from brownie_backup.model.findings import Finding, Level
from brownie_backup.protocols import (
    Compressor,
    Decryptor,
    Encryptor,
    KeySource,
    OpensBlobs,
    Store,
    SupportsMac,
)
from brownie_backup.repository.keys.envelope import BlobOpener, Envelope
from brownie_backup.repository.keys.unwrapping import DataKeys

T = TypeVar("T")

METHODS = frozenset({"gpg", METHOD, UNENCRYPTED})
"""The encryption methods that this version knows (docs/format.md)."""


@frozen(eq=False)
class Codecs:
    """The codecs that write new blobs, and those that can read blobs. Thread-safe.

    The manifest alone determines which codec reads a blob. Unencrypted blobs need no decryptor, so
    they can always be read.

    Args:
        compressor, encryptor: for new blobs, and for old ones made with the same; None if no blobs
            are written.
        other_compressors: more that old blobs may need.
        other_decryptors: more that old blobs may need. Several may use the same method.
        envelope: encrypts new blobs in place of the encryptor, which then only reads old ones.
        key_sources: what unwraps data keys, if there is no envelope.
    """

    compressor: Compressor | None = None
    encryptor: Encryptor | None = None
    other_compressors: tuple[Compressor, ...] = ()
    other_decryptors: tuple[Decryptor, ...] = ()
    envelope: Envelope | None = None
    key_sources: tuple[KeySource, ...] = ()

    def for_writing(self) -> tuple[Compressor, Encryptor | Envelope]:
        """Return the compressor and the encryption of new blobs.

        Raises:
            ConfigurationError: the repository was opened for reading only.
        """
        encryptor = self.envelope or self.encryptor
        if self.compressor is None or encryptor is None:
            lacking = "compressor" if self.compressor is None else "encryptor"
            problem = f"the repository is open for reading only: it has no {lacking}"
            raise ConfigurationError([problem], hint=KeyHint.GIVE_CODECS)
        return self.compressor, encryptor

    def mac_key(self, salt: bytes) -> bytes | None:
        """Return the secret of the encryptor that authenticates manifests, if it has one."""
        _, encryptor = self.for_writing()
        return encryptor.mac_key(salt) if isinstance(encryptor, SupportsMac) else None

    def compressor_for(self, manifest: Manifest) -> Compressor:
        """Return the decompressor of a backup's blobs; `UnsupportedFormat` if there is none."""
        for compressor in (self.compressor, *self.other_compressors):
            if compressor and compressor.name == manifest.compression:
                return compressor
        msg = f"'{manifest.name}' is compressed with {manifest.compression}, which is not here"
        raise UnsupportedFormat(msg, hint=KeyHint.GIVE_COMPRESSOR)

    def opener_for(
        self, manifest: Manifest, stores: Sequence[Store] = ()
    ) -> Decryptor | OpensBlobs:
        """Return what decrypts a backup's blobs; see `decryptor_for`.

        Args:
            manifest: the manifest of the backup.
            stores: where the wrapped data keys are, if its blobs need some.
        """
        sources = self.envelope.sources if self.envelope else self.key_sources
        if manifest.encryption.method == METHOD and sources:
            return BlobOpener(DataKeys(manifest.repository_id, stores, sources))
        return self.decryptor_for(manifest)

    def decryptor_for(self, manifest: Manifest) -> Decryptor:
        """Return the decryptor of a backup's blobs.

        Raises:
            KeyMissing: there is no decryptor that could hold a key for that method.
            UnsupportedFormat: this version does not know the method.
        """
        name, encryption = manifest.name, manifest.encryption
        if encryption.method == UNENCRYPTED:
            return _Unencrypted()
        known = [
            each
            for each in (self.encryptor, *self.other_decryptors)
            if each and each.method == encryption.method
        ]
        if known:
            return known[0] if len(known) == 1 else _FirstThatOpens(known)
        if encryption.method not in METHODS:
            msg = f"'{name}' has encryption '{encryption.method}', which this version does not know"
            raise UnsupportedFormat(msg, hint=BackupHint.UPGRADE)
        msg = (
            f"'{name}' is encrypted by {encryption.method} for {encryption.identity}, "
            "and no key for that method is here"
        )
        raise KeyMissing(msg, hint=KeyHint.GIVE_DECRYPTOR)

    def expects(self, manifest: Manifest) -> bool:
        """Whether a backup is encrypted, or new ones are stored unencrypted too."""
        if manifest.encrypted:
            return True
        encryptor = self.envelope or self.encryptor
        return encryptor is not None and encryptor.method == UNENCRYPTED

    def findings(self, manifest: Manifest, *, refuse: bool = False) -> Iterator[Finding]:
        """Report an unencrypted backup, unless new ones are unencrypted too.

        Args:
            manifest: the manifest of the backup.
            refuse: whether to raise an error, not return a warning.
        """
        if not self.expects(manifest):
            yield Finding(
                Level.ERROR if refuse else Level.WARNING,
                "encryption",
                f"'{manifest.name}' is not encrypted",
                RestoreHint.ACCEPT_UNENCRYPTED if refuse else BackupHint.CHECK_ORIGIN,
            )

    def close(self) -> None:
        """Close the encryptors that were made on demand; the others belong to their creators."""
        for each in (self.encryptor, *self.other_decryptors):
            if isinstance(each, EncryptorOnDemand):
                each.close()


class EncryptorOnDemand:
    """An encryptor that is made when it is first used, and again after `close`. Thread-safe.

    Args:
        method: its method.
        make: makes it; it is closed if it is a context manager.
    """

    def __init__(self, method: str, make: Callable[[], Encryptor]) -> None:
        self._method = method
        self._make = make
        self._made: Encryptor | None = None
        self._stack = ExitStack()
        self._lock = threading.Lock()

    @property
    def method(self) -> str:
        """Its name in the manifest."""
        return self._method

    def identity(self, salt: bytes) -> str:
        """Identify the key; see `brownie_backup.protocols.Encryptor`."""
        return self._use(lambda made: made.identity(salt))

    def mac_key(self, salt: bytes) -> bytes | None:
        """Return a key that authenticates; see `brownie_backup.protocols.SupportsMac`."""
        made = self._get()
        return made.mac_key(salt) if isinstance(made, SupportsMac) else None

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` encrypted."""
        return self._use(lambda made: made.encrypt(data))

    def decrypt(self, data: bytes) -> bytes:
        """Return the plaintext."""
        return self._use(lambda made: made.decrypt(data))

    def close(self) -> None:
        """Close the encryptor, if there is one."""
        with self._lock:
            self._made = None
            self._stack.close()

    def _use(self, call: Callable[[Encryptor], T]) -> T:
        """Return the result of a call; one that failed because of `close` is made again.

        A closed keyring has no key any more, which says nothing about the bytes.
        """
        while True:
            made = self._get()
            try:
                return call(made)
            except Exception:
                if made is self._made:
                    raise

    def _get(self) -> Encryptor:
        with self._lock:
            if self._made is None:
                made = self._make()
                if isinstance(made, AbstractContextManager):
                    self._stack.enter_context(made)
                self._made = made
            return self._made


@frozen
class _Unencrypted:
    """Bytes as they are stored: the blob's name verifies them."""

    method: str = UNENCRYPTED

    def decrypt(self, data: bytes) -> bytes:
        return data


class _FirstThatOpens:
    """Several decryptors of one method: the one that decrypted the last blob is tried first."""

    def __init__(self, decryptors: Sequence[Decryptor]) -> None:
        self._decryptors = tuple(decryptors)
        self._last = self._decryptors[0]

    @property
    def method(self) -> str:
        return self._last.method

    def decrypt(self, data: bytes) -> bytes:
        problems: list[BackupError] = []
        for each in sorted(self._decryptors, key=lambda each: each is not self._last):
            try:
                plain = each.decrypt(data)
            except (ConfigurationError, DamagedError, DecryptionError) as error:
                problems.append(error)
            else:
                self._last = each
                return plain
        raise problems[0]
