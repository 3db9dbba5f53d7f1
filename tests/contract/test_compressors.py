"""Every compressor keeps the promises of `brownie_backup.protocols.Compressor`."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import contextlib
import gzip
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.errors import DamagedError
from brownie_backup.protocols import Compressor
from brownie_backup.testing import CompressorContract

DETECTING = (Zstd(), Zstd(level=19), Gzip(), Gzip(level=9))
contents = st.binary(max_size=5000) | st.builds(bytes.__mul__, st.binary(), st.integers(0, 500))


class TestZstd(CompressorContract):
    @pytest.fixture
    def compressor(self) -> Zstd:
        return Zstd()


class TestGzip(CompressorContract):
    @pytest.fixture
    def compressor(self) -> Gzip:
        return Gzip()


class TestUncompressed(CompressorContract):
    detects_damage = False

    @pytest.fixture
    def compressor(self) -> Uncompressed:
        return Uncompressed()


@pytest.mark.parametrize("compressor", [*DETECTING, Uncompressed()], ids=repr)
@given(data=contents)
def test_any_bytes_come_back(compressor: Compressor, data: bytes) -> None:
    assert compressor.decompress(compressor.compress(data), len(data)) == data


@pytest.mark.parametrize("compressor", DETECTING, ids=repr)
@given(data=contents, picked=st.data())
def test_any_flipped_bit_raises_or_means_nothing(
    compressor: Compressor, data: bytes, picked: st.DataObject
) -> None:
    packed = bytearray(compressor.compress(data))
    bit = picked.draw(st.integers(0, len(packed) * 8 - 1))
    packed[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(DamagedError):
        assert compressor.decompress(bytes(packed), 32 << 20) == data


@pytest.mark.parametrize("compressor", DETECTING, ids=repr)
@given(data=contents, picked=st.data())
def test_any_cut_tail_raises(compressor: Compressor, data: bytes, picked: st.DataObject) -> None:
    packed = compressor.compress(data)
    length = picked.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(DamagedError):
        compressor.decompress(packed[:length], 32 << 20)


@pytest.mark.parametrize("compressor", DETECTING, ids=repr)
@given(data=st.binary(max_size=200))
def test_any_other_bytes_raise(compressor: Compressor, data: bytes) -> None:
    with pytest.raises(DamagedError):
        compressor.decompress(data, 32 << 20)


def test_gzip_is_what_every_machine_reads() -> None:
    assert gzip.decompress(Gzip().compress(b"data" * 100)) == b"data" * 100


def test_equal_bytes_are_compressed_equally() -> None:
    for compressor in DETECTING:
        assert compressor.compress(b"data" * 100) == compressor.compress(b"data" * 100)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd program is not installed")
def test_the_zstd_program_reads_zstd() -> None:
    packed = Zstd().compress(b"data" * 100)
    done = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True)
    assert done.stdout == b"data" * 100
