"""The catalogue: manifests, the lists of blobs that are too long for them, and verifications."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve

from brownie_backup.errors import (
    BackupError,
    BackupExists,
    DamagedError,
    KeyExists,
    KeyNotFound,
    ObjectArchived,
    UnsupportedFormat,
)
from brownie_backup.format.blobs import blob_name
from brownie_backup.format.converter import (
    from_json,
    manifest_from_bytes,
    manifest_to_bytes,
    to_json,
)
from brownie_backup.format.layout import blob_list_key, manifest_key, verification_key
from brownie_backup.format.values import name_of_blob
from brownie_backup.format.values import number as number_from
from brownie_backup.hints import BackupHint
from brownie_backup.model import (
    Backup,
    BlobRef,
    BlockRange,
    Manifest,
    Part,
    RowRange,
    Status,
    Verification,
    is_ahead,
)
from brownie_backup.protocols import ObjectUse, Store, get_object
from brownie_backup.repository.catalogue.sizes import ARCHIVED
from brownie_backup.wording import counted, written

INLINE_BLOBS = 10_000
"""A part with more blobs than this keeps their list in objects of their own, of this many each:
about 1 MiB of JSON, and 160 GiB of plaintext."""

_MOST_INLINE = 10
"""All parts together keep this many times as many: a manifest must not become too large to read."""

_COMMON_COLUMNS = 3
"""This many columns of a list of blobs mean the same in backups of all kinds."""

_Blobs = list[BlobRef]
GetList = Callable[[str, Callable[[bytes], _Blobs]], _Blobs]
"""Gets a list of blobs by its key, and returns the reader's result; or raises `KeyNotFound`."""


def add_lists(store: Store, manifest: Manifest, *, inline: int = INLINE_BLOBS) -> Manifest:
    """Store the lists of more than `inline` blobs; return the manifest without them."""
    return evolve(manifest, parts=tuple(_outline(store, manifest, inline)))


def copy_lists(store: Store, manifest: Manifest, source: Store) -> bytes:
    """Copy the lists of blobs from another store, as they are; return the manifest's own bytes."""
    for name in (name for part in manifest.parts for name in part.blob_lists):
        key = blob_list_key(name)
        data = get_object(source, key)
        if _list_name(data, manifest) != name:
            raise _lost_list(name, manifest)
        store.put(key, data, use=ObjectUse.BACKUP)
    data = get_object(source, manifest_key(manifest.name))
    if outline_from(data, manifest.name, source.url).id != manifest.id:
        msg = f"'{manifest.name}' in {source.url} has just become another backup"
        raise DamagedError(msg, hint=BackupHint.TRY_AGAIN)
    return data


def add_manifest(store: Store, manifest: Manifest, *, inline: int = INLINE_BLOBS) -> None:
    """Make a backup exist, by a create-if-absent write, and read it back."""
    add_as_is(store, manifest.name, manifest_to_bytes(add_lists(store, manifest, inline=inline)))


def add_as_is(store: Store, name: str, data: bytes) -> None:
    """Make a backup exist by the bytes of its manifest, and read them back."""
    key = manifest_key(name)
    try:
        store.put(key, data, if_absent=True, use=ObjectUse.BACKUP)
    except KeyExists:
        # A retry after a lost response finds its own manifest there.
        if get_object(store, key) != data:
            msg = f"a backup named '{name}' exists in {store.url}"
            raise BackupExists(msg, hint=BackupHint.OMIT_NAME) from None
    if get_object(store, key) != data:
        msg = f"{store.url} does not return the manifest that was stored"
        raise DamagedError(msg, hint=BackupHint.DO_NOT_TRUST_STORE)


def read_manifest(store: Store, name: str) -> Manifest:
    """Return the manifest of that name with all its blobs; `KeyNotFound` if there is none.

    It comes from the store itself, never from a cache.
    """
    outline = outline_from(get_object(store, manifest_key(name)), name, store.url)

    def get_list(key: str, read: Callable[[bytes], _Blobs]) -> _Blobs:
        return read(get_object(store, key))

    return with_blobs(outline, get_list)


def outline_from(data: bytes, name: str, url: str) -> Manifest:
    """Return a manifest as it is stored: without the blobs that are in lists of their own."""
    what = f"the manifest of '{name}' in {url}"
    manifest = manifest_from_bytes(data, what)
    if manifest.name != name:
        msg = f"{what} is another backup's ('{manifest.name}')"
        raise DamagedError(msg, hint=BackupHint.GIVE_FORMER_NAME)
    return manifest


def with_blobs(outline: Manifest, get_list: GetList) -> Manifest:
    """Return the manifest with the blobs that are in lists of their own."""
    if not any(part.blob_lists for part in outline.parts):
        return outline
    return evolve(outline, parts=tuple(_inline(part, outline, get_list) for part in outline.parts))


def judge(manifest: Manifest, verification: Verification | None, now: datetime) -> Backup:
    """Return the backup, its health by its last verification."""
    ahead = is_ahead(manifest.finished_at, now)
    problem = "its time lies in the future, so it does not count as the newest" if ahead else ""
    if verification and not verification.good:
        problem = f"the verification of {written(verification.verified_at)} failed"
    bad = verification is not None and not verification.good
    status = Status.DAMAGED if bad else Status.GOOD
    return Backup(manifest.name, status, manifest, problem, verification, ahead=ahead)


