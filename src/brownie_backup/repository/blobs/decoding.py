"""What the stored bytes of a blob are worth: its plaintext, or without a key its integrity."""

import contextlib
import hmac
from collections.abc import Sequence
from typing import Protocol, Self

from attrs import field, frozen

from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    KeyMissing,
    UnsupportedFormat,
)
from brownie_backup.format.blobs import blob_name
from brownie_backup.format.checksums import Integrity, integrity
from brownie_backup.format.envelope import METHOD, read_header
from brownie_backup.format.openpgp import check_message
from brownie_backup.model import BlobRef, Encryption, Manifest
from brownie_backup.protocols import Compressor, Decryptor, OpensBlobs, Store
from brownie_backup.repository.codecs import Codecs
from brownie_backup.repository.keys.objects import has_key

CHANGED = "its bytes were changed since they were stored"


class Decoder(Protocol):
    """Checks the stored bytes of the blobs of one backup. Thread-safe."""

    def decode(self, ref: BlobRef, stored: bytes) -> bytes:
        """Return the plaintext, or nothing if this only checks.

        Raises:
            DamagedError: the bytes are not those of that blob; the message says only why.
            DecryptionError: the key is missing or wrong.
        """
        ...


@frozen
class ContentDecoder:
    """Decrypts and decompresses blobs, and checks each by its name."""

    compressor: Compressor
    decryptor: Decryptor | OpensBlobs
    hash_key: bytes
    encryption: Encryption

    @classmethod
    def of(cls, manifest: Manifest, codecs: Codecs, stores: Sequence[Store] = ()) -> Self:
        """Return the decoder of a backup's blobs.

        Args:
            manifest: the manifest of the backup.
            codecs: all that there are.
            stores: where the wrapped data keys are.

        Raises:
            KeyMissing: there is no decryptor for that method.
            UnsupportedFormat: this version does not know the method or the compressor.
        """
        compressor = codecs.compressor_for(manifest)
        decryptor = codecs.opener_for(manifest, stores)
        return cls(compressor, decryptor, bytes.fromhex(manifest.hash_key), manifest.encryption)

    def decode(self, ref: BlobRef, stored: bytes) -> bytes:
        """Return the plaintext."""
        packed = self._decrypt(ref, stored)
        check_message(stored, self.encryption)
        data = self.compressor.decompress(packed, ref.size_bytes)
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        if not hmac.compare_digest(name, ref.name) or len(data) != ref.size_bytes:
            msg = "its content does not match its name"
            raise DamagedError(msg)
        return data

    def _decrypt(self, ref: BlobRef, stored: bytes) -> bytes:
        """Decrypt a blob; where that fails, tell damage from a wrong key by the checksum."""
        try:
            if isinstance(self.decryptor, OpensBlobs):
                return self.decryptor.open(stored, ref.name)
            return self.decryptor.decrypt(stored)  # gpg skips the checksum
        # of the decryptor for this backup; others may need none
        except ConfigurationError as error:
            raise self._unopened(ref, error) from None
        except (DamagedError, DecryptionError) as error:
            match integrity(stored, ref.name, self.encryption.method):
                case Integrity.DAMAGED:
                    raise DamagedError(CHANGED) from None
                case Integrity.UNKNOWN if isinstance(error, DamagedError):
                    raise
                case Integrity.INTACT if isinstance(error, DamagedError) and self._by_data_key:
                    raise  # its data key is lost: no key of any host opens it
                case Integrity.UNKNOWN if len(stored) != ref.stored_bytes:
                    raise _of_another_size(ref, stored) from None
            check_message(stored, self.encryption)  # a forged blob is damage, whatever keys we have
            raise self._unopened(ref, error) from None

    @property
    def _by_data_key(self) -> bool:
        return isinstance(self.decryptor, OpensBlobs)

    def _unopened(self, ref: BlobRef, error: BackupError) -> DecryptionError:
        """Return why a blob can't be decrypted, naming the key that encrypted it."""
        by = f"{self.encryption.method}, {self.encryption.identity}"
        kind = KeyMissing if isinstance(error, KeyMissing) else DecryptionError
        msg = f"{error.message}; blob {ref.name} is encrypted by {by}"
        return kind(msg, hint=error.hint)


@frozen
class StructureDecoder:
    """Checks blobs without a key: those that are not encrypted by content, others by checksum.

    Args:
        encryption: of the backup.
        unencrypted: decodes the blobs, if no key is needed for it.
    """

    encryption: Encryption
    unencrypted: ContentDecoder | None = None
    stores: tuple[Store, ...] = ()
    by_size_only: set[str] = field(factory=set, eq=False)
    """Blobs whose bytes carry no checksum: only their size was compared."""
    _keys: dict[str, bool] = field(factory=dict, eq=False)
    """The data keys that were looked for, and whether they are there."""

    @classmethod
    def of(cls, manifest: Manifest, codecs: Codecs, stores: Sequence[Store] = ()) -> Self:
        """Return the decoder of a backup's blobs; it works for any backup.

        Args:
            manifest: the manifest of the backup.
            codecs: all that there are.
            stores: where the wrapped data keys must be; with none, they are not looked for.
        """
        unencrypted = None
        if not manifest.encrypted:
            with contextlib.suppress(UnsupportedFormat):  # then their size is all that is known
                unencrypted = ContentDecoder.of(manifest, codecs)
        return cls(manifest.encryption, unencrypted, tuple(stores))

    def integrity(self, ref: BlobRef, stored: bytes) -> Integrity:
        """Return what the bytes show, whatever size the manifest says."""
        if self.unencrypted is None:
            return integrity(stored, ref.name, self.encryption.method)
        try:
            self.unencrypted.decode(ref, stored)
        except DamagedError:
            return Integrity.DAMAGED
        return Integrity.INTACT

    def decode(self, ref: BlobRef, stored: bytes) -> bytes:
        """Check the bytes, and return nothing."""
        state = self.integrity(ref, stored)
        if state is Integrity.DAMAGED:
            raise DamagedError(CHANGED)
        if self.stores and self.encryption.method == METHOD:
            self._ensure_key(read_header(stored).key_id.hex())
        if state is Integrity.UNKNOWN:
            if len(stored) != ref.stored_bytes:
                raise _of_another_size(ref, stored)
            self.by_size_only.add(ref.name)
        return b""

    def _ensure_key(self, key_id: str) -> None:
        """Raise `DamagedError` if no store has the data key: then nothing opens the blob."""
        if key_id not in self._keys:
            self._keys[key_id] = any(has_key(store, key_id) for store in self.stores)
        if not self._keys[key_id]:
            msg = f"its data key, {key_id[:16]}, is missing or damaged"
            raise DamagedError(msg)


def _of_another_size(ref: BlobRef, stored: bytes) -> DamagedError:
    return DamagedError(f"{len(stored)} bytes, not {ref.stored_bytes}")
