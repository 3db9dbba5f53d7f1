"""How a data key is wrapped: encrypted by a key that lasts longer."""

from typing import Protocol

from brownie_backup.model.keys import KeyContext, Recipient


class KeyWrapper(Protocol):
    """Wraps data keys for one recipient, and unwraps them. Thread-safe.

    No secret is in its `repr` or in an error.
    """

    @property
    def recipient(self) -> Recipient:
        """The recipient that data keys are wrapped for."""
        ...

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return `key` encrypted and bound to `context`, or raise `EncryptionError`."""
        ...

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key that was wrapped for the same context.

        Raises:
            KeyMissing: this host has no key for it, or no right to use the key.
            DecryptionError: the key is wrong, disabled or out of reach.
            DamagedError: the bytes were changed, or belong to another context.
        """
        ...
