"""A budget that threads share, and the buffers of a process."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.concurrency.budget import Budget
from brownie_backup.model import BlobRef
from brownie_backup.pipeline.buffers import BufferPool, StreamBuffers
from brownie_backup.pipeline.writer import StoredBlob
from brownie_backup.repository.blobs.chunks import refilled

SOON_SECONDS = 0.2


def test_no_more_than_the_budget_is_taken_at_any_time() -> None:
    budget = Budget(100)
    lock = threading.Lock()
    held = most = 0

    def work(amount: int) -> None:
        nonlocal held, most
        with budget.taking(amount):
            with lock:
                held += amount
                most = max(most, held)
            threading.Event().wait(0.001)
            with lock:
                held -= amount

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [30, 50, 70, 10] * 50))
    assert 70 <= most <= 100


def test_more_than_the_budget_means_all_of_it() -> None:
    budget = Budget(100)
    with budget.taking(1000) as share:
        assert share.amount == 100
    with budget.taking(100):
        pass


def test_a_smaller_share_lets_others_go_on_at_once() -> None:
    budget = Budget(100)
    done = threading.Event()

    def other() -> None:
        with budget.taking(80):
            done.set()

    with budget.taking(100) as share:
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        share.shrink(30)
        assert not done.wait(SOON_SECONDS)
        share.shrink(20)
        share.shrink(90)  # no share grows again
        assert done.wait(60)
    thread.join()
    with budget.taking(100):
        pass


def test_a_budget_is_whole_again_after_an_error() -> None:
    budget = Budget(100)
    with pytest.raises(ValueError, match="bad"), budget.taking(100):
        raise ValueError("bad")
    with budget.taking(100):
        pass


def stored(data: memoryview) -> StoredBlob:
    return StoredBlob(BlobRef("0" * 64, len(data), len(data)), new=True)


@pytest.mark.parametrize("puts", [0, 1, 5])
def test_all_buffers_come_back(puts: int) -> None:
    """Also after an error, and when a buffer was never filled."""
    pool = BufferPool(10, most=2)

    def refuse(_: memoryview) -> StoredBlob:
        raise ValueError("bad")

    for put in (stored, refuse):
        buffers = StreamBuffers(pool)
        try:
            for _ in range(puts):
                buffers.put(put, memoryview(buffers.buffer()))
            buffers.buffer()
        except ValueError:
            assert put is refuse
        finally:
            buffers.close()
    assert [len(pool.take()), len(pool.take())] == [10, 10]


def test_streams_wait_for_each_others_buffers() -> None:
    pool = BufferPool(10, most=1)
    first = StreamBuffers(pool)
    second = StreamBuffers(pool)
    buffer = first.buffer()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(second.buffer)
        with pytest.raises(TimeoutError):
            waiting.result(SOON_SECONDS)
        first.put(stored, memoryview(buffer)).result()
        assert waiting.result(60) is buffer
    first.close()
    second.close()


@given(st.lists(st.binary(max_size=30)), st.integers(1, 10), st.integers(0, 10))
def test_a_stream_is_cut_into_pieces_as_long_as_a_buffer(
    pieces: list[bytes], size: int, head: int
) -> None:
    """A buffer is asked for only if there is something to put into it."""
    data = b"".join(pieces)
    head = min(head, size)
    asked = []

    def buffer() -> bytearray:
        asked.append(size)
        return bytearray(size)

    cut = [bytes(piece) for piece in refilled(pieces, buffer, head=head)]
    first = head or size
    rest = data[first:]
    expected = [data[:first], *(rest[at : at + size] for at in range(0, len(rest), size))]
    assert cut == [piece for piece in expected if piece]
    assert len(asked) == len(cut)
