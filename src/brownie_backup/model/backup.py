"""A backup as the catalogue knows it: its health, and what was said of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import Factory, frozen

from brownie_backup.model.manifest import Manifest
from brownie_backup.wording import written


class Status(StrEnum):
    """What is known of a backup's health without reading its blobs."""

    GOOD = "good"
    DAMAGED = "damaged"
    """A blob is missing or has another size, its verification failed, or its manifest is bad."""


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
    """The last time that a backup of a database was begun; the catalogue tells how it ended."""

    database: str
    backup: str
    started_at: datetime


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
        """Whether retention may count on it and ``latest`` may mean it."""
        return self.status is Status.GOOD
