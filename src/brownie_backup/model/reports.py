"""What the verbs are asked for and what they tell, as frozen data."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Generic, TypeVar

from attrs import frozen

from brownie_backup.errors import BackupError
from brownie_backup.model import Backup, BlockRange, Manifest, Verification
from brownie_backup.model.findings import Finding, Level, Problem

T = TypeVar("T")


@frozen
class PartProgress:
    """How far one part of a database is: a large table, or all the others together."""

    name: str
    """A table's name, or the kind of the part."""
    rows: int | None
    """Those of the ranges that are done; None if nobody counts them."""
    read_bytes: int
    """As they were read; what was known to be unchanged is not among them."""
    duration: timedelta
    """Since it was begun; zero if nothing of it had to be read."""
    ended: bool


@frozen
class Progress:
    """How far a verb is. `total_bytes` is None, or an estimate, until it is known.

    Of a backup it is known from the beginning: the catalogue tells how large tables are. What is
    done counts in the same measure, whatever the bytes of the rows are.
    """

    phase: str
    done_bytes: int
    total_bytes: int | None = None
    part: PartProgress | None = None
    """The part that this is about, of a backup."""


@frozen
class StoreOutcome:
    """What came of one store."""

    url: str
    problem: Problem | None = None
    """Why the backup is not in it; None if it is."""
    copied_blobs: int = 0
    """Blobs that it got by copying, after the database had been read."""
    copied_bytes: int = 0

    @property
    def stored(self) -> bool:
        """Whether the backup is in it."""
        return self.problem is None


@frozen
class StoreSync:
    """What a sync did to one store."""

    url: str
    copied: tuple[str, ...] = ()
    """The backups that it got."""
    mended: tuple[str, ...] = ()
    """The backups whose missing or damaged blobs it got. A verification proves them again."""
    copied_blobs: int = 0
    copied_bytes: int = 0
    problems: tuple[Problem, ...] = ()
    """Why it does not have all that it should."""


@frozen
class CountProgress:
    """How far a verb is that counts things. `total` is None until it is known."""

    phase: str
    """``list``: backups are read; ``sweep``: blobs are removed."""
    done: int
    total: int | None = None


OnCount = Callable[[CountProgress], None]


@frozen
class TableRange:
    """Some blocks of a large table, which is known by its number."""

    oid: int
    blocks: BlockRange

    def __str__(self) -> str:
        return f"blocks {self.blocks.first} to {self.blocks.end} of the table with oid {self.oid}"


@frozen
class BackupReport:
    """What `create_backup` did."""

    manifest: Manifest
    new_blobs: int
    new_bytes: int
    reused_blobs: int
    reused_bytes: int
    stores: tuple[StoreOutcome, ...] = ()
    synced: tuple[StoreSync, ...] = ()
    """What the stores got of earlier backups."""
    ranges: int = 0
    """How many ranges of large tables were read."""
    skipped_ranges: int = 0
    """How many were not, since the WAL shows that they are as the backup before has them."""
    all_read_because: str = ""
    """Why no range could be skipped; empty if some were, or there are none."""
    contradictions: tuple[TableRange, ...] = ()
    """What a full reading found changed although the WAL shows no change. There should be none."""
    warnings: tuple[str, ...] = ()
    """What casts doubt on earlier backups: see docs/explanation/incremental.md."""

    @property
    def missing_stores(self) -> tuple[StoreOutcome, ...]:
        """The stores that the backup is not in: the next one, or a sync, catches up."""
        return tuple(outcome for outcome in self.stores if not outcome.stored)


@frozen
class Comparison:
    """What `compare_with_database` found."""

    backup: str
    compared_ranges: int
    """How many ranges the WAL shows to be unchanged; they were read and compared."""
    total_ranges: int
    """How many the backup has."""
    differences: tuple[TableRange, ...] = ()
    """Those that are not as the backup has them."""
    why_not: str = ""
    """Why none could be compared."""

    @property
    def good(self) -> bool:
        """Whether nothing differs; it says nothing if nothing was compared."""
        return not self.differences


