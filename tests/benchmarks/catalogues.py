"""Large repositories, made quickly, and work that is done in them."""

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from brownie_backup import Manifest
from brownie_backup.caches import open_cache
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import blob_key, manifest_key
from brownie_backup.model import BlobRef, Part
from brownie_backup.stores import LocalStore
from tests.benchmarks.measuring import CountingStore, Work
from tests.unit.fakes import NOON, FakeClock, make_manifest, make_repository, make_writer

BLOBS_EACH = 100
NEW_EACH = 10
"""How many of them the backup before did not have; and there are as many that no backup names."""
DAYS = timedelta(days=30)


def manifests(count: int) -> Iterator[Manifest]:
    """Yield manifests of a database that changes a bit each time."""
    names = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(count * BLOBS_EACH))
    window = [BlobRef(name, 16 << 20, 1) for name in islice(names, BLOBS_EACH - NEW_EACH)]
    for number in range(count):
        window += [BlobRef(name, 16 << 20, 1) for name in islice(names, NEW_EACH)]
        refs = tuple(window)
        parts = (
            Part("inventory", 1, refs[:1]),
            Part("globals", 1, refs[1:2]),
            Part("archive", (BLOBS_EACH - 2) << 24, refs[2:]),
        )
        name = f"shop-{number:06}"
        yield make_manifest(name, NOON + timedelta(minutes=number), parts=parts)
        del window[:NEW_EACH]


def rubbish(count: int) -> Iterator[str]:
    """Yield names of blobs that no manifest has."""
    for number in range(count * NEW_EACH):
        yield hashlib.sha256(b"rubbish %d" % number).hexdigest()


def fill(folder: Path, backups: int) -> None:
    """Make a repository in a folder: past the store, which would sync each of its files."""
    make_repository(LocalStore(folder)).identity()
    for number in range(256):
        (folder / "blobs" / f"{number:02x}").mkdir(parents=True)
    (folder / "manifests").mkdir()
    written: set[str] = set()
    for number, manifest in enumerate(manifests(backups)):
        at = (NOON + timedelta(minutes=number)).timestamp()
        _write(folder / manifest_key(manifest.name), manifest_to_bytes(manifest), at)
        names = {blob.name for blob in manifest.blobs}
        for name in names - written:
            _write(folder / blob_key(name), b"x", at)
        written = names
    for name in rubbish(backups):
        _write(folder / blob_key(name), b"x", NOON.timestamp())


def _write(path: Path, data: bytes, modified_at: float) -> None:
    path.write_bytes(data)
    os.utime(path, (modified_at, modified_at))


def listing(folder: Path, cache: Path) -> Work:
    """List the backups."""
    store = CountingStore(LocalStore(folder))
    repository = make_repository(
        store, clock=FakeClock(NOON + DAYS), cache=open_cache(cache, store.url)
    )

    def work() -> None:
        assert all(backup.good for backup in repository.backups())

    return store, work


def beginning(folder: Path, cache: Path) -> Work:
    """Do what every backup begins with."""
    store, _ = listing(folder, cache)
    repository = make_repository(store, cache=open_cache(cache, store.url))
    return store, partial(make_writer, repository)


def sweeping(folder: Path, cache: Path) -> Work:
    """Remove what no manifest names."""
    store = CountingStore(LocalStore(folder))
    repository = make_repository(
        store, clock=FakeClock(NOON + DAYS), cache=open_cache(cache, store.url)
    )

    def work() -> None:
        with repository.exclusive_lease("sweep") as lease:
            repository.sweep(lease)

    return store, work
