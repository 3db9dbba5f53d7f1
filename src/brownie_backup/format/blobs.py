"""The names of blobs: keyed hashes that verify their content (docs/format.md)."""

import hmac

from brownie_backup.model import Encryption

MAX_BLOB_BYTES = 32 << 20
"""The most plaintext in a blob that the format allows; a manifest with more is not ours."""


def blob_name(
    data: bytes | memoryview, hash_key: bytes, compression: str, encryption: Encryption
) -> str:
    """Return the keyed hash of the plaintext and of its compression and encryption."""
    context = f"{compression}\0{encryption.method}\0{encryption.identity}\0"
    digest = hmac.new(hash_key, context.encode(), "sha256")
    digest.update(data)
    return digest.hexdigest()
