"""Zstandard, by the standard library's API (PEP 784; `backports.zstd` before Python 3.14)."""

import sys

from attrs import frozen

from brownie_backup.errors import DamagedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@frozen
class Zstd:
    """Zstandard frames with a content checksum, readable by the ``zstd`` program.

    Level 1 keeps up with the dump on one core; 3 and more store less and take longer.
    """

    level: int = 1

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        return "zstd"

    def compress(self, data: bytes | memoryview) -> bytes:
        """Return `data` as one zstd frame."""
        options = {
            int(zstd.CompressionParameter.compression_level): self.level,
            int(zstd.CompressionParameter.checksum_flag): 1,
        }
        return zstd.compress(data, options=options)

    def decompress(self, data: bytes, size_limit: int) -> bytes:
        """Return the original bytes, or raise `DamagedError`."""
        size_limit = max(size_limit, 0)  # a negative one would mean none
        frame = zstd.ZstdDecompressor()
        try:
            # One byte more than allowed shows a frame that holds too much, without unpacking it.
            plain = frame.decompress(data, max_length=size_limit + 1)
        except zstd.ZstdError as error:
            msg = f"not a whole zstd frame ({error})"
            raise DamagedError(msg) from None
        if not frame.eof or frame.unused_data or len(plain) > size_limit:
            msg = "a zstd frame is cut, followed by other bytes, or larger than recorded"
            raise DamagedError(msg)
        return plain
