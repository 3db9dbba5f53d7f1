"""Reads that many ask for at once are done once: what a backup leaves of a processor is little."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar, cast

from attrs import define, field, frozen

T = TypeVar("T")


@define
class _Call:
    """The read that is being done, and the one after it, which may still be joined."""

    current: Future[Any] | None = None
    following: Future[Any] | None = None


@frozen
class SingleFlight:
    """Does reads in threads; those that wait for the same one get one answer.

    Nobody gets an answer that was begun before it was asked for: a backup that exists by then is in
    it.
    """

    executor: Executor
    _lines: dict[str, _Call] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    async def read(self, key: str, work: Callable[[], T]) -> T:
        """Return what `work` returns; of all that have one key, one is done at a time."""
        with self._lock:
            line = self._lines.setdefault(key, _Call())
            if line.current is None:
                future = line.current = _pending()
                self._start(key, line.current, work)
            elif line.following is None:
                future = line.following = _pending()
                line.current.add_done_callback(lambda _: self._next(key, work))
            else:
                future = line.following
        # A caller that goes away must not take the answer from the others.
        return cast("T", await asyncio.shield(asyncio.wrap_future(future)))

    def _start(self, key: str, future: Future[Any], work: Callable[[], Any]) -> None:
        self.executor.submit(self._do, key, future, work)

    def _next(self, key: str, work: Callable[[], Any]) -> None:
        with self._lock:
            line = self._lines[key]
            assert line.following is not None  # noqa: S101 - who calls has just put it there
            line.current, line.following = line.following, None
            following = line.current
        self._start(key, following, work)

    def _do(self, key: str, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            self._leave(key)
            future.set_exception(error)
        else:
            self._leave(key)
            future.set_result(result)

    def _leave(self, key: str) -> None:
        """Let the next one begin at once, if nobody is in line."""
        with self._lock:
            line = self._lines[key]
            if line.following is None:
                del self._lines[key]


def _pending() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
