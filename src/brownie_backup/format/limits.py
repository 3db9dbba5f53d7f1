"""How large an object can be. A larger one is not ours, and is refused before it is read."""

from brownie_backup.format.blobs import MAX_BLOB_BYTES
from brownie_backup.format.layout import (
    AUDIT,
    BLOB_LISTS,
    BLOBS,
    MANIFESTS,
    OPERATIONS,
    VERIFICATIONS,
)
from brownie_backup.model import BlobRef

_MIB = 1 << 20

MANIFEST_BYTES = 64 * _MIB
"""About 100,000 blobs take a third of it; the other blobs are in lists of their own."""
VERIFICATION_BYTES = 64 * _MIB
"""The names of about 900,000 damaged blobs."""
BLOB_LIST_BYTES = 8 * _MIB
REPORT_BYTES = 16 * _MIB
"""An audit record names the backups that were deleted, and an operation has its result."""
STATE_BYTES = _MIB
"""Leases, holds, attempts, the identity: most have a few hundred bytes."""

_PACKING_BYTES = _MIB
"""How much larger than its plaintext a blob may be stored, beside a doubling: by a compressor that
finds nothing to compress, by an encryptor for many keys."""
MOST_OBJECT_BYTES = 2 * MAX_BLOB_BYTES + _PACKING_BYTES
"""No object is larger."""

_BY_PREFIX = {
    MANIFESTS: MANIFEST_BYTES,
    VERIFICATIONS: VERIFICATION_BYTES,
    BLOBS: MOST_OBJECT_BYTES,
    BLOB_LISTS: BLOB_LIST_BYTES,
    OPERATIONS: REPORT_BYTES,
    AUDIT: REPORT_BYTES,
}


def most_bytes_of(key: str) -> int:
    """Return the most bytes that an object of ours under this key can have."""
    return _BY_PREFIX.get(key[: key.find("/") + 1], STATE_BYTES)


def most_stored_bytes(blob: BlobRef) -> int:
    """Return the most bytes that this blob can take in a store.

    The recorded size is no limit: another key or a later encryptor may store it in more bytes.
    """
    most = max(2 * blob.size_bytes, blob.stored_bytes) + _PACKING_BYTES
    return max(0, min(most, MOST_OBJECT_BYTES))
