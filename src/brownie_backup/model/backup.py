"""A backup as the catalogue knows it: its health, and what was said of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import Factory, frozen

from brownie_backup.model.kinds import Kind
from brownie_backup.model.manifest import Manifest
from brownie_backup.wording import written


class Status(StrEnum):
    """What is known of a backup's health without reading its blobs."""

    GOOD = "good"
    DAMAGED = "damaged"
    """A blob is missing or has another size, its verification failed, or its manifest is bad."""
    UNSUPPORTED = "unsupported"
    """A newer version made it, in a form that this version cannot read. Nothing is known against
    it."""


@frozen
class Verification:
    """The outcome of the last time a backup's blobs were read back."""

    backup: str
    manifest_id: str
    verified_at: datetime
    good: bool
    checked_blobs: int
    total_blobs: int
    damaged_blobs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    resized: Mapping[str, int] = Factory(dict)
    """Good blobs that were stored again and now have another size than their manifest says."""
    warnings: tuple[str, ...] = ()
    """What is no damage, and yet to be known, such as that the backup is not encrypted."""

    @property
    def complete(self) -> bool:
        """Whether every blob was read, not a sample."""
        return self.checked_blobs >= self.total_blobs


@frozen
class Hold:
    """Somebody's word that a backup must stay, whatever the policy says."""

    backup: str
    manifest_id: str
    held_at: datetime
    by: str
    until: datetime | None = None
    """When it ends by itself; None for never."""

    def counts(self, now: datetime) -> bool:
        """Whether it is not over."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        until = f" until {written(self.until)}" if self.until else ""
        return f"held{until}, by {self.by}"


@frozen
class Attempt:
    """The last time that a backup was begun; the catalogue tells how it ended.

    There is one for each kind and name: the cluster is not known before a server was asked.
    """

    database: str
    """The database's name; for a whole cluster its system identifier."""
    backup: str
    started_at: datetime
    kind: str = Kind.LOGICAL


@frozen
class Backup:
    """An entry of the catalogue. `manifest` is None when it cannot be read."""

    name: str
    status: Status
    manifest: Manifest | None
    problem: str = ""
    verification: Verification | None = None
    hold: Hold | None = None

    @property
    def good(self) -> bool:
        """Whether it counts among those of its kind: ``latest`` may mean it."""
        return self.status is Status.GOOD
