"""A random key of this process, which nobody else has."""

import secrets
from functools import cache

KEY_BYTES = 32


@cache
def process_key() -> bytes:
    """Return the key; it is the same until the process ends."""
    return secrets.token_bytes(KEY_BYTES)
