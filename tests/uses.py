"""What the repository stores each object for, by its key: for tests that put objects themselves."""

from brownie_backup.format.layout import AUDIT, BLOB_LISTS, BLOBS, IDENTITY, MANIFESTS
from brownie_backup.protocols import ObjectUse


def use_of(key: str) -> ObjectUse:
    if key.startswith((IDENTITY, MANIFESTS, BLOBS, BLOB_LISTS)):
        return ObjectUse.BACKUP
    return ObjectUse.RECORD if key.startswith(AUDIT) else ObjectUse.STATE
