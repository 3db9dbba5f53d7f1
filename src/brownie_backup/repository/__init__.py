"""Blobs and manifests over a store: what a backup is, however it was made."""

from brownie_backup.repository.blobs.naming import BLOB_BYTES, MOST_WORKERS
from brownie_backup.repository.blobs.replicas import Shelf, ShelfState, Shelves
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN, Swept
from brownie_backup.repository.blobs.writer import BlobWriter, StoredBlob
from brownie_backup.repository.catalogue.identity import Identity
from brownie_backup.repository.coordination.leases import Lease, LeaseRecord
from brownie_backup.repository.coordination.operations import OperationRecord, Register
from brownie_backup.repository.repository import Repository, watch

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
