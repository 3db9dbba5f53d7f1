"""Reading the whole catalogue: several objects at once, from the cache where possible."""

import operator
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from attrs import evolve

from brownie_backup.concurrency.ordered_map import THREADS, thread_pool
from brownie_backup.errors import DamagedError, KeyNotFound, ObjectArchived, UnsupportedFormat
from brownie_backup.format.layout import (
    BLOB_LISTS,
    BLOBS,
    MANIFESTS,
    VERIFICATIONS,
    blob_in,
    blob_key,
    manifest_key,
    name_in,
    verification_key,
)
from brownie_backup.format.names import is_name
from brownie_backup.model import Backup, BlobRef, Manifest, Part, Verification
from brownie_backup.model.reports import CountProgress, OnCount
from brownie_backup.protocols import Availability, Store, StoredObject, get_object
from brownie_backup.repository.catalogue.cached import (
    CachedReader,
    RepositoryCache,
    settled_before,
    unpacked,
)
from brownie_backup.repository.catalogue.manifests import (
    judge,
    outline_from,
    unread,
    verification_from,
    with_blobs,
)
from brownie_backup.repository.catalogue.packed import (
    Unpacker,
    pack_blobs,
    pack_manifest,
    pack_verification,
    unpack_verification,
)
from brownie_backup.repository.catalogue.sizes import size_of

FEW = 2 * THREADS
"""Up to this many blobs are looked up one by one; for more, listing all of them is faster."""

_AT_ONCE = 100
"""How many manifests are looked up in the cache at once."""


def read_catalogue(
    store: Store, memory: RepositoryCache | None, now: datetime, on_progress: OnCount | None = None
) -> Iterator[Backup]:
    """Yield every backup, its health by its manifest and its last verification alone.

    Objects that are not cached are read from the store, several at once. Yielded backups are not
    kept in memory.

    Args:
        store: where they are.
        memory: the cache, if there is one.
        now: by our own clock.
        on_progress: called for each backup that is read.
    """
    verified = {name_in(f.key): f for f in store.list(VERIFICATIONS) if _is_ours(f.key)}
    listed = tuple(found for found in store.list(MANIFESTS) if _is_ours(found.key))
    settled = settled_before((*verified.values(), *listed), now)
    reader = _Reader(CachedReader(store, memory, settled), verified, now)
    for done, backup in enumerate(_each(reader, listed), 1):
        if on_progress:
            on_progress(CountProgress("list", done, len(listed)))
        if backup:
            yield backup
    if memory:
        there = (*verified.values(), *listed, *reader.lists())
        memory.keep_only(found.key for found in there)


def _each(reader: "_Reader", listed: Sequence[StoredObject]) -> Iterator[Backup | None]:
    """Yield the backups that are cached, then the others, which are read by several threads."""
    others = []
    for start in range(0, len(listed), _AT_ONCE):
        for found, backup in reader.recall(listed[start : start + _AT_ONCE]):
            if backup:
                yield backup
            else:
                others.append(found)
    if others:
        with thread_pool() as threads:
            yield from threads.each(reader.read, others)


def _is_ours(key: str) -> bool:
    """Whether it is an object of a backup, and not a foreign object beside these."""
    name = name_in(key)
    return key in {manifest_key(name), verification_key(name)} and is_name(name)


