"""A recipient whose wrapper needs nothing of the key ring: an OpenPGP key, or a key service."""

from attrs import frozen

from brownie_backup.errors import BackupError
from brownie_backup.model.keys import Recipient
from brownie_backup.protocols import KeyWrapper


@frozen
class GivenSource:
    """A recipient as it was configured.

    Args:
        kind: of the recipient.
        given: wraps for it.
    """

    kind: str
    given: KeyWrapper

    def is_for(self, recipient: Recipient) -> bool:
        """Whether it is exactly this recipient."""
        try:
            return self.given.recipient == recipient
        except BackupError:  # this host has no key to wrap with
            return False

    def wrapper(self, known: Recipient | None = None) -> KeyWrapper:
        """Return what wraps for the recipient, and may unwrap what names another of its names."""
        del known
        return self.given
