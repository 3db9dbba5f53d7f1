"""A backup in the catalogue: its health, its verification, its hold."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import Factory, frozen

from brownie_backup.model.kinds import Kind
from brownie_backup.model.manifest import Manifest
from brownie_backup.wording import written

CLOCK_MARGIN = timedelta(minutes=5)
"""The largest difference between two clocks that counts as none."""


class Status(StrEnum):
    """The health of a backup, judged without reading its blobs."""

    GOOD = "good"
    DAMAGED = "damaged"
    """A blob is missing or has the wrong size, its verification failed, or its manifest is bad."""
    UNSUPPORTED = "unsupported"
    """A newer version wrote it in a form that this version cannot read. It may well be good."""


class Checked(StrEnum):
    """How much a verification checks."""

    CONTENT = "content"
    """Every blob is decrypted and compared with its name, and the archive is read."""
    STRUCTURE = "structure"
    """Every blob is there, and its stored bytes are the right ones; nothing is decrypted."""


@frozen
class Verification:
    """The outcome of the last verification, which read the backup's blobs back."""

    backup: str
    manifest_id: str
    verified_at: datetime
    good: bool
    checked_blobs: int
    total_blobs: int
    damaged_blobs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    resized: Mapping[str, int] = Factory(dict)
    """Good blobs that were stored again and now differ in size from their manifest's record."""
    warnings: tuple[str, ...] = ()
    """Problems that are not damage, such as an unencrypted backup."""
    checked: str = Checked.CONTENT
    """How much was checked: a `Checked`."""
    size_only_blobs: int = 0
    """Blobs of which only the size was checked: they were stored without a checksum."""
    content_verified_at: datetime | None = None
    """For a check of the structure: when an earlier verification read the contents."""

    @property
    def complete(self) -> bool:
        """Whether every blob was read, not a sample."""
        return self.checked_blobs >= self.total_blobs

    @property
    def contents_good_at(self) -> datetime | None:
        """When the contents were last read and found good; None if that is not known."""
        if self.good and self.checked == Checked.CONTENT:
            return self.verified_at
        return self.content_verified_at

    def supersedes(self, last: "Verification") -> bool:
        """Whether it checked everything that an earlier one did."""
        return self.complete and (
            self.checked == Checked.CONTENT or last.checked == Checked.STRUCTURE
        )


@frozen
class Hold:
    """A request to keep a backup, regardless of the retention policy."""

    backup: str
    manifest_id: str
    held_at: datetime
    by: str
    until: datetime | None = None
    """When the hold expires; None for never."""

    def counts(self, now: datetime) -> bool:
        """Whether the hold is still in force."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        until = f" until {written(self.until)}" if self.until else ""
        return f"held{until}, by {self.by}"


@frozen
class Attempt:
    """The start of the last backup; the catalogue tells how it ended.

    Each kind and name has one: the cluster is not known until a server has been asked.
    """

    database: str
    """The database's name; for a whole cluster, its system identifier."""
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
    ahead: bool = False
    """Whether its time lies in the future: then it may be restored, but is never the newest."""

    @property
    def good(self) -> bool:
        """Whether nothing bad is known of it."""
        return self.status is Status.GOOD

    @property
    def counts(self) -> bool:
        """Whether it may be the newest good backup."""
        return self.good and not self.ahead


def is_ahead(at: datetime, now: datetime) -> bool:
    """Whether a recorded time lies in the future, by more than clocks differ.

    One such time, from a wrong clock or from anyone who can write to the store, would otherwise
    pass for the newest for as long.
    """
    return at > now + CLOCK_MARGIN
