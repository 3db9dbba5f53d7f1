"""Transfer: a backup's blobs from stores that have them to one that lacks them.

Bytes go as they are stored. Nothing is decrypted, so no key is needed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import evolve, frozen

from brownie_backup.errors import DamagedError, KeyNotFound, StoreError, StoreUnavailable
from brownie_backup.model import BlobRef, Manifest
from brownie_backup.repository.blobs import MOST_WORKERS
from brownie_backup.repository.layout import blob_key
from brownie_backup.repository.shelves import Shelf


@frozen
class Transferred:
    """What was copied."""

    blobs: int = 0
    size_bytes: int = 0


def transfer_blobs(
    target: Shelf,
    sources: Sequence[Shelf],
    refs: Iterable[BlobRef],
    *,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Transferred:
    """Copy the blobs that the target lacks, a few at once; lock those it has for longer.

    Args:
        target: where to; its `sizes` say which whole blobs it has, and afterwards that of each.
        sources: where from; the first that has a blob whole is used.
        refs: what is wanted.
        on_bytes: called with the size of each blob that was copied.

    Raises:
        DamagedError: no source has a blob that is wanted, or could be read.
        StoreError: the target did not take one.
    """
    read = _Reading(sources)
    copied: list[int] = []

    def transfer(ref: BlobRef) -> None:
        if ref.name in target.sizes:
            target.keep(ref.name)
            return
        data = read.get(ref)
        replace = ref.name in target.distrusted
        target.sizes[ref.name], ours = target.put(ref.name, data, replace=replace)
        if ours:
            copied.append(len(data))
            on_bytes(len(data))

    unique = {ref.name: ref for ref in refs}
    waiting: deque[Future[None]] = deque()
    pool = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="copy")
    try:
        for ref in unique.values():
            waiting.append(pool.submit(transfer, ref))
            if len(waiting) > MOST_WORKERS:
                waiting.popleft().result()
        while waiting:
            waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
    return Transferred(len(copied), sum(copied))


class _Reading:
    """Reads blobs, each from the first store that has it whole. Thread-safe."""

    def __init__(self, sources: Sequence[Shelf]) -> None:
        self._sources = sources
        self._away: set[Shelf] = set()

    def get(self, ref: BlobRef) -> bytes:
        """Return a blob as it is stored."""
        problem = ""
        for source in self._sources:
            if ref.name in source.distrusted or source in self._away:
                continue
            try:
                data = source.store.get(blob_key(ref.name))
            except KeyNotFound:
                continue
            except StoreError as error:
                problem = problem or f" ({error.message})"
                if isinstance(error, StoreUnavailable):  # nobody waits for it again
                    self._away.add(source)
                continue
            if len(data) == source.sizes.get(ref.name, ref.stored_bytes):
                return data
        urls = ", ".join(source.store.url for source in self._sources) or "no store"
        msg = f"blob {ref.name} could not be read whole from {urls}{problem}"
        raise DamagedError(msg, hint="The next backup stores it again, if its data still exists")


def for_store(manifest: Manifest, sizes: Mapping[str, int]) -> Manifest:
    """Return a manifest as it is to be added to a store, by the sizes of the blobs there.

    What encrypts may give another length each time, and stores may have got a blob one by one:
    each store's manifests say what is in that store.
    """

    def there(ref: BlobRef) -> BlobRef:
        size = sizes.get(ref.name, ref.stored_bytes)
        return ref if size == ref.stored_bytes else evolve(ref, stored_bytes=size)

    # Whoever adds it makes the lists of blobs anew.
    parts = (
        evolve(part, blobs=tuple(map(there, part.blobs)), blob_lists=()) for part in manifest.parts
    )
    return evolve(manifest, parts=tuple(parts))
