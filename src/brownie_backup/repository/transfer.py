"""Transfer: a backup's blobs and manifest from stores that have them to one that lacks them.

Bytes go as they are stored. Nothing is decrypted, so no key is needed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from brownie_backup.errors import (
    BackupExists,
    DamagedError,
    KeyExists,
    KeyNotFound,
    StoreError,
)
from brownie_backup.model import BlobRef, Manifest
from brownie_backup.protocols import Store
from brownie_backup.repository.blobs import MOST_WORKERS
from brownie_backup.repository.layout import blob_key, blob_list_key, manifest_key
from brownie_backup.repository.shelves import Shelf


@frozen
class Transferred:
    """What was copied."""

    blobs: int = 0
    size_bytes: int = 0


def transfer_blobs(
    target: Store,
    sources: Sequence[Shelf],
    refs: Iterable[BlobRef],
    sizes: Mapping[str, int],
    *,
    resized: Mapping[str, int] | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Transferred:
    """Copy the blobs that the target does not have in full length, a few at once.

    Args:
        target: where to.
        sources: where from; the first that has a blob in full length, and is not known to be
            damaged, is used.
        refs: what is wanted.
        sizes: the blobs that are in the target, with their sizes.
        resized: other sizes with which blobs are whole, by a verification.
        on_bytes: called with the size of each blob that was copied.

    Raises:
        DamagedError: no source has a blob that is wanted.
        StoreError: the target did not take one, or no source could be read.
    """
    also = resized or {}
    wanted = {
        ref.name: ref
        for ref in refs
        if sizes.get(ref.name) not in {ref.stored_bytes, also.get(ref.name)} - {None}
    }

    def copy(ref: BlobRef) -> None:
        data = _read(sources, ref, {ref.stored_bytes, also.get(ref.name)})
        try:
            target.put(blob_key(ref.name), data, if_absent=ref.name not in sizes)
        except KeyExists:  # a backup has stored it meanwhile
            return
        on_bytes(len(data))

    pool = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="copy")
    try:
        for _ in pool.map(copy, wanted.values()):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return Transferred(len(wanted), sum(ref.stored_bytes for ref in wanted.values()))


def transfer_manifest(target: Store, source: Store, manifest: Manifest) -> None:
    """Make a backup exist in the target, whose blobs are there, as it does in the source.

    Raises:
        BackupExists: the target has another backup of that name.
    """
    for part in manifest.parts:
        for name in part.blob_lists:
            key = blob_list_key(name)
            target.put(key, source.get(key))
    key = manifest_key(manifest.name)
    data = source.get(key)
    try:
        target.put(key, data, if_absent=True)
    except KeyExists:
        if target.get(key) != data:
            msg = f"{target.url} has another backup named '{manifest.name}'"
            raise BackupExists(msg, hint="Delete one of the two, or keep both apart") from None


def _read(sources: Sequence[Shelf], ref: BlobRef, sizes: Collection[int | None]) -> bytes:
    problem: StoreError | None = None
    for source in sources:
        if ref.name in source.distrusted:
            continue
        try:
            data = source.store.get(blob_key(ref.name))
        except KeyNotFound:
            continue
        except StoreError as error:
            problem = problem or error
            continue
        if len(data) in sizes:
            return data
    if problem:
        raise problem
    msg = f"blob {ref.name} is whole in none of {', '.join(source.store.url for source in sources)}"
    raise DamagedError(msg, hint="The next backup stores it again, if its data still exists")
