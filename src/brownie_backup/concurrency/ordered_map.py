"""A crew of threads that waits for a store's answers."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from brownie_backup.concurrency.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

CREW = 8
"""How many requests for small objects are on their way at once."""

T = TypeVar("T")
R = TypeVar("R")


@frozen
class Crew:
    """Threads that do one thing to many items."""

    _pool: Threads

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what `work` returns for each item, in order, a few items ahead.

        What it raises for one is raised here; with the crew's block ends what is not begun.
        """
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) >= 2 * CREW:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def crew() -> Iterator[Crew]:
    """Have a crew while the block runs; at its end nobody is at work any more."""
    pool = Threads(CREW, thread_name_prefix="store")
    try:
        yield Crew(pool)
    finally:
        pool.shutdown(cancel_futures=True)