def unread(name: str, error: BackupError) -> Backup:
    """Return a backup whose manifest cannot be read: it is damaged, or from a newer version."""
    newer = isinstance(error, UnsupportedFormat)
    return Backup(name, Status.UNSUPPORTED if newer else Status.DAMAGED, None, str(error))


def check_blobs(backup: Backup, sizes: Mapping[str, int | None]) -> Backup:
    """Return the backup, its health also judged by the sizes of the blobs in the store."""
    bad = list(mismatched(backup, sizes))
    if not bad:
        return backup
    missing = sum(sizes.get(blob.name) is None for blob in bad)
    archived = sum(sizes.get(blob.name) == ARCHIVED for blob in bad)
    found = {
        "missing": missing,
        "moved to an archive class": archived,
        "of another size": len(bad) - missing - archived,
    }
    problem = ", ".join(f"{counted(n, 'blob')} {what}" for what, n in found.items() if n)
    return evolve(backup, status=Status.DAMAGED, problem=problem)


def mismatched(backup: Backup, sizes: Mapping[str, int | None]) -> Iterator[BlobRef]:
    """Yield the blobs that are not in the store in their full length."""
    resized = backup.verification.resized if backup.verification else {}
    for blob in backup.manifest.blobs if backup.manifest else ():
        size = sizes.get(blob.name)
        if size is None or (size != blob.stored_bytes and size != resized.get(blob.name)):
            yield blob


def read_verification(store: Store, manifest: Manifest) -> Verification | None:
    """Return the outcome of the last verification of exactly this backup."""
    key = verification_key(manifest.name)
    try:
        verification = verification_from(get_object(store, key), key)
    except (KeyNotFound, DamagedError, ObjectArchived):
        return None
    return verification if verification.manifest_id == manifest.id else None


def verification_from(data: bytes, key: str) -> Verification:
    """Return the outcome that was recorded under a key."""
    return from_json(data, Verification, key)


def add_verification(store: Store, verification: Verification) -> None:
    """Record the outcome, replacing an earlier one."""
    store.put(verification_key(verification.backup), to_json(verification))


def _outline(store: Store, manifest: Manifest, inline: int) -> Iterator[Part]:
    """Move long lists of blobs out of the manifest."""
    short = _short(manifest, inline)
    for number, part in enumerate(manifest.parts):
        if number in short:
            yield part
            continue
        names = []
        for start in range(0, len(part.blobs), inline):
            rows = [_row(blob) for blob in part.blobs[start:][:inline]]
            data = json.dumps(rows, separators=(",", ":")).encode()
            name = _list_name(data, manifest)
            store.put(blob_list_key(name), data, use=ObjectUse.BACKUP)
            names.append(name)
        yield evolve(part, blobs=(), blob_lists=tuple(names))


def _short(manifest: Manifest, inline: int) -> set[int]:
    """Return the numbers of the parts that keep their blobs: as many as fit into a manifest."""
    short, total = set(), 0
    for number in sorted(range(len(manifest.parts)), key=lambda n: len(manifest.parts[n].blobs)):
        blobs = len(manifest.parts[number].blobs)
        total += blobs
        if blobs <= inline and total <= _MOST_INLINE * inline:
            short.add(number)
    return short


def _inline(part: Part, outline: Manifest, get_list: GetList) -> Part:
    blobs = list(part.blobs)
    for name in part.blob_lists:

        def read(data: bytes, name: str = name) -> _Blobs:
            if _list_name(data, outline) != name:
                raise _lost_list(name, outline)
            try:
                rows = json.loads(data)
                return [_blob(row if outline.known else row[:_COMMON_COLUMNS]) for row in rows]
            except (ValueError, TypeError, LookupError, RecursionError):
                raise _lost_list(name, outline) from None

        try:
            blobs += get_list(blob_list_key(name_of_blob(name)), read)
        except (KeyNotFound, ValueError):
            raise _lost_list(name, outline) from None
    return evolve(part, blobs=tuple(blobs))


def _row(blob: BlobRef) -> list[str | int]:
    row: list[str | int] = [blob.name, blob.size_bytes, blob.stored_bytes]
    if blob.begins:
        row += [blob.begins.blocks.first, blob.begins.blocks.end, blob.begins.rows]
    return row


def _blob(row: list[Any]) -> BlobRef:
    name = name_of_blob(row[0])
    size_bytes, stored_bytes, *begins = map(number_from, row[1:])
    if not begins:
        return BlobRef(name, size_bytes, stored_bytes)
    first, end, rows = begins
    return BlobRef(name, size_bytes, stored_bytes, RowRange(BlockRange(first, end), rows))


def _lost_list(name: str, outline: Manifest) -> DamagedError:
    msg = f"the list of blobs {name[:64]} of '{outline.name}' is missing or changed"
    return DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)


def _list_name(data: bytes, manifest: Manifest) -> str:
    return blob_name(data, bytes.fromhex(manifest.hash_key), "list", manifest.encryption)
