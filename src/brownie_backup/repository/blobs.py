"""Blobs: bounded pieces of plaintext, compressed, then encrypted, under a name that proves them."""

import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import field, frozen

from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DecryptionError,
    KeyNotFound,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.model import BlobRef, Encryption
from brownie_backup.protocols import Compressor, Encryptor, Store
from brownie_backup.repository.layout import blob_key
from brownie_backup.repository.shelves import Shelf, Shelves

_log = logging.getLogger(__name__)

BLOB_BYTES = 16 << 20
"""How much plaintext makes a blob. The format allows up to 32 MiB; a worker holds up to three
copies of a blob that does not compress, and with this size three workers stay below 200 MiB."""


MAX_BLOB_BYTES = 32 << 20
"""The most plaintext that the format allows in a blob; a manifest that says more is not ours."""

MOST_WORKERS = 3
"""How many blobs are worked on at once, whatever is asked for: more would take the memory of a
process over 300 MiB when blobs don't compress, and one pg_dump does not feed more."""


def blob_name(
    data: bytes | memoryview, hash_key: bytes, compression: str, encryption: Encryption
) -> str:
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
    """Stores blobs in one store or several, unless they are there. Thread-safe."""

    shelves: Shelves
    compressor: Compressor
    encryptor: Encryptor
    hash_key: bytes
    encryption: Encryption

    def put(self, data: bytes | memoryview) -> StoredBlob:
        """Store `data`; when this returns it is durable in one store at least.

        It is stored unless the first store has it, which so needs no other one. What another
        store then lacks it gets by copying, so that blobs are the same everywhere, byte for byte.
        """
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        size = len(data)
        found = self.shelves.find(name)
        if stored := self._reuse(name, size, found):
            return stored
        packed = self.compressor.compress(data)
        # Each step lets go of its input: the copies are most of this program's memory.
        del data
        packed = self.encryptor.encrypt(packed)
        put = self.shelves.put(name, packed, found)
        _log.debug("stored blob %s: %d bytes, %d of plaintext", name, len(packed), size)
        return _stored(name, size, {**put, **_there(found)})

    def reuse(self, ref: BlobRef) -> StoredBlob | None:
        """Use a blob of an earlier backup again, unread; None if the first store lacks it."""
        return self._reuse(ref.name, ref.size_bytes, self.shelves.find(ref.name))

    def _reuse(self, name: str, size: int, found: Mapping[Shelf, int | None]) -> StoredBlob | None:
        there = _there(found)
        if next(iter(found)) not in there:
            return None
        self.shelves.keep(name, there)
        for shelf in found.keys() - there.keys():
            shelf.complete = False
        return _stored(name, size, there)


def _there(found: Mapping[Shelf, int | None]) -> dict[Shelf, tuple[int, bool]]:
    return {shelf: (stored, False) for shelf, stored in found.items() if stored}


def _stored(name: str, size: int, stored: Mapping[Shelf, tuple[int, bool]]) -> StoredBlob:
    """Return the blob as it is in the first store, and remember where its size is another."""
    stored_bytes, new = next(iter(stored.values()))
    for shelf, (other, _) in stored.items():
        if other != stored_bytes:
            shelf.sizes[name] = other
    return StoredBlob(BlobRef(name, size, stored_bytes), new)


@frozen
class Fallback:
    """A blob that was bad in one store, or out of reach, and good in another."""

    blob: str
    problem: BackupError
    store_url: str


