"""The protocols that everything builds on, and the guarantees of each.

They are small on purpose: a method is here only if an operation calls it. The contract tests of
`brownie_backup.testing` check that an implementation keeps the guarantees.
"""

from brownie_backup.protocols.cache import Cache, RepositoryRecord
from brownie_backup.protocols.codecs import (
    Compressor,
    Decryptor,
    Encryptor,
    OpensBlobs,
    SealsBlobs,
    SupportsMac,
)
from brownie_backup.protocols.dumper import Dumper, KnowsSize, Reader, Snapshot, Unchanged
from brownie_backup.protocols.keys import KeySource, KeyWrapper
from brownie_backup.protocols.store import (
    Availability,
    Clock,
    HasFreeSpace,
    ObjectUse,
    Page,
    Store,
    StoredObject,
    SupportsClose,
    SupportsObjectLock,
    SupportsPaging,
    SupportsReserve,
    SupportsRetry,
    get_object,
    keep_reserve,
    too_large,
    with_reserve,
)
from brownie_backup.protocols.target import Target

__all__ = [
    "Availability",
    "Cache",
    "Clock",
    "Compressor",
    "Decryptor",
    "Dumper",
    "Encryptor",
    "HasFreeSpace",
    "KeySource",
    "KeyWrapper",
    "KnowsSize",
    "ObjectUse",
    "OpensBlobs",
    "Page",
    "Reader",
    "RepositoryRecord",
    "SealsBlobs",
    "Snapshot",
    "Store",
    "StoredObject",
    "SupportsClose",
    "SupportsMac",
    "SupportsObjectLock",
    "SupportsPaging",
    "SupportsReserve",
    "SupportsRetry",
    "Target",
    "Unchanged",
    "get_object",
    "keep_reserve",
    "too_large",
    "with_reserve",
]
