"""The base of a backup: an earlier one, whose unchanged ranges need not be read again."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import frozen

from brownie_backup.model import Backup, BlobRef, DatabaseId, Encryption, Manifest, PartSpec
from brownie_backup.pipeline.ranges import StoredPart, ranges_of
from brownie_backup.pipeline.writer import BlobWriter
from brownie_backup.protocols import Unchanged
from brownie_backup.repository.catalogue.listing import FEW
from brownie_backup.version import TOOL_VERSION

FULL_EVERY = timedelta(days=7)
"""How long the WAL's word is taken, before every block is read again."""


@frozen
class Parent:
    """An earlier backup, and which of its ranges are as they were."""

    manifest: Manifest
    unchanged: Unchanged
    _ranges: Mapping[tuple[int, int], tuple[int, tuple[BlobRef, ...]]]

    def find(self, spec: PartSpec) -> tuple[int, tuple[BlobRef, ...]] | None:
        """Return rows and blobs of a range that has not changed; None if it may have."""
        if spec.table is None or spec.blocks is None:
            return None
        return self._ranges.get((spec.table.oid, spec.blocks.first))

    @property
    def blobs(self) -> int:
        """How many blobs the unchanged ranges have."""
        return sum(len(refs) for _, refs in self._ranges.values())


class ParentFinder:
    """Of the backups in a store, those that could be the base of a run: the newest of each kin."""

    def __init__(self) -> None:
        self._newest: dict[_ParentKey, Manifest] = {}

    def add(self, backup: Backup) -> None:
        """Look at one backup more."""
        manifest = backup.manifest
        if manifest is None or not backup.good:
            return
        kin = _ParentKey(
            manifest.database.id,
            manifest.kind,
            manifest.tool_version,
            manifest.compression,
            manifest.encryption,
            manifest.hash_key,
        )
        known = self._newest.get(kin)
        if known is None or known.finished_at < manifest.finished_at:
            self._newest[kin] = manifest

    def find(self, writer: BlobWriter, database: DatabaseId, kind: str) -> Manifest | None:
        """Return the newest good backup of a database whose blobs this run would name alike.

        It must be of this version: another one may write rows otherwise, or have had a fault.
        """
        compression, key = writer.compressor.name, writer.hash_key.hex()
        kin = _ParentKey(database, kind, TOOL_VERSION, compression, writer.encryption, key)
        return self._newest.get(kin)


@frozen
class _ParentKey:
    """What two backups share if they name the same rows' blobs alike."""

    database: DatabaseId
    kind: str
    tool_version: str
    compression: str
    encryption: Encryption
    hash_key: str


def full_read_due(parent: Manifest | None, now: datetime, every: timedelta | None) -> bool:
    """Whether it is time to read every block again."""
    return parent is not None and every is not None and now - read_fully_at(parent) >= every


def read_fully_at(parent: Manifest) -> datetime:
    """Return when every block that a backup has was read at last."""
    return parent.read_fully_at or parent.started_at


def make_parent(manifest: Manifest, unchanged: Unchanged) -> Parent:
    """Return a base, by what is known to be unchanged since."""
    ranges = {
        (part.table.oid, begins.blocks.first): (begins.rows, refs)
        for part in manifest.parts
        if part.table
        for begins, refs in ranges_of(part)
        if begins.blocks.first in unchanged.ranges.get(part.table.oid, ())
    }
    return Parent(manifest, unchanged, ranges)


def reuse(parent: Parent, writer: BlobWriter, spec: PartSpec) -> StoredPart | None:
    """Use a range of the base again, unread; None if it changed, or a blob of it is gone."""
    found = parent.find(spec)
    if found is None:
        return None
    rows, refs = found
    blobs = []
    for ref in refs:
        stored = writer.reuse(ref)
        if stored is None:
            return None
        blobs.append(stored)
    return StoredPart(tuple(blobs), rows)


def prepare(parent: Parent, writer: BlobWriter) -> None:
    """Look for many blobs at once, if there are many."""
    if parent.blobs > FEW:
        writer.replicas.list_blobs()
