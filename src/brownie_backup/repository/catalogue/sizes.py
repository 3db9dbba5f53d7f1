"""The sizes of blobs in a store, of archived ones too."""

from brownie_backup.protocols import Availability, StoredObject

ARCHIVED = -1
"""Stands for the size of a blob that was moved to an archive class, which no blob has."""


def size_of(found: StoredObject) -> int:
    """Return the size of a blob that can be read, or `ARCHIVED`."""
    return ARCHIVED if found.availability is Availability.ARCHIVED else found.size_bytes


def not_for_long(found: StoredObject) -> bool:
    """Whether a blob can't be read, or only for some days: the next backup stores it again."""
    return found.availability is not Availability.READABLE
