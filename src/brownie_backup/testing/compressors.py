"""The guarantees of every compressor (`brownie_backup.protocols.Compressor`)."""
# ruff: noqa: S101 - these are tests

import os
import random
import re
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from brownie_backup.errors import DamagedError
from brownie_backup.protocols import Compressor
from brownie_backup.testing.optional import leave_out, only_if

_NOISE = random.Random(1).randbytes(1 << 16)  # noqa: S311 - the same in every run
SAMPLES = {
    "empty": b"",
    "one byte": b"\0",
    "text": b"COPY public.orders (id, total) FROM stdin;\n" * 500,
    "noise": _NOISE,
    "all bytes": bytes(range(256)),
    "zeros": bytes(1 << 20),
}
_SHORT_SECONDS = 0.02


class CompressorContract:
    """Tests that a compressor keeps its guarantees.

    A subclass provides the fixture `compressor`. One that can't detect damage sets ``detects_damage
    = False``; the names of blobs detect it then.
    """

    detects_damage = True

    def __init_subclass__(cls) -> None:
        """Leave out guarantees that the subclass does not give."""
        if not cls.detects_damage:
            leave_out(cls, "detects_damage")

    @pytest.fixture
    def compressor(self) -> Compressor:
        """Return a compressor."""
        raise NotImplementedError

    def test_its_name_is_short_and_stays(self, compressor: Compressor) -> None:
        """It stands in every manifest and in the hash that names a blob."""
        assert re.fullmatch(r"[a-z][a-z0-9-]{1,20}", compressor.name)
        assert compressor.name == compressor.name

    @pytest.mark.parametrize("sample", SAMPLES)
    def test_the_original_comes_back(self, compressor: Compressor, sample: str) -> None:
        """Whatever the bytes, and with a limit of exactly their number."""
        data = SAMPLES[sample]
        packed = compressor.compress(data)
        assert type(packed) is bytes
        assert compressor.decompress(packed, len(data)) == data
        assert compressor.decompress(packed, 32 << 20) == data

    def test_more_than_the_limit_is_damage(self, compressor: Compressor) -> None:
        """By one byte, or by a lot; a negative limit is none at all for some libraries."""
        packed = compressor.compress(SAMPLES["text"])
        for limit in (len(SAMPLES["text"]) - 1, 1, 0, -1, -(1 << 70)):
            with pytest.raises(DamagedError):
                compressor.decompress(packed, limit)

    def test_a_bomb_is_not_unpacked(self, compressor: Compressor) -> None:
        """Memory follows the limit, not what the bytes would unpack to."""
        packed = compressor.compress(bytes(64 << 20))
        tracemalloc.start()
        try:
            with pytest.raises(DamagedError):
                compressor.decompress(packed, 1000)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20

    @only_if("detects_damage")
    @pytest.mark.parametrize("sample", SAMPLES)
    def test_a_cut_tail_raises(self, compressor: Compressor, sample: str) -> None:
        """However much of it: nothing, one byte, or all but one byte is left."""
        packed = compressor.compress(SAMPLES[sample])
        lengths = {*range(min(len(packed), 300)), *range(max(len(packed) - 300, 0), len(packed))}
        for length in sorted(lengths):
            with pytest.raises(DamagedError):
                compressor.decompress(packed[:length], len(SAMPLES[sample]))

    @only_if("detects_damage")
    @pytest.mark.parametrize("sample", ["empty", "one byte", "text", "all bytes"])
    def test_a_flipped_bit_never_gives_other_bytes(
        self, compressor: Compressor, sample: str
    ) -> None:
        """It raises, unless the bit means nothing (gzip's time stamp): then the original comes."""
        data = SAMPLES[sample]
        packed = compressor.compress(data)
        refused = 0
        for bit in range(len(packed) * 8):
            changed = bytearray(packed)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                assert compressor.decompress(bytes(changed), 32 << 20) == data
            except DamagedError:
                refused += 1
        assert refused > 0

    @only_if("detects_damage")
    def test_other_bytes_are_refused(self, compressor: Compressor) -> None:
        """Input of other programs, and data after a compressed blob."""
        packed = compressor.compress(b"data")
        for data in (_NOISE, b"\0" * 100, b"hello", packed + b"\0", packed + packed):
            with pytest.raises(DamagedError):
                compressor.decompress(data, 32 << 20)

    def test_threads_may_share_it(self, compressor: Compressor) -> None:
        """Each gets its own bytes back."""

        def work(thread: int) -> None:
            data = bytes([thread]) * 100_000 + os.urandom(1000)
            for _ in range(10):
                assert compressor.decompress(compressor.compress(data), len(data)) == data

        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(work, range(8)):
                pass

    def test_other_threads_run_meanwhile(self, compressor: Compressor) -> None:
        """The GIL is free for most of the time: the longest pause of another thread is short."""
        data = SAMPLES["noise"] * 256 + SAMPLES["text"] * 256
        packed = compressor.compress(data)
        for work in (
            lambda: compressor.compress(data),
            lambda: compressor.decompress(packed, len(data)),
        ):
            # A busy machine makes pauses too, so take the best of a few; a held GIL always makes
            # one.
            assert any(_pause(work) < 0.5 for _ in range(5))  # noqa: PLR2004 - half of the time


def _pause(work: object) -> float:
    """Return the longest pause of this thread, as a share of the time that `work` takes."""
    assert callable(work)
    thread = threading.Thread(target=work)
    longest = 0.0
    started = last = time.perf_counter()
    thread.start()
    while thread.is_alive():
        time.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    took = time.perf_counter() - started
    return longest / took if took > _SHORT_SECONDS else 0.0
