"""Options and reports of the verbs, as frozen data."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Generic, TypeVar

from attrs import Factory, frozen

from brownie_backup.errors import BackupError
from brownie_backup.model import Backup, BlockRange, Manifest, Verification
from brownie_backup.model.findings import Finding, Level, Problem
from brownie_backup.model.restored import RestoredDatabase

T = TypeVar("T")


@frozen
class PartProgress:
    """The progress of one part of a database: a large table, or all other tables together."""

    name: str
    """A table's name, or the kind of the part."""
    rows: int | None
    """How many ranges are done; None if ranges are not counted."""
    read_bytes: int
    """Bytes read; ranges known to be unchanged are not counted."""
    duration: timedelta
    """Time since it began; zero if nothing of it had to be read."""
    ended: bool


@frozen
class Progress:
    """The progress of a verb. `total_bytes` is None, or an estimate, until it is known.

    A backup knows its total from the beginning: the system catalogue tells how large tables are.
    Finished work counts in the same measure, whatever size the rows have as text.
    """

    phase: str
    done_bytes: int
    total_bytes: int | None = None
    part: PartProgress | None = None
    """The part of the backup that this is about."""


@frozen
class StoreOutcome:
    """The outcome in one store."""

    url: str
    problem: Problem | None = None
    """Why the backup is not in this store; None if it is."""
    copied_blobs: int = 0
    """Blobs that were copied from other stores after the database had been read."""
    copied_bytes: int = 0

    @property
    def stored(self) -> bool:
        """Whether this store has the backup."""
        return self.problem is None


@frozen
class StoreSync:
    """The outcome of a sync in one store."""

    url: str
    copied: tuple[str, ...] = ()
    """The backups that were copied to it."""
    mended: tuple[str, ...] = ()
    """The backups whose missing or damaged blobs were copied to it. A verification checks them
    again."""
    copied_blobs: int = 0
    copied_bytes: int = 0
    problems: tuple[Problem, ...] = ()
    """Why it does not have everything that it should have."""


@frozen
class CountProgress:
    """The progress of a verb that counts things. `total` is None until it is known."""

    phase: str
    """``list``: backups are read; ``sweep``: blobs are removed."""
    done: int
    total: int | None = None


OnCount = Callable[[CountProgress], None]


@frozen
class TableRange:
    """Some blocks of a large table, which is identified by its OID."""

    oid: int
    blocks: BlockRange

    def __str__(self) -> str:
        return f"blocks {self.blocks.first} to {self.blocks.end} of the table with oid {self.oid}"


@frozen
class BackupReport:
    """The outcome of `create_backup`."""

    manifest: Manifest
    new_blobs: int
    new_bytes: int
    reused_blobs: int
    reused_bytes: int
    stores: tuple[StoreOutcome, ...] = ()
    synced: tuple[StoreSync, ...] = ()
    """Copies of earlier backups that the stores got."""
    ranges: int = 0
    """How many ranges of large tables were read."""
    skipped_ranges: int = 0
    """How many were skipped, since the WAL shows that they have not changed since the parent."""
    all_read_because: str = ""
    """Why no range could be skipped; empty if ranges were skipped, or there are none."""
    contradictions: tuple[TableRange, ...] = ()
    """Ranges that a full read found changed although the WAL shows no change. There should be none.
    """
    warnings: tuple[str, ...] = ()
    """Reasons to doubt earlier backups: see docs/explanation/incremental.md."""

    @property
    def missing_stores(self) -> tuple[StoreOutcome, ...]:
        """The stores that lack the backup: the next backup, or a sync, copies it there."""
        return tuple(outcome for outcome in self.stores if not outcome.stored)


@frozen
class Comparison:
    """The outcome of `compare_with_database`."""

    backup: str
    compared_ranges: int
    """How many ranges the WAL shows to be unchanged; these were read and compared."""
    total_ranges: int
    """How many ranges the backup has."""
    differences: tuple[TableRange, ...] = ()
    """The ranges that differ from the backup."""
    why_not: str = ""
    """Why no range could be compared."""

    @property
    def good(self) -> bool:
        """Whether nothing differs; it is meaningless if nothing was compared."""
        return not self.differences


