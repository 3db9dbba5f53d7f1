"""No compression."""

from attrs import frozen

from brownie_backup.errors import DamagedError


@frozen
class Uncompressed:
    """Bytes as they are. It can't detect a changed byte; the blob's name does."""

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        return "none"

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data`."""
        return data if isinstance(data, bytes) else bytes(data)

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return `data`, or raise `DamagedError` when it is larger than recorded."""
        if len(data) > size_limit:
            msg = f"{len(data)} bytes, recorded were {size_limit}"
            raise DamagedError(msg)
        return data
