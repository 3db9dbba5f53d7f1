"""Which objects of a listing are in an archive class, and so cannot be read at once."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from brownie_backup.protocols import Availability

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""The classes from which objects are retrieved in hours. GLACIER_IR is none of them."""
TIERING = "INTELLIGENT_TIERING"
SOONEST = timedelta(days=90)
"""S3 moves no object of `TIERING` into an archive tier before that."""

Listed = Mapping[str, Any]
"""An entry of a listing."""


def any_archived(listed: Iterable[Listed]) -> bool:
    """Whether an entry has an archive class: only then it matters which were retrieved."""
    return any(found.get("StorageClass") in ARCHIVES for found in listed)


def may_be_archived(found: Listed, now: datetime) -> bool:
    """Whether the object may be in an archive tier that the listing does not show."""
    if found.get("StorageClass") != TIERING:
        return False
    modified: datetime = found["LastModified"]
    return modified.astimezone(UTC) + SOONEST < now


def availability(found: Listed, head: Listed | None = None) -> Availability:
    """Return whether an object can be read.

    Args:
        found: its entry in a listing, with its RestoreStatus.
        head: the answer to a question for the object, if it may be in an archive tier that the
            listing does not show.
    """
    if found.get("StorageClass") in ARCHIVES:
        status = found.get("RestoreStatus", {})
        ready = status.get("RestoreExpiryDate") and not status.get("IsRestoreInProgress")
        return Availability.FOR_A_TIME if ready else Availability.ARCHIVED
    if head and head.get("ArchiveStatus"):
        return Availability.ARCHIVED
    return Availability.READABLE
