"""No encryption, for users who ask for it by name."""

from attrs import frozen


@frozen
class Cleartext:
    """Bytes as they are. It can't detect a changed byte; the blob's name does."""

    @property
    def method(self) -> str:
        """Its name in the manifest."""
        return "none"

    def identity(self, salt: bytes) -> str:
        """Return the same for every store: there is no key."""
        del salt
        return "none"

    def encrypt(self, data: bytes) -> bytes:
        """Return `data`."""
        return data

    def decrypt(self, data: bytes) -> bytes:
        """Return `data`."""
        return data