class _Reader:
    """Reads the objects that a listing found. Thread-safe."""

    def __init__(
        self, objects: CachedReader, verified: Mapping[str, StoredObject], now: datetime
    ) -> None:
        self._objects = objects
        self._verified = verified
        self._now = now
        self._unpacker = Unpacker()
        self._lists: dict[str, StoredObject] | None = None
        self._lock = threading.Lock()

    def recall(
        self, listed: Iterable[StoredObject]
    ) -> Iterator[tuple[StoredObject, Backup | None]]:
        """Yield the objects, each with its backup if all that belongs to it is cached."""
        readable = [found for found in listed if found.availability is not Availability.ARCHIVED]
        named = (name_in(found.key) for found in readable) if self._verified else ()
        verified = (self._verified[name] for name in named if name in self._verified)
        entries = self._objects.entries((*readable, *verified))
        for found in listed:
            yield found, self._recalled(found, entries)

    def _recalled(self, found: StoredObject, entries: Mapping[str, bytes]) -> Backup | None:
        manifest = unpacked(entries.get(found.key), self._unpacker.manifest)
        if manifest is None or any(part.blob_lists for part in manifest.parts):
            return None
        verification = None
        if verified := self._verified.get(manifest.name):
            verification = unpacked(entries.get(verified.key), unpack_verification)
            if verification is None:
                return None
        return self._judge(manifest, verification)

    def read(self, found: StoredObject) -> Backup | None:
        """Return the backup with that manifest, or None if it has been deleted since."""
        name = name_in(found.key)
        url = self._objects.store.url
        try:
            if found.availability is Availability.ARCHIVED:  # even if it is in the cache
                return unread(name, DamagedError(f"its manifest in {url} was archived"))
            outline = self._objects.recall(found, self._unpacker.manifest) or self._objects.read(
                found, lambda data: outline_from(data, name, url), pack_manifest
            )
            manifest = with_blobs(outline, self._get_list)
        except KeyNotFound:
            return None
        except (DamagedError, UnsupportedFormat, ObjectArchived) as error:
            return unread(name, error)
        return self._judge(manifest, self._verification(name))

    def lists(self) -> Iterable[StoredObject]:
        """Return the lists of blobs in the store, if they were requested."""
        return (self._lists or {}).values()

    def _judge(self, manifest: Manifest, verification: Verification | None) -> Backup:
        of_another = verification and verification.manifest_id != manifest.id
        return judge(manifest, None if of_another else verification, self._now)

    def _verification(self, name: str) -> Verification | None:
        """Return the last verification of a backup of that name."""
        found = self._verified.get(name)
        if found is None:
            return None
        if known := self._objects.recall(found, unpack_verification):
            return known
        try:
            return self._objects.read(
                found, lambda data: verification_from(data, found.key), pack_verification
            )
        except (KeyNotFound, DamagedError, ObjectArchived):
            return None

    def _get_list(self, key: str, read: Callable[[bytes], list[BlobRef]]) -> list[BlobRef]:
        if self._objects.memory is None:
            return read(get_object(self._objects.store, key))
        with self._lock:
            if self._lists is None:
                # Listed too, so that a lost list is noticed although it is in the cache.
                self._lists = {found.key: found for found in self._objects.store.list(BLOB_LISTS)}
        found = self._lists.get(key)
        if found is None:
            return read(get_object(self._objects.store, key))
        known = self._objects.recall(found, self._unpacker.blobs)
        return self._objects.read(found, read, pack_blobs) if known is None else known


def sharing(backups: Iterable[Backup]) -> Iterator[Backup]:
    """Yield the backups, sharing one object for each blob: they have most blobs in common."""
    shared: dict[str, BlobRef] = {}

    def share(blob: BlobRef) -> BlobRef:
        first = shared.setdefault(blob.name, blob)
        return first if first is blob or first == blob else blob

    for backup in backups:
        manifest = backup.manifest
        if manifest is None:
            yield backup
            continue
        parts = tuple(_shared(part, tuple(map(share, part.blobs))) for part in manifest.parts)
        if all(map(operator.is_, parts, manifest.parts)):
            yield backup
        else:
            yield evolve(backup, manifest=evolve(manifest, parts=parts))


def _shared(part: Part, blobs: tuple[BlobRef, ...]) -> Part:
    same = all(map(operator.is_, blobs, part.blobs))
    return part if same else evolve(part, blobs=blobs)


def sizes_of(store: Store, backups: Sequence[Backup]) -> Mapping[str, int | None]:
    """Return the sizes that the backups' blobs have in the store; None for one that is missing."""
    manifests = (backup.manifest for backup in backups if backup.manifest)
    # The names are those of the references, not second copies of them.
    sizes: dict[str, int | None] = dict.fromkeys(b.name for m in manifests for b in m.blobs)
    for found in _blobs(store, sizes):
        name = blob_in(found.key)
        if name in sizes:
            sizes[name] = size_of(found)
    return sizes


def _blobs(store: Store, names: Collection[str]) -> Iterator[StoredObject]:
    """Yield the blobs of these names, one by one if they are few, and possibly others."""
    if len(names) > FEW or not all(name.isalnum() for name in names):  # an invalid name is no key
        yield from store.list(BLOBS)
        return
    with thread_pool() as threads:
        for found in threads.each(lambda name: tuple(store.list(blob_key(name))), names):
            yield from found
