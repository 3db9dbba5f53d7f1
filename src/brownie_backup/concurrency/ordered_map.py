"""A pool of threads that wait for a store, and yield results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from brownie_backup.concurrency.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

THREADS = 8
"""The most requests for small objects at the same time."""

T = TypeVar("T")
R = TypeVar("R")


@frozen
class OrderedMap:
    """Threads that do one thing to many items."""

    _pool: Threads

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what `work` returns for each item, in order, a few items ahead.

        An error for one item is raised here; leaving the block cancels calls that have not begun.
        """
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) >= 2 * THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def thread_pool() -> Iterator[OrderedMap]:
    """Open the pool for the block; when it ends, no call is running."""
    pool = Threads(THREADS, thread_name_prefix="store")
    try:
        yield OrderedMap(pool)
    finally:
        pool.shutdown(cancel_futures=True)
