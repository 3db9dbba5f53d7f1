"""No encryption, for those who ask for it by name."""

from attrs import frozen


@frozen
class Cleartext:
    """Bytes as they are. It can't tell a changed byte; the blob's name does."""

    @property
    def method(self) -> str:
        """What the manifest calls it."""
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
