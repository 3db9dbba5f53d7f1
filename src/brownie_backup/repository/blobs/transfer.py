"""Transfer: copy a backup's blobs from stores that have them to one that lacks them.

Blobs are copied as they are stored. Nothing is decrypted, so no key is needed; their checksums are
compared.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from brownie_backup.concurrency.threads import Threads
from brownie_backup.errors import (
    DamagedError,
    KeyNotFound,
    ObjectArchived,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.checksums import Integrity
from brownie_backup.format.layout import blob_key
from brownie_backup.format.limits import most_stored_bytes
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef, Manifest
from brownie_backup.repository.blobs.index import BlobIndex
from brownie_backup.repository.blobs.sizes import MOST_WORKERS

if TYPE_CHECKING:
    from concurrent.futures import Future


@frozen
class Transferred:
    """The copied blobs, and the reason for missing ones."""

    blobs: int = 0
    size_bytes: int = 0
    problem: DamagedError | None = None
    """The error of the first blob that no source has whole, or that could be read from none."""
    damaged: tuple[tuple[str, str], ...] = ()
    """Blobs that were found damaged in a source: the store's URL, and the name."""


Examine = Callable[[BlobRef, bytes], Integrity]
"""Says what the stored bytes of a blob show without a key."""


def transfer_blobs(
    target: BlobIndex,
    sources: Sequence[BlobIndex],
    refs: Iterable[BlobRef],
    *,
    examine: Examine = lambda *_: Integrity.UNKNOWN,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Transferred:
    """Copy the blobs that the target lacks, a few at once; lock those it has for longer.

    Args:
        target: the store to copy to; it knows which whole blobs it has, and afterwards the size of
            each.
        sources: the stores to copy from; the first that has a blob whole is used.
        refs: the wanted blobs.
        examine: checks the bytes that were read, so that no damage is copied; by default only their
            size is compared.
        on_bytes: called with the size of each blob that was copied.

    Raises:
        StoreError: the target did not take one.
    """
    read = _Reading(sources, examine)

    def transfer(ref: BlobRef) -> int:
        """Return the number of copied bytes."""
        if target.whole(ref.name) is not None:
            target.keep(ref.name)
            return 0
        replace = ref.name in target.suspect_blobs
        data = read.get(ref, unlike=_get(target, ref) if replace else None)
        _, ours = target.put(ref.name, data, replace=replace)
        return len(data) if ours else 0

    done = Transferred()
    for size in _several_at_once(transfer, {ref.name: ref for ref in refs}.values()):
        if isinstance(size, DamagedError):
            done = evolve(done, problem=done.problem or size)
        elif size:
            done = evolve(done, blobs=done.blobs + 1, size_bytes=done.size_bytes + size)
            on_bytes(size)
    return evolve(done, damaged=tuple(sorted(read.damaged)))


def _several_at_once(
    transfer: Callable[[BlobRef], int], refs: Iterable[BlobRef]
) -> Iterator[int | DamagedError]:
    """Yield the outcome of each blob.

    An error that is not damage is raised, and ends the transfer.
    """

    def attempt(ref: BlobRef) -> int | DamagedError:
        try:
            return transfer(ref)
        except DamagedError as error:
            return error

    waiting: deque[Future[int | DamagedError]] = deque()
    pool = Threads(MOST_WORKERS, thread_name_prefix="copy")
    try:
        for ref in refs:
            waiting.append(pool.submit(attempt, ref))
            if len(waiting) > MOST_WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _get(blobs: BlobIndex, ref: BlobRef) -> bytes | None:
    try:
        return blobs.store.get(blob_key(ref.name), most_stored_bytes(ref))
    except (KeyNotFound, DamagedError, ObjectArchived):
        return None


class _Reading:
    """Reads blobs, each from the first store that has it whole. Thread-safe."""

    def __init__(self, sources: Sequence[BlobIndex], examine: Examine) -> None:
        self.damaged: set[tuple[str, str]] = set()
        self._sources = sources
        self._examine = examine
        self._away: set[BlobIndex] = set()

    def get(self, ref: BlobRef, *, unlike: bytes | None) -> bytes:
        """Return a blob as it is stored, skipping stores where it is known to be bad."""
        problem = ""
        for source in self._sources:
            if ref.name in source.suspect_blobs or source in self._away:
                continue
            try:
                data = source.store.get(blob_key(ref.name), most_stored_bytes(ref))
            except KeyNotFound:
                continue
            except (DamagedError, StoreError) as error:
                problem = problem or f" ({error.message})"
                if isinstance(error, StoreUnavailable):  # do not wait for it again
                    self._away.add(source)
                continue
            if data != unlike and self._is_whole(source, ref, data):
                return data
        urls = ", ".join(source.store.url for source in self._sources) or "no store"
        msg = f"blob {ref.name} could not be read in full from {urls}{problem}"
        raise DamagedError(msg, hint=BackupHint.NEXT_BACKUP_STORES_AGAIN)

    def _is_whole(self, source: BlobIndex, ref: BlobRef, data: bytes) -> bool:
        """Whether these bytes may be copied; if they are damaged, the source is not asked again."""
        match self._examine(ref, data):
            case Integrity.INTACT:
                return True
            case Integrity.UNKNOWN:
                return len(data) == source.sizes.get(ref.name, ref.stored_bytes)
            case Integrity.DAMAGED:
                source.suspect_blobs.add(ref.name)
                self.damaged.add((source.store.url, ref.name))
        return False


def for_store(manifest: Manifest, sizes: Mapping[str, int]) -> Manifest:
    """Return a manifest for another store, with the sizes of the blobs in that store.

    Encryption may give another length each time, and stores may have got a blob separately: each
    store's manifests record the blobs of that store.
    """

    def there(ref: BlobRef) -> BlobRef:
        size = sizes.get(ref.name, ref.stored_bytes)
        return ref if size == ref.stored_bytes else evolve(ref, stored_bytes=size)

    # The code that adds it makes the lists of blobs anew.
    parts = (
        evolve(part, blobs=tuple(map(there, part.blobs)), blob_lists=()) for part in manifest.parts
    )
    return evolve(manifest, parts=tuple(parts))
