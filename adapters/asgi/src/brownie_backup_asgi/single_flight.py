"""Shares one read among concurrent requests, because a running backup needs most of the CPU."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar, cast

from attrs import define, field, frozen

T = TypeVar("T")


@define
class _Call:
    """The running read, and the next one, which requests can still join."""

    current: Future[Any] | None = None
    following: Future[Any] | None = None


@frozen
class SingleFlight:
    """Does reads in threads; requests that wait for the same read share its result.

    No request gets the result of a read that started before the request came: a backup that exists
    by then is in the result.
    """

    executor: Executor
    _lines: dict[str, _Call] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    async def read(self, key: str, work: Callable[[], T]) -> T:
        """Return what `work` returns. Reads with the same key run one at a time."""
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
        # A client that disconnects must not cancel the read of the others.
        return cast("T", await asyncio.shield(asyncio.wrap_future(future)))

    def _start(self, key: str, future: Future[Any], work: Callable[[], Any]) -> None:
        self.executor.submit(self._do, key, future, work)

    def _next(self, key: str, work: Callable[[], Any]) -> None:
        with self._lock:
            line = self._lines[key]
            assert line.following is not None  # noqa: S101 - the caller has just set it
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
        """Forget the key if no other request waits, so that the next read starts at once."""
        with self._lock:
            line = self._lines[key]
            if line.following is None:
                del self._lines[key]


def _pending() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
