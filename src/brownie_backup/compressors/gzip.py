"""gzip, for blobs that any machine can read with standard tools."""

import zlib

from attrs import frozen

from brownie_backup.errors import DamagedError

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@frozen
class Gzip:
    """One gzip member, with its CRC, readable by ``gzip -d``."""

    level: int = 6

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        return "gzip"

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data` as one gzip member, without a time stamp in it."""
        return zlib.compress(data, self.level, wbits=_GZIP_WINDOW)

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return the original bytes, or raise `DamagedError`."""
        size_limit = max(size_limit, 0)  # a negative one would mean none
        member = zlib.decompressobj(wbits=_GZIP_WINDOW)
        try:
            plain = member.decompress(data, size_limit + 1)
        except zlib.error as error:
            msg = f"not a whole gzip member ({error})"
            raise DamagedError(msg) from None
        if not member.eof or member.unused_data or len(plain) > size_limit:
            msg = "a gzip member is cut, followed by other bytes, or larger than recorded"
            raise DamagedError(msg)
        return plain
