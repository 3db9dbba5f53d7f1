"""What a wrapped data key is bound to, and the checks before and after (docs/format.md). Pure."""

import hmac

from brownie_backup.errors import DamagedError, EncryptionError
from brownie_backup.format.envelope import KEY_BYTES, key_id
from brownie_backup.hints import BackupHint, KeyHint
from brownie_backup.model.keys import KeyContext


def context_text(context: KeyContext) -> str:
    """Return the lines that a wrapped key is bound to.

    The last one has a fixed length, so no two contexts have the same text.
    """
    return (
        f"brownie-backup/wrapped-key/1\nrepository {context.repository_id}\nkey {context.key_id}\n"
    )


def context_bytes(context: KeyContext) -> bytes:
    """Return the same lines as bytes."""
    return context_text(context).encode("utf-8", "surrogatepass")


def check_to_wrap(key: bytes, context: KeyContext) -> None:
    """Raise `EncryptionError` unless the context names this key."""
    if not _is_of(key, context):
        msg = "the data key is not the one that was to be wrapped"
        raise EncryptionError(msg, hint=KeyHint.NOTHING_STORED)


def check_unwrapped(key: bytes, context: KeyContext) -> bytes:
    """Return the key, or raise `DamagedError` unless the context names it."""
    if not _is_of(key, context):
        raise damaged_key()
    return key


def damaged_key() -> DamagedError:
    """Return the error about a wrapped key that was changed, or that is another one."""
    msg = "the wrapped key was changed since it was stored, or is another one"
    return DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)


def _is_of(key: bytes, context: KeyContext) -> bool:
    """Whether it is the key of the context; this takes the same time for every key."""
    if len(key) != KEY_BYTES:
        return False
    return hmac.compare_digest(
        key_id(key).hex().encode(), context.key_id.encode("utf-8", "surrogatepass")
    )
