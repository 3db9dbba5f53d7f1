"""The names of blobs: keyed hashes that prove their content."""

import hmac

from brownie_backup.model import Encryption

BLOB_BYTES = 16 << 20
"""How much plaintext makes a blob. The format allows up to 32 MiB; a worker holds up to three
copies of a blob that does not compress, and with this size three workers stay below 200 MiB."""


MAX_BLOB_BYTES = 32 << 20
"""The most plaintext that the format allows in a blob; a manifest that says more is not ours."""

MOST_WORKERS = 3
"""How many blobs are worked on at once, whatever is asked for: more would take the memory of a
process over 300 MiB when blobs don't compress, and one pg_dump does not feed more."""


def blob_name(
    data: bytes | memoryview, hash_key: bytes, compression: str, encryption: Encryption
) -> str:
    """Return the keyed hash of the plaintext and of what compressed and encrypted it."""
    context = f"{compression}\0{encryption.method}\0{encryption.identity}\0"
    digest = hmac.new(hash_key, context.encode(), "sha256")
    digest.update(data)
    return digest.hexdigest()
