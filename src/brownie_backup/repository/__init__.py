"""Blobs and manifests in a store: the parts of a backup that do not depend on the dumper."""

from brownie_backup.repository.blobs.sizes import BLOB_BYTES, MOST_WORKERS
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN, Roots, Swept
from brownie_backup.repository.catalogue.catalogue import Catalogue
from brownie_backup.repository.catalogue.identity import Identity
from brownie_backup.repository.codecs import Codecs, EncryptorOnDemand
from brownie_backup.repository.coordination.leases import Lease, LeaseRecord
from brownie_backup.repository.coordination.operations import OperationLog, OperationRecord
from brownie_backup.repository.repository import Repository, with_deadlines
from brownie_backup.repository.tuning import Tuning

__all__ = [
    "BLOB_BYTES",
    "MOST_WORKERS",
    "SWEEP_MARGIN",
    "Catalogue",
    "Codecs",
    "EncryptorOnDemand",
    "Identity",
    "Lease",
    "LeaseRecord",
    "OperationLog",
    "OperationRecord",
    "Repository",
    "Roots",
    "Swept",
    "Tuning",
    "with_deadlines",
]
