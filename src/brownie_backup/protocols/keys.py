"""How a data key is wrapped for a recipient, and unwrapped."""

from typing import Protocol

from brownie_backup.model.keys import KeyContext, Recipient


class KeyWrapper(Protocol):
    """Wraps data keys for one recipient. Thread-safe.

    Fails closed: `wrap` returns bytes that only the recipient can open, or raises. `unwrap` returns
    a key whose id is that of the context, or raises. No error and no ``repr`` shows a secret.
    """

    @property
    def recipient(self) -> Recipient:
        """The recipient. It is equal for equal keys, and public."""
        ...

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return the key, wrapped and bound to the context.

        Raises:
            EncryptionError: it was not wrapped, or its id is not that of the context.
        """
        ...

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the key.

        Raises:
            KeyMissing: this host has no key that could unwrap it.
            DecryptionError: the key that this host has is wrong, or its use was refused.
            DamagedError: the bytes were changed, or are those of another context or another key.
        """
        ...


class KeySource(Protocol):
    """A recipient as it was configured: it makes what wraps and unwraps for it. Thread-safe."""

    @property
    def kind(self) -> str:
        """The kind of the recipient."""
        ...

    def is_for(self, recipient: Recipient) -> bool:
        """Whether it is exactly this recipient; False if that takes time to find out."""
        ...

    def wrapper(self, known: Recipient | None = None) -> KeyWrapper:
        """Return what wraps and unwraps for the recipient.

        Args:
            known: the recipient of this kind in the key ring, or of a data key. A passphrase takes
                its salt from it; without it, a new one.

        Raises:
            ConfigurationError: there is no usable key.
            DamagedError: `known` has not the form of such a recipient.
        """
        ...
