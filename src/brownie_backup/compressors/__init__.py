"""Implementations of `brownie_backup.protocols.Compressor`."""

from brownie_backup.compressors.gzip import Gzip
from brownie_backup.compressors.none import Uncompressed
from brownie_backup.compressors.zstd import Zstd

__all__ = ["Gzip", "Uncompressed", "Zstd"]