@frozen
class BlobReader:
    """Reads the blobs of one backup back, and proves each. Thread-safe.

    What is bad in the first store is looked for in the others, in their order.
    """

    stores: tuple[Store, ...]
    compressor: Compressor
    encryptor: Encryptor
    hash_key: bytes
    encryption: Encryption
    resized: dict[str, int] = field(factory=dict, eq=False)
    """Good blobs whose stored size is not the recorded one, as far as the first store was read."""
    fallbacks: list[Fallback] = field(factory=list, eq=False)
    """The blobs that came from another store than the first."""
    _failures: dict[int, StoreError] = field(factory=dict, eq=False)
    """The last error of each store that was none of a blob."""

    def get(self, ref: BlobRef) -> bytes:
        """Return the plaintext.

        Raises:
            DamagedError: the blob is missing, or is not what was stored under that name.
            DecryptionError: the key is not here, or is another.
            StoreError: it could not be read, and no other store has it.
        """
        problems: list[BackupError] = []
        for number in self._order():
            try:
                data = self._get(number, ref)
            except StoreError as error:
                self._failures[number] = error
                problems.append(error)
            except (DamagedError, DecryptionError) as error:
                problems.append(error)
            else:
                if number:
                    why = problems[0] if problems else self._failures[0]
                    self.fallbacks.append(Fallback(ref.name, why, self.stores[number].url))
                return data
        # With another key it is of no use to bring a store back.
        raise next((e for e in problems if isinstance(e, DecryptionError)), problems[0])

    def ensure_read(self) -> None:
        """Raise the error because of which the first store could not be read, if there was one."""
        if 0 in self._failures:
            raise self._failures[0]

    def _order(self) -> list[int]:
        """Return which stores to ask: nobody waits again for one that was out of reach."""
        away = {n for n, e in self._failures.items() if isinstance(e, StoreUnavailable)}
        return sorted(range(len(self.stores)), key=lambda number: number in away)

    def _get(self, number: int, ref: BlobRef) -> bytes:
        store = self.stores[number]
        if ref.size_bytes > MAX_BLOB_BYTES:
            raise _damaged(store, ref, f"no blob is larger than {MAX_BLOB_BYTES} bytes")
        try:
            packed = store.get(blob_key(ref.name))
        except KeyNotFound:
            msg = f"blob {ref.name} is missing from {store.url}"
            raise DamagedError(msg, hint=_HINT) from None
        try:
            data = self.compressor.decompress(self.encryptor.decrypt(packed), ref.size_bytes)
        except DamagedError as error:
            raise _damaged(store, ref, error.message) from None
        except DecryptionError as error:
            if len(packed) != ref.stored_bytes:
                why = f"{len(packed)} bytes, not {ref.stored_bytes}"
                raise _damaged(store, ref, why) from None
            raise DecryptionError(f"blob {ref.name}: {error.message}", hint=error.hint) from None
        name = blob_name(data, self.hash_key, self.compressor.name, self.encryption)
        if not hmac.compare_digest(name, ref.name) or len(data) != ref.size_bytes:
            raise _damaged(store, ref, "its content does not match its name")
        if len(packed) != ref.stored_bytes and number == 0:
            self.resized[ref.name] = len(packed)
        return data


def _damaged(store: Store, ref: BlobRef, why: str) -> DamagedError:
    return DamagedError(f"blob {ref.name} in {store.url} is damaged: {why}", hint=_HINT)


_HINT = "Restore another backup; the next backup stores that blob again, if its data still exists"


def refilled(stream: Iterable[bytes], next_buffer: Callable[[], bytearray]) -> Iterator[memoryview]:
    """Cut a stream of pieces of any length into pieces as long as a buffer, in its memory.

    Each is valid until its buffer is given again. Fresh memory of this size would cost about as
    much as compressing does, page by page.
    """
    whole = memoryview(next_buffer())
    length = 0
    for piece in stream:
        view = memoryview(piece)
        while len(view) >= (room := len(whole) - length):
            whole[length:] = view[:room]
            yield whole
            whole, view, length = memoryview(next_buffer()), view[room:], 0
        whole[length : length + len(view)] = view
        length += len(view)
    if length:
        yield whole[:length]


def chunked(stream: Iterable[bytes], size: int, *, head: int = 0) -> Iterable[bytes]:
    """Cut a stream of pieces of any length into pieces of `size`; only the last may be shorter.

    With `head`, the first piece has that length instead.
    """
    pending: list[memoryview] = []
    length = 0
    room = head or size
    for piece in stream:
        view = memoryview(piece)
        while length + len(view) >= room:
            pending.append(view[: room - length])
            view = view[room - length :]
            room = size
            whole = b"".join(pending)
            pending.clear()
            length = 0
            yield whole
            del whole
        if view:
            pending.append(view)
            length += len(view)
    if pending:
        yield b"".join(pending)