@frozen
class RestoreOptions:
    """How to restore."""

    replace: bool = False
    """Take the place of an existing database, which is kept under a dated name."""
    with_roles: bool = False
    """Create the roles that the backup has and the server lacks."""
    owner: bool = True
    """Give objects to their owners (``--no-owner`` turns it off)."""
    privileges: bool = True
    """Grant what was granted (``--no-acl`` turns it off)."""
    tablespaces: bool = True
    """Use the tablespaces that were used (``--no-tablespaces`` turns it off)."""
    accept_unencrypted: bool = False
    """Restore a backup in clear although new ones are encrypted: anyone who can write to the store
    can have made it."""
    keep_failed: bool = False
    """Leave a half-made database for inspection, and name it."""
    jobs: int = 2
    """How many connections load rows and build indexes at once."""
    tables: tuple[str, ...] = ()
    """Restore these only: ``schema.name``. Names with dots or quotes are quoted, as in SQL."""
    schemas: tuple[str, ...] = ()
    """Restore the tables of these schemas only; into a fresh database, all that is in them."""
    into: str | None = None
    """Give the only table another name: ``schema.name``."""
    indexes: bool = True
    """Make the tables' indexes too (``--no-indexes`` turns it off)."""
    constraints: bool = True
    """Make the tables' keys and checks too (``--no-constraints`` turns it off)."""

    @property
    def selects(self) -> bool:
        """Whether something is asked for, and not everything."""
        return bool(self.tables or self.schemas)


@frozen(order=True)
class RestoredTable:
    """A table that was asked for, and how many rows it has."""

    name: str
    rows: int


@frozen
class RestoredDatabase:
    """What the restore of a logical backup did on the server."""

    replaced_database: str | None = None
    """The name under which the database that was in the way is kept."""
    created_roles: tuple[str, ...] = ()
    tables: tuple[RestoredTable, ...] = ()
    """The tables that were asked for; none, if everything was."""


@frozen
class RestoreReport:
    """What `restore` did, or, for a dry run, would do."""

    backup: str
    target_database: str
    dry_run: bool
    findings: tuple[Finding, ...]
    size_bytes: int
    duration: timedelta
    store_url: str = ""
    """Where the backup was; a finding says what came from elsewhere."""
    detail: RestoredDatabase = RestoredDatabase()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that want attention."""
        return tuple(f for f in self.findings if f.level is not Level.OK)


@frozen
class RetentionDecision:
    """Keep or delete one backup, and why."""

    backup: Backup
    keep: bool
    reason: str


@frozen
class RetentionReport:
    """What `apply_retention` decided, deleted and freed."""

    decisions: tuple[RetentionDecision, ...]
    dry_run: bool
    swept_blobs: int
    swept_bytes: int
    notes: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    """The names of the backups that were to go, and that the store does not let go yet."""
    refusals: tuple[str, ...] = ()
    """Of a dry run: why nothing at all would be deleted."""
    locked_blobs: int = 0
    """Those that no backup names any more, but that the store keeps until a date."""

    @property
    def deleted(self) -> tuple[str, ...]:
        """The names of the backups that are gone (or would be)."""
        return tuple(d.backup.name for d in self.decisions if not d.keep)


@frozen
class StoreCleanup:
    """What a cleanup did in one store, or why it did nothing there: one of the two is None."""

    url: str
    report: RetentionReport | None
    problem: BackupError | None


@frozen
class PerStore(Generic[T]):
    """What came of something that is done in every store, by the stores' URLs."""

    done: Mapping[str, T]
    problems: Mapping[str, BackupError]
    """Of the stores where it could not be done."""


@frozen
class VerificationSummary:
    """What a verification of all backups of a store found."""

    store_url: str
    verifications: tuple[Verification, ...]
    unread: Mapping[str, BackupError]
    """Why backups could not be verified, by their names."""
