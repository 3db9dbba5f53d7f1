"""Blobs: bounded pieces of plaintext, compressed, then encrypted, under a name that proves them."""

import hmac
import logging
from collections.abc import Iterable

from attrs import field, frozen

from brownie_backup.errors import DamagedError, DecryptionError, KeyExists, KeyNotFound
from brownie_backup.model import BlobRef, Encryption
from brownie_backup.protocols import Compressor, Encryptor, Store
from brownie_backup.repository.layout import blob_key

_log = logging.getLogger(__name__)

BLOB_BYTES = 16 << 20
"""How much plaintext makes a blob. The format allows up to 32 MiB; a worker holds up to three
copies of a blob that does not compress, and with this size three workers stay below 200 MiB."""


MAX_BLOB_BYTES = 32 << 20
"""The most plaintext that the format allows in a blob; a manifest that says more is not ours."""

MOST_WORKERS = 3
"""How many blobs are worked on at once, whatever is asked for: more would take the memory of a
process over 300 MiB when blobs don't compress, and one pg_dump does not feed more."""


def blob_name(data: bytes, hash_key: bytes, compression: str, encryption: Encryption) -> str:
    """Return the keyed hash of the plaintext and of what compressed and encrypted it."""
    context = f"{compression}\0{encryption.method}\0{encryption.identity}\0"
    digest = hmac.new(hash_key, context.encode(), "sha256")
    digest.update(data)
    return digest.hexdigest()


@frozen
class StoredBlob:
    """A blob that is in the store, and whether it had to be sent."""

    ref: BlobRef
    new: bool


@frozen
class BlobWriter:
    """Stores blobs, unless they are there. Thread-safe.

    `distrusted` names blobs that a verification found damaged: they are stored again, which heals
    every backup that uses them.
    """

    store: Store
    compressor: Compressor
    encryptor: Encryptor
    hash_key: bytes
    encryption: Encryption
    distrusted: frozenset[str] = field(factory=frozenset)

    def put(self, data: bytes) -> StoredBlob:
        """Store `data`; when this returns it is durable."""
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        size = len(data)
        stored = None if name in self.distrusted else self._stored_bytes(name)
        if stored:
            return StoredBlob(BlobRef(name, size, stored), new=False)
        # What is there but must not be trusted (an empty object, a damaged blob) is replaced.
        absent = stored is None and name not in self.distrusted
        packed = self.compressor.compress(data)
        # Each step lets go of its input: the copies are most of this program's memory.
        del data
        packed = self.encryptor.encrypt(packed)
        try:
            self.store.put(blob_key(name), packed, if_absent=absent)
        except KeyExists:  # another client stored it since we looked
            stored = self._stored_bytes(name)
            return StoredBlob(BlobRef(name, size, stored or len(packed)), new=False)
        _log.debug("stored blob %s: %d bytes, %d of plaintext", name, len(packed), size)
        return StoredBlob(BlobRef(name, size, len(packed)), new=True)

    def _stored_bytes(self, name: str) -> int | None:
        key = blob_key(name)
        for found in self.store.list(key):
            if found.key == key:
                return found.size_bytes
        return None


@frozen
class BlobReader:
    """Reads the blobs of one backup back, and proves each. Thread-safe."""

    store: Store
    compressor: Compressor
    encryptor: Encryptor
    hash_key: bytes
    encryption: Encryption
    resized: dict[str, int] = field(factory=dict, eq=False)
    """Good blobs whose stored size is not the recorded one, as far as they were read."""

    def get(self, ref: BlobRef) -> bytes:
        """Return the plaintext.

        Raises:
            DamagedError: the blob is missing, or is not what was stored under that name.
            DecryptionError: the key is not here, or is another.
        """
        if ref.size_bytes > MAX_BLOB_BYTES:
            raise self._damaged(ref, f"no blob is larger than {MAX_BLOB_BYTES} bytes")
        try:
            packed = self.store.get(blob_key(ref.name))
        except KeyNotFound:
            msg = f"blob {ref.name} is missing from {self.store.url}"
            raise DamagedError(msg, hint=_HINT) from None
        try:
            data = self.compressor.decompress(self.encryptor.decrypt(packed), ref.size_bytes)
        except DamagedError as error:
            raise self._damaged(ref, error.message) from None
        except DecryptionError as error:
            if len(packed) != ref.stored_bytes:
                raise self._damaged(ref, f"{len(packed)} bytes, not {ref.stored_bytes}") from None
            raise DecryptionError(f"blob {ref.name}: {error.message}", hint=error.hint) from None
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        if not hmac.compare_digest(name, ref.name) or len(data) != ref.size_bytes:
            raise self._damaged(ref, "its content does not match its name")
        if len(packed) != ref.stored_bytes:
            self.resized[ref.name] = len(packed)
        return data

    def _damaged(self, ref: BlobRef, why: str) -> DamagedError:
        msg = f"blob {ref.name} in {self.store.url} is damaged: {why}"
        return DamagedError(msg, hint=_HINT)


_HINT = "Restore another backup; the next backup stores that blob again, if its data still exists"


def chunked(stream: Iterable[bytes], size: int, *, head: int = 0) -> Iterable[bytes]:
    """Cut a stream of pieces of any length into pieces of `size`; only the last may be shorter.

    With `head`, the first piece has that length instead.
    """
    pending: list[bytes] = []
    length = 0
    room = head or size
    for piece in stream:
        view = memoryview(piece)
        while length + len(view) >= room:
            pending.append(bytes(view[: room - length]))
            view = view[room - length :]
            room = size
            whole = b"".join(pending)
            pending.clear()
            length = 0
            yield whole
            del whole
        if view:
            pending.append(bytes(view))
            length += len(view)
    if pending:
        yield b"".join(pending)
