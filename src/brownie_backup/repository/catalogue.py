"""The catalogue: manifests, the lists of blobs that are too long for them, and verifications."""

import json
from collections.abc import Iterator, Mapping

from attrs import evolve

from brownie_backup.errors import (
    BackupExists,
    DamagedError,
    KeyExists,
    KeyNotFound,
    UnsupportedFormat,
)
from brownie_backup.model import Backup, BlobRef, Manifest, Part, Status, Verification
from brownie_backup.protocols import Store
from brownie_backup.repository.blobs import blob_name
from brownie_backup.repository.layout import (
    MANIFESTS,
    VERIFICATIONS,
    blob_list_key,
    manifest_key,
    name_in,
    verification_key,
)
from brownie_backup.wire import from_json, manifest_from_bytes, manifest_to_bytes, to_json

INLINE_BLOBS = 10_000
"""A part with more blobs than this keeps their list in objects of their own, of this many each:
about 1 MiB of JSON, and 160 GiB of plaintext."""


def add_manifest(store: Store, manifest: Manifest) -> None:
    """Make a backup exist, by a create-if-absent write, and read it back."""
    key = manifest_key(manifest.name)
    data = manifest_to_bytes(evolve(manifest, parts=tuple(_outline(store, manifest))))
    try:
        store.put(key, data, if_absent=True)
    except KeyExists:
        # A retry after a lost answer finds its own manifest there.
        if store.get(key) != data:
            msg = f"a backup named '{manifest.name}' exists in {store.url}"
            raise BackupExists(msg, hint="Choose another name, or leave it out") from None
    if store.get(key) != data:
        msg = f"{store.url} does not give back the manifest that it took"
        raise DamagedError(msg, hint="Do not trust that store: run 'brownie-backup doctor'")


def read_manifest(store: Store, name: str) -> Manifest:
    """Return the manifest of that name with all its blobs; `KeyNotFound` if there is none."""
    data = store.get(manifest_key(name))
    what = f"the manifest of '{name}' in {store.url}"
    manifest = manifest_from_bytes(data, what)
    if manifest.name != name:
        msg = f"{what} is another backup's ('{manifest.name}')"
        raise DamagedError(msg, hint="Somebody renamed or copied the file: name it back")
    return evolve(manifest, parts=tuple(_inline(store, part, manifest) for part in manifest.parts))


def read_catalogue(store: Store) -> Iterator[Backup]:
    """Yield every backup, its health by its manifest and its last verification alone."""
    verified = {name_in(found.key) for found in store.list(VERIFICATIONS)}
    shared: dict[BlobRef, BlobRef] = {}
    for found in store.list(MANIFESTS):
        name = name_in(found.key)
        try:
            manifest = read_manifest(store, name)
        except KeyNotFound:  # deleted since it was listed
            continue
        except (DamagedError, UnsupportedFormat) as error:
            yield Backup(name, Status.DAMAGED, None, str(error))
            continue
        # Backups have most of their blobs in common: one object for each is enough.
        parts = (
            evolve(part, blobs=tuple(shared.setdefault(blob, blob) for blob in part.blobs))
            for part in manifest.parts
        )
        manifest = evolve(manifest, parts=tuple(parts))
        verification = read_verification(store, manifest) if name in verified else None
        problem = ""
        if verification and not verification.good:
            problem = f"the verification of {verification.verified_at:%Y-%m-%d %H:%M} UTC failed"
        status = Status.DAMAGED if problem else Status.GOOD
        yield Backup(name, status, manifest, problem, verification)


def check_blobs(backup: Backup, sizes: Mapping[str, int]) -> Backup:
    """Return the backup, its health by the sizes of the blobs that are in the store too."""
    bad = list(mismatched(backup, sizes))
    if not bad:
        return backup
    missing = sum(blob.name not in sizes for blob in bad)
    problem = f"{missing} blobs are missing, {len(bad) - missing} have another size"
    return evolve(backup, status=Status.DAMAGED, problem=problem)


def mismatched(backup: Backup, sizes: Mapping[str, int]) -> Iterator[BlobRef]:
    """Yield the blobs that are not in the store in their full length."""
    resized = backup.verification.resized if backup.verification else {}
    for blob in backup.manifest.blobs if backup.manifest else ():
        if sizes.get(blob.name) not in {blob.stored_bytes, resized.get(blob.name)} - {None}:
            yield blob


def read_verification(store: Store, manifest: Manifest) -> Verification | None:
    """Return the outcome of the last verification of exactly this backup."""
    key = verification_key(manifest.name)
    try:
        verification = from_json(store.get(key), Verification, key)
    except (KeyNotFound, DamagedError):
        return None
    return verification if verification.manifest_id == manifest.id else None


def add_verification(store: Store, verification: Verification) -> None:
    """Record the outcome, in place of an earlier one."""
    store.put(verification_key(verification.backup), to_json(verification))


def _outline(store: Store, manifest: Manifest) -> Iterator[Part]:
    """Move long lists of blobs out of the manifest."""
    for part in manifest.parts:
        if len(part.blobs) <= INLINE_BLOBS:
            yield part
            continue
        names = []
        for start in range(0, len(part.blobs), INLINE_BLOBS):
            rows = [
                [b.name, b.size_bytes, b.stored_bytes] for b in part.blobs[start:][:INLINE_BLOBS]
            ]
            data = json.dumps(rows, separators=(",", ":")).encode()
            name = _list_name(data, manifest)
            store.put(blob_list_key(name), data)
            names.append(name)
        yield evolve(part, blobs=(), blob_lists=tuple(names))


def _inline(store: Store, part: Part, manifest: Manifest) -> Part:
    blobs = list(part.blobs)
    for name in part.blob_lists:
        try:
            data = store.get(blob_list_key(name))
        except KeyNotFound:
            data = b""
        if _list_name(data, manifest) != name:
            msg = f"the list of blobs {name} of '{manifest.name}' is missing or changed"
            raise DamagedError(msg, hint="Take it from another copy of the store")
        blobs += [BlobRef(*row) for row in json.loads(data)]
    return evolve(part, blobs=tuple(blobs))


def _list_name(data: bytes, manifest: Manifest) -> str:
    return blob_name(data, bytes.fromhex(manifest.hash_key), "list", manifest.encryption)
