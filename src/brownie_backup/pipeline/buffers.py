"""Two buffers in turn: one is filled while the other's blob is stored."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from attrs import define

from brownie_backup.concurrency.threads import Threads
from brownie_backup.pipeline.writer import StoredBlob

Put = Callable[[memoryview], StoredBlob]


@define(eq=False)
class _Slot:
    """Memory for one blob, and the pending work on its content."""

    memory: bytearray
    busy: Future[StoredBlob] | None = None


class DoubleBuffer:
    """Stores blobs in its own thread, in order, from two buffers that are reused.

    While one is compressed, encrypted and stored, the other is filled: so neither the server nor
    the processor waits for the other.

    Args:
        blob_bytes: how long each buffer is.
    """

    def __init__(self, blob_bytes: int) -> None:
        self._pool = Threads(1, thread_name_prefix="buffer")
        self._buffers = deque(_Slot(bytearray(blob_bytes)) for _ in range(2))

    def buffer(self) -> bytearray:
        """Return a buffer to fill; raise the error of the blob that was in it.

        A caller that has nothing to put into it may simply ask for the next one.
        """
        self._buffers.rotate()
        current = self._buffers[0]
        if current.busy:
            current.busy.result()
        return current.memory

    def put(self, put: Put, chunk: memoryview) -> Future[StoredBlob]:
        """Store the buffer that the last call returned."""
        future = self._pool.submit(put, chunk)
        self._buffers[0].busy = future
        return future

    def close(self) -> None:
        """Start no more blobs, and wait for the current one."""
        self._pool.shutdown(cancel_futures=True)
