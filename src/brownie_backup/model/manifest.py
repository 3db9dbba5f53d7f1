"""The manifest: a backup exists if and only if its manifest does."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import Factory, frozen

from brownie_backup.model.kinds import BackupSet, DatabaseId, Kind
from brownie_backup.model.parts import BlobRef, Part, Unknown, _no_fields

FORMAT = 1
"""The manifest format that this version writes (docs/format.md)."""
_KNOWN = frozenset(Kind)


@frozen
class Extension:
    """An installed extension."""

    name: str
    version: str


@frozen
class Database:
    """What a manifest says of the database itself. No user data: tables are not named here."""

    name: str
    system_identifier: str
    server_version: str
    client_version: str
    size_bytes: int
    encoding: str
    locale: str
    extensions: tuple[Extension, ...] = ()
    unknown: Unknown = Factory(_no_fields)

    @property
    def id(self) -> DatabaseId:
        """Which database it is."""
        return DatabaseId(self.system_identifier, self.name)


@frozen
class Cluster:
    """What a manifest says of a cluster, if the backup is of all of it."""

    system_identifier: str
    unknown: Unknown = Factory(_no_fields)


@frozen
class WalPosition:
    """Where in the WAL a backup stands: see docs/explanation/incremental.md.

    Positions are byte offsets, as PostgreSQL's type pg_lsn counts.
    """

    timeline: int
    changes_from: int | None
    """Whatever the backup does not see was written at this position or later; None if a
    transaction ran too long for anybody to say."""
    sampled_at: int
    """A position, and a transaction number that had not been given out at it: from the time on
    when no older one runs, nothing unseen was written before that position."""
    sampled_next_xid: int
    sealed_at: int
    """Where WAL summaries end, at or after the snapshot: all that it saw is on the server's disk,
    and a server that is set back has no such end there later."""
    server_started_at: datetime
    """Since when the server ran: one that was started again may have been set back unnoticed."""


@frozen
class Encryption:
    """How blobs are encrypted, and for whom; never with what."""

    method: str
    identity: str


@frozen
class Manifest:
    """A backup: it exists if and only if this does.

    Of a kind that this version does not know it has only what all kinds have in common; what else
    there is, is in `unknown`.
    """

    name: str
    id: str
    kind: str
    repository_id: str
    hash_key: str
    started_at: datetime
    finished_at: datetime
    database: Database | None
    """None if the backup is of a whole cluster, or of a kind that describes databases otherwise."""
    compression: str
    encryption: Encryption
    parts: tuple[Part, ...]
    new_bytes: int
    tool_version: str
    labels: Mapping[str, str] = Factory(dict)
    notes: tuple[str, ...] = ()
    wal: WalPosition | None = None
    """From where on the WAL tells the next backup what has changed; None if it can't."""
    read_fully_at: datetime | None = None
    """When every block was last read, by this backup or an earlier one; None for this one."""
    format: int = FORMAT
    cluster: Cluster | None = None
    """Of a backup of a whole cluster."""
    unknown: Unknown = Factory(_no_fields)

    @property
    def known(self) -> bool:
        """Whether this version knows the kind, and so understands the parts."""
        return self.kind in _KNOWN

    @property
    def backup_set(self) -> BackupSet:
        """Which backups it is one of."""
        if self.database:
            return BackupSet(self.database.system_identifier, self.database.name, self.kind)
        return BackupSet(self.cluster.system_identifier if self.cluster else "", None, self.kind)

    @property
    def size_bytes(self) -> int:
        """Plaintext of all parts."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def stored_bytes(self) -> int:
        """What a store holds for this backup, counting shared blobs in full."""
        return sum({blob.name: blob.stored_bytes for blob in self.blobs}.values())

    @property
    def blobs(self) -> tuple[BlobRef, ...]:
        """Every blob of every part, in order."""
        return tuple(blob for part in self.parts for blob in part.blobs)

    @property
    def duration(self) -> timedelta:
        """From the start of the dump to the manifest."""
        return self.finished_at - self.started_at
