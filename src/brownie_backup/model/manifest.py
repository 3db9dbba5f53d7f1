"""The manifest: a backup exists if and only if its manifest does."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property

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
    """The manifest's description of the database. No user data: tables are not named here."""

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
        """The identity of the database."""
        return DatabaseId(self.system_identifier, self.name)


@frozen
class Cluster:
    """The manifest's description of a cluster, if the backup is of a whole cluster."""

    system_identifier: str
    unknown: Unknown = Factory(_no_fields)


@frozen
class WalPosition:
    """A backup's position in the WAL: see docs/explanation/incremental.md.

    Positions are byte offsets, as PostgreSQL's type pg_lsn counts.
    """

    timeline: int
    changes_from: int | None
    """Every change that the backup does not see was written at this position or later. None if a
    transaction ran too long to tell."""
    sampled_at: int
    """A position, and a transaction ID that had not been assigned when the WAL was there. Once no
    older transaction runs, every unseen change was written at that position or later."""
    sampled_next_xid: int
    sealed_at: int
    """The end of the WAL summaries, at or after the snapshot. All that the backup saw is on the
    server's disk by then. A server that is set back to an earlier state has no summary ending there
    later."""
    server_started_at: datetime
    """When the server started. A server that was restarted may have been set back unnoticed."""


UNENCRYPTED = "none"
"""The encryption method of a backup that is not encrypted."""


@frozen
class Encryption:
    """How blobs are encrypted, and for which keys; never the secret itself."""

    method: str
    identity: str


@frozen
class Mac:
    """The authentication code of a manifest, with a secret that is not in the store."""

    key: str
    """A hash of the secret, to recognise it by."""
    code: str


@frozen
class Manifest:
    """A backup, which exists if and only if its manifest does.

    For a kind that this version does not know, only the fields that all kinds share are set; the
    other fields are in `unknown`.
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
    """Where the WAL starts to tell the next backup which blocks changed; None if it can't."""
    read_fully_at: datetime | None = None
    """When every block was last read, by this backup or an earlier one; None if by this one."""
    format: int = FORMAT
    cluster: Cluster | None = None
    """Set for a backup of a whole cluster."""
    mac: Mac | None = None
    """Set if a later backup may take unchanged ranges from this one."""
    unknown: Unknown = Factory(_no_fields)

    @property
    def known(self) -> bool:
        """Whether this version knows the kind, and so understands the parts."""
        return self.kind in _KNOWN

    @cached_property  # plans of large catalogues need it often
    def backup_set(self) -> BackupSet:
        """The set of backups that it belongs to."""
        if self.database:
            return BackupSet(self.database.system_identifier, self.database.name, self.kind)
        return BackupSet(self.cluster.system_identifier if self.cluster else "", None, self.kind)

    @property
    def encrypted(self) -> bool:
        """Whether its blobs are encrypted."""
        return self.encryption.method != UNENCRYPTED

    @property
    def size_bytes(self) -> int:
        """The plaintext size of all parts."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def stored_bytes(self) -> int:
        """The bytes that a store holds for this backup, counting shared blobs in full."""
        return sum({blob.name: blob.stored_bytes for blob in self.blobs}.values())

    @property
    def blobs(self) -> tuple[BlobRef, ...]:
        """Every blob of every part, in order."""
        return tuple(blob for part in self.parts for blob in part.blobs)

    @property
    def duration(self) -> timedelta:
        """From the start of the dump to the manifest."""
        return self.finished_at - self.started_at
