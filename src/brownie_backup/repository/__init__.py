"""Blobs and manifests over a store: what a backup is, however it was made."""

from brownie_backup.repository.blobs.naming import BLOB_BYTES, MOST_WORKERS
from brownie_backup.repository.blobs.replicas import Replica, ReplicaSet, ReplicaState
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN, Swept
from brownie_backup.repository.blobs.writer import BlobWriter, StoredBlob
from brownie_backup.repository.catalogue.identity import Identity
from brownie_backup.repository.coordination.leases import Lease, LeaseRecord
from brownie_backup.repository.coordination.operations import OperationLog, OperationRecord
from brownie_backup.repository.repository import Repository, with_deadlines

__all__ = [
    "BLOB_BYTES",
    "MOST_WORKERS",
    "SWEEP_MARGIN",
    "BlobWriter",
    "Identity",
    "Lease",
    "LeaseRecord",
    "OperationLog",
    "OperationRecord",
    "Replica",
    "ReplicaSet",
    "ReplicaState",
    "Repository",
    "StoredBlob",
    "Swept",
    "with_deadlines",
]
