"""The parent of a backup: an earlier one, whose unchanged segments need not be read again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from brownie_backup.format.mac import is_authentic, key_id
from brownie_backup.model import (
    UNENCRYPTED,
    Backup,
    BackupSet,
    Encryption,
    Manifest,
    PartSpec,
    Segment,
)
from brownie_backup.pipeline.ranges import StoredPart
from brownie_backup.pipeline.writer import BlobWriter
from brownie_backup.protocols import Dumper, Unchanged
from brownie_backup.repository import Repository
from brownie_backup.repository.catalogue.listing import FEW
from brownie_backup.version import TOOL_VERSION

FULL_EVERY = timedelta(days=7)
"""How long the WAL is trusted, before every block is read again."""


@frozen
class Parent:
    """An earlier backup, and its unchanged segments."""

    manifest: Manifest
    unchanged: Unchanged
    _segments: Mapping[str, Segment]

    def find(self, spec: PartSpec) -> Segment | None:
        """Return a segment that has not changed, as it is stored; None if it may have changed."""
        return self._segments.get(spec.segment)

    @property
    def blobs(self) -> int:
        """The number of blobs of the unchanged segments."""
        return sum(len(segment.blobs) for segment in self._segments.values())


class ParentFinder:
    """The backups in a store that could be the parent of a run: the newest of each kin."""

    def __init__(self) -> None:
        self._newest: dict[_ParentKey, Manifest] = {}
        self._encrypted: dict[BackupSet, Manifest] = {}
        """The newest of each set that is encrypted, with whatever key."""

    def add(self, backup: Backup) -> None:
        """Take one more backup into account."""
        manifest = backup.manifest
        if manifest is None or not backup.counts:
            return
        last = self._encrypted.get(manifest.backup_set)
        if manifest.encrypted and (last is None or last.finished_at < manifest.finished_at):
            self._encrypted[manifest.backup_set] = manifest
        if manifest.mac is None:
            return
        kin = _ParentKey(
            manifest.backup_set,
            manifest.tool_version,
            manifest.compression,
            manifest.encryption,
            manifest.hash_key,
            manifest.mac.key,
        )
        known = self._newest.get(kin)
        if known is None or known.finished_at < manifest.finished_at:
            self._newest[kin] = manifest

    def of_another_key(self, writer: BlobWriter, whose: BackupSet) -> Manifest | None:
        """Return the newest good encrypted backup of a set, if its key is not that of this run.

        A run that encrypts nothing has no key. Passphrases can be compared by the salt of the
        repository only.
        """
        last = self._encrypted.get(whose)
        if last is None or writer.encryption.method == UNENCRYPTED:
            return None
        same = last.encryption == writer.encryption or last.hash_key != writer.hash_key.hex()
        return None if same else last

    def find(self, writer: BlobWriter, whose: BackupSet, secret: bytes) -> "FoundParent":
        """Return the newest good backup of a set whose blobs this run would give the same names.

        It must have been made by this version: another one may write rows differently, or have a
        bug. And it must be authentic, since what it says is not read again: anyone who can write
        to the store could put the ranges of an older backup into it.

        Args:
            writer: of this run.
            whose: the set.
            secret: authenticates the backups that this installation has made.
        """
        compression, key = writer.compressor.name, writer.hash_key.hex()
        kin = _ParentKey(whose, TOOL_VERSION, compression, writer.encryption, key, key_id(secret))
        found = self._newest.get(kin)
        if found is None or is_authentic(found, secret):
            return FoundParent(found)
        return FoundParent(None, forged=found)


@frozen
class FoundParent:
    """The backup that may be the parent of a run."""

    manifest: Manifest | None = None
    forged: Manifest | None = None
    """A backup that says it is of this installation, and was changed since."""


def find_parent(
    finders: Sequence[ParentFinder], repository: Repository, writer: BlobWriter, whose: BackupSet
) -> FoundParent:
    """Look in the first store that is in the run."""
    secret = repository.mac_key(writer.hash_key)
    return _first(finders, writer).find(writer, whose, secret)


def of_another_key(
    finders: Sequence[ParentFinder], writer: BlobWriter, whose: BackupSet
) -> Manifest | None:
    """Look in the first store that is in the run; see `ParentFinder.of_another_key`."""
    return _first(finders, writer).of_another_key(writer, whose)


def _first(finders: Sequence[ParentFinder], writer: BlobWriter) -> ParentFinder:
    stores = zip(writer.replicas, finders, strict=True)
    return next(finder for replica, finder in stores if not replica.problem)


@frozen
class _ParentKey:
    """The properties that backups share if they give the same names to blobs of equal rows."""

    backup_set: BackupSet
    tool_version: str
    compression: str
    encryption: Encryption
    hash_key: str
    mac_key: str


def full_read_due(parent: Manifest | None, now: datetime, every: timedelta | None) -> bool:
    """Whether it is time to read every block again; a time in the future can't be right."""
    if parent is None or every is None:
        return False
    return not timedelta(0) <= now - read_fully_at(parent) < every


def read_fully_at(parent: Manifest) -> datetime:
    """Return when every block of a backup was last read."""
    return parent.read_fully_at or parent.started_at


def make_parent(manifest: Manifest, unchanged: Unchanged, dumper: Dumper) -> Parent:
    """Return a parent with the segments known to be unchanged; the dumper splits its parts."""
    segments = {
        segment.key: segment
        for part in manifest.parts
        for segment in dumper.segments(part) or ()
        if segment.key in unchanged.segments
    }
    return Parent(manifest, unchanged, segments)


def reuse(parent: Parent, writer: BlobWriter, spec: PartSpec) -> StoredPart | None:
    """Reuse a segment of the parent, unread; None if it changed, or a blob of it is gone."""
    segment = parent.find(spec)
    if segment is None:
        return None
    blobs = []
    for ref in segment.blobs:
        stored = writer.reuse(ref)
        if stored is None:
            return None
        blobs.append(stored)
    return StoredPart(tuple(blobs), segment.rows)


def prepare(parent: Parent, writer: BlobWriter) -> None:
    """Look up many blobs at once, if there are many."""
    if parent.blobs > FEW:
        writer.replicas.list_blobs()
