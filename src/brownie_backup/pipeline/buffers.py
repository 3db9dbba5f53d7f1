"""Memory for blobs: a few buffers, shared by all streams that are being read."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Semaphore

from brownie_backup.concurrency.threads import Threads
from brownie_backup.pipeline.writer import StoredBlob

MOST_BUFFERS = 5
"""The most buffers in a process, whatever number of jobs is configured. With the compressed and
encrypted forms, which have a limit of their own, a process stays below 300 MiB."""

Put = Callable[[memoryview], StoredBlob]


class BufferPool:
    """Buffers of the size of a blob, for the threads of a process.

    They are used again and again: new memory of this size costs about as much time as compressing.
    """

    def __init__(self, blob_bytes: int, most: int = MOST_BUFFERS) -> None:
        self._blob_bytes = blob_bytes
        self._left = Semaphore(most)
        self._used_before: list[bytearray] = []

    def take(self) -> bytearray:
        """Return a buffer, as soon as one is free."""
        self._left.acquire()
        try:
            return self._used_before.pop()
        except IndexError:
            return bytearray(self._blob_bytes)

    def give(self, buffer: bytearray) -> None:
        """Take a buffer back, from any thread."""
        self._used_before.append(buffer)
        self._left.release()


class StreamBuffers:
    """The buffers of one stream: one is being filled while the blobs in others are stored.

    So neither the server nor the processor waits for the other.

    Args:
        pool: the buffers come from there, and go back as soon as their blobs are stored.
        at_once: how many blobs of the stream are stored at once.
    """

    def __init__(self, pool: BufferPool, at_once: int = 1) -> None:
        self._pool = pool
        self._at_once = at_once
        self._threads = Threads(at_once, thread_name_prefix="blob")
        self._storing: deque[Future[StoredBlob]] = deque()
        self._filling: bytearray | None = None

    def buffer(self) -> bytearray:
        """Return a buffer to fill; raise the error of a blob that could not be stored."""
        while len(self._storing) > self._at_once:
            self._storing.popleft().result()
        self._filling = self._filling or self._pool.take()
        return self._filling

    def put(self, put: Put, chunk: memoryview) -> Future[StoredBlob]:
        """Store what is in the buffer that the last call returned."""
        buffer, self._filling = self._filling, None
        future = self._threads.submit(put, chunk)
        if buffer is not None:
            future.add_done_callback(lambda _: self._pool.give(buffer))
        self._storing.append(future)
        return future

    def close(self) -> None:
        """Start no more blobs, and wait for those that are being stored."""
        self._threads.shutdown(cancel_futures=True)
        if self._filling is not None:
            self._pool.give(self._filling)
            self._filling = None
