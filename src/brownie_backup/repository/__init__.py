"""Blobs and manifests over a store: what a backup is, however it was made."""

from brownie_backup.repository.blobs import BLOB_BYTES, MOST_WORKERS, BlobWriter, StoredBlob
from brownie_backup.repository.identity import Identity
from brownie_backup.repository.leases import Lease, LeaseRecord
from brownie_backup.repository.register import OperationRecord, Register
from brownie_backup.repository.repository import Repository, watch
from brownie_backup.repository.shelves import Shelf, ShelfState, Shelves
from brownie_backup.repository.sweep import SWEEP_MARGIN, Swept

__all__ = [
    "BLOB_BYTES",
    "MOST_WORKERS",
    "SWEEP_MARGIN",
    "BlobWriter",
    "Identity",
    "Lease",
    "LeaseRecord",
    "OperationRecord",
    "Register",
    "Repository",
    "Shelf",
    "ShelfState",
    "Shelves",
    "StoredBlob",
    "Swept",
    "watch",
]
