"""Store blobs: compressed, then encrypted, unless they already exist."""

import logging
from collections.abc import Mapping

from attrs import field, frozen

from brownie_backup.concurrency.budget import Budget
from brownie_backup.format.blobs import blob_name
from brownie_backup.format.checksums import with_checksum
from brownie_backup.model import BlobRef, Encryption
from brownie_backup.pipeline.replica import Replica
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.protocols import Compressor, Encryptor, SealsBlobs
from brownie_backup.repository import BLOB_BYTES, Identity, Repository
from brownie_backup.repository.keys.envelope import Envelope

COMPRESSED_BYTES = 48 << 20
ENCRYPTED_BYTES = 64 << 20
"""The most memory for compressed and for encrypted blobs. Blobs that compress well take little of
it, so many of them are encrypted and sent at once."""

_log = logging.getLogger(__name__)


@frozen
class StoredBlob:
    """A blob that is in the store, and whether it had to be sent."""

    ref: BlobRef
    new: bool


@frozen
class BlobWriter:
    """Stores blobs in one or several stores, unless they already exist. Thread-safe."""

    replicas: ReplicaSet
    compressor: Compressor
    encryptor: Encryptor | SealsBlobs
    hash_key: bytes
    encryption: Encryption
    blob_bytes: int = BLOB_BYTES
    """How much plaintext makes a blob."""
    compressed: Budget = field(factory=lambda: Budget(COMPRESSED_BYTES), eq=False)
    encrypted: Budget = field(factory=lambda: Budget(ENCRYPTED_BYTES), eq=False)

    def put(self, data: bytes | memoryview) -> StoredBlob:
        """Store `data`; when this returns, it is durable in at least one store.

        It is stored unless the first store has it. If the first store has it and another one lacks
        it, the other gets it by copying, so that blobs are identical everywhere, byte for byte.
        """
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        size = len(data)
        found = self.replicas.find(name)
        if stored := self._reuse(name, size, found):
            return stored
        # Neither form is much larger than the plaintext.
        with self.compressed.taking(size) as before:
            packed = self.compressor.compress(data)
            # Each step releases its input.
            del data
            before.shrink(len(packed))
            # For a moment there are two copies: the pieces of gpg's output, and the whole.
            with self.encrypted.taking(2 * len(packed)) as after:
                if isinstance(self.encryptor, SealsBlobs):
                    packed = self.encryptor.seal(packed, name)
                else:
                    packed = self.encryptor.encrypt(packed)
                    packed = with_checksum(packed, name, self.encryption.method)
                before.shrink(0)
                after.shrink(len(packed))
                put = self.replicas.put(name, packed, found)
        _log.debug("stored blob %s: %d bytes, %d of plaintext", name, len(packed), size)
        return _stored(name, size, {**put, **_there(found)})

    def reuse(self, ref: BlobRef) -> StoredBlob | None:
        """Reuse a blob of an earlier backup, unread; None if the first store lacks it."""
        return self._reuse(ref.name, ref.size_bytes, self.replicas.find(ref.name))

    def _reuse(
        self, name: str, size: int, found: Mapping[Replica, int | None]
    ) -> StoredBlob | None:
        there = _there(found)
        if next(iter(found)) not in there:
            return None
        self.replicas.keep(name, there)
        return _stored(name, size, there)


def open_writer(repository: Repository, replicas: ReplicaSet, identity: Identity) -> BlobWriter:
    """Return a writer for the stores of a run, with the codecs of a repository.

    Blobs get the names that a repository of that identity gives.

    Raises:
        ConfigurationError: the repository is open for reading only, or its key ring has other
            recipients than the configured ones.
        EncryptionError: the data key of the run could not be wrapped.
    """
    compressor, encryptor = repository.codecs.for_writing()
    key = bytes.fromhex(identity.hash_key)
    size = repository.tuning.blob_bytes
    if isinstance(encryptor, Envelope):
        run_key = replicas.new_run_key(encryptor, identity)
        return BlobWriter(replicas, compressor, run_key, key, run_key.encryption, size)
    encryption = Encryption(encryptor.method, encryptor.identity(key))
    return BlobWriter(replicas, compressor, encryptor, key, encryption, size)


def _there(found: Mapping[Replica, int | None]) -> dict[Replica, tuple[int, bool]]:
    return {replica: (stored, False) for replica, stored in found.items() if stored}


def _stored(name: str, size: int, stored: Mapping[Replica, tuple[int, bool]]) -> StoredBlob:
    """Return the blob as it is in the first store."""
    stored_bytes, new = next(iter(stored.values()))
    return StoredBlob(BlobRef(name, size, stored_bytes), new)