@frozen
class RestoreOptions:
    """How to restore."""

    replace: bool = False
    """Replace an existing database, which is kept under a dated name."""
    with_roles: bool = False
    """Create the roles that the database needs and the server lacks, and their members."""
    owner: bool = True
    """Restore the owners of objects (``--no-owner`` turns it off)."""
    privileges: bool = True
    """Restore privileges (``--no-acl`` turns it off)."""
    tablespaces: bool = True
    """Use the original tablespaces (``--no-tablespaces`` turns it off)."""
    accept_unencrypted: bool = False
    """Restore an unencrypted backup although new ones are encrypted: anyone with write access to
    the store can have made it."""
    accept_differences: bool = False
    """Finish the restore although the database lacks objects that the archive lists."""
    accept_errors: bool = False
    """Finish the restore although some objects could not be restored: they are reported."""
    exclude_extensions: tuple[str, ...] = ()
    """Leave out these extensions, and all objects that need them."""
    exclude_tables: tuple[str, ...] = ()
    """Leave out these tables or views with all that needs them: ``schema.name``."""
    exclude_table_data: tuple[str, ...] = ()
    """Leave out the rows of these tables: ``schema.name``."""
    exclude_event_triggers: bool = False
    exclude_settings: bool = False
    """Leave out the settings of the database (``ALTER DATABASE … SET``)."""
    locale: str | None = None
    """Another locale of the operating system's for the new database."""
    keep_failed: bool = False
    """Keep a half-made database for inspection, and name it."""
    jobs: int = 2
    """How many connections load rows and build indexes at once."""
    tables: tuple[str, ...] = ()
    """Restore only these tables: ``schema.name``. Names with dots or quotes are quoted, as in SQL.
    """
    schemas: tuple[str, ...] = ()
    """Restore only the tables of these schemas; into a fresh database, everything in these schemas.
    """
    into: str | None = None
    """Rename the only table: ``schema.name``."""
    indexes: bool = True
    """Create the tables' indexes too (``--no-indexes`` turns it off)."""
    constraints: bool = True
    """Create the tables' keys and checks too (``--no-constraints`` turns it off)."""

    @property
    def selects(self) -> bool:
        """Whether only a part of the backup is requested."""
        return bool(self.tables or self.schemas)

    @property
    def excludes(self) -> bool:
        """Whether objects of the archive, or rows, are left out."""
        named = self.exclude_extensions or self.exclude_tables or self.exclude_table_data
        return bool(named) or self.exclude_event_triggers


@frozen
class RestoreReport:
    """The outcome of `restore`, or of a dry run."""

    backup: str
    target_database: str
    dry_run: bool
    findings: tuple[Finding, ...]
    size_bytes: int
    duration: timedelta
    store_url: str = ""
    """The store that had the backup; findings list blobs that came from other stores."""
    detail: RestoredDatabase = Factory(RestoredDatabase)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that need attention."""
        return tuple(f for f in self.findings if f.level is not Level.OK)


@frozen
class RetentionDecision:
    """Keep or delete one backup, and why."""

    backup: Backup
    keep: bool
    reason: str

    @property
    def name(self) -> str:
        """The name of the backup, as in the JSON document."""
        return self.backup.name


@frozen
class RetentionReport:
    """The decisions of `apply_retention`, and what it deleted and freed."""

    decisions: tuple[RetentionDecision, ...]
    dry_run: bool
    swept_blobs: int
    swept_bytes: int
    notes: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    """Names of the backups that the policy no longer keeps, but that the store does not yet let us
    delete."""
    refusals: tuple[str, ...] = ()
    """For a dry run: why nothing would be deleted."""
    locked_blobs: int = 0
    """Blobs that no backup names any more, but that the store keeps until a date."""
    young_blobs: int = 0
    """Blobs that no backup names either, but that are not 24 hours old: they go later."""
    young_bytes: int = 0

    @property
    def deleted(self) -> tuple[str, ...]:
        """The names of the backups that were (or would be) deleted."""
        return tuple(d.backup.name for d in self.decisions if not d.keep)


@frozen
class StoreCleanup:
    """The outcome of a cleanup in one store, or why it did nothing: one of the two is None."""

    url: str
    report: RetentionReport | None
    problem: BackupError | None


@frozen
class PerStore(Generic[T]):
    """The outcomes of something that is done in every store, by the stores' URLs."""

    done: Mapping[str, T]
    problems: Mapping[str, BackupError]
    """The stores where it failed."""


@frozen
class VerificationSummary:
    """The outcome of verifying all backups of a store."""

    store_url: str
    verifications: tuple[Verification, ...]
    unread: Mapping[str, BackupError]
    """Why backups could not be verified, by their names."""
