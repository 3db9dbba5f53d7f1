"""The base of a backup: an earlier one, whose unchanged ranges need not be read again."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version

from attrs import frozen

from brownie_backup.errors import StoreError
from brownie_backup.model import BlobRef, Manifest, PartSpec
from brownie_backup.operations.mirrors import Mirror
from brownie_backup.operations.ranges import StoredPart, ranges_of
from brownie_backup.protocols import Snapshot, Unchanged
from brownie_backup.repository import BlobWriter
from brownie_backup.repository.listing import FEW

_log = logging.getLogger(__name__)

TOOL_VERSION = version("brownie-backup")
FULL_EVERY = timedelta(days=7)
"""How long the WAL's word is taken, before every block is read again."""


@frozen
class Base:
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


def find_base(
    mirrors: Sequence[Mirror], writer: BlobWriter, snapshot: Snapshot, kind: str
) -> Manifest | None:
    """Return the newest good backup of a database whose blobs this run would name alike.

    It is looked for in the first store that is in the run; None too if that can't be read. It must
    be of this version: another one may write rows otherwise, or have had a fault.
    """
    if not any(spec.blocks for spec in snapshot.parts):
        return None
    repository = next(each.repository for each in mirrors if not each.problem)
    try:
        backups = repository.backups(check_blobs=False)
    except StoreError as error:
        _log.info("everything is read: the backup before could not be looked for: %s", error)
        return None
    for backup in backups:
        manifest = backup.manifest
        if (
            manifest
            and backup.good
            and manifest.database.id == snapshot.database.id
            and manifest.kind == kind
            and manifest.tool_version == TOOL_VERSION
            and manifest.compression == writer.compressor.name
            and manifest.encryption == writer.encryption
            and manifest.hash_key == writer.hash_key.hex()
        ):
            return manifest
    return None


def is_due(base: Manifest | None, now: datetime, every: timedelta | None) -> bool:
    """Whether it is time to read every block again."""
    return base is not None and every is not None and now - read_fully_at(base) >= every


def read_fully_at(base: Manifest) -> datetime:
    """Return when every block that a backup has was read at last."""
    return base.read_fully_at or base.started_at


def make_base(manifest: Manifest, unchanged: Unchanged) -> Base:
    """Return a base, by what is known to be unchanged since."""
    ranges = {
        (part.table.oid, begins.blocks.first): (begins.rows, refs)
        for part in manifest.parts
        if part.table
        for begins, refs in ranges_of(part)
        if begins.blocks.first in unchanged.ranges.get(part.table.oid, ())
    }
    return Base(manifest, unchanged, ranges)


def reuse(base: Base, writer: BlobWriter, spec: PartSpec) -> StoredPart | None:
    """Use a range of the base again, unread; None if it changed, or a blob of it is gone."""
    found = base.find(spec)
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


def prepare(base: Base, writer: BlobWriter) -> None:
    """Look for many blobs at once, if there are many."""
    if base.blobs > FEW:
        writer.shelves.take_stock()
