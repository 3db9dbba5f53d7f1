"""Doing something in a thread without making the caller wait."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from brownie_backup.concurrency.threads import carrying

T = TypeVar("T")

CLOSING_SECONDS = 10.0
"""How long releasing the leases in several stores may take; after that they expire."""

_Queue: TypeAlias = "SimpleQueue[Callable[[], None]]"


class BackgroundThreads:
    """Background threads that wait a little for more work. Thread-safe.

    Starting a thread costs more than most calls of a local store.

    Args:
        idle_seconds: how long a thread without work waits for some, before it ends.
    """

    def __init__(self, idle_seconds: float = 2.0) -> None:
        self._idle_seconds = idle_seconds
        self._idle: list[_Queue] = []
        """The queues on which idle threads wait for work. A list's operations are atomic."""
        os.register_at_fork(after_in_child=self._idle.clear)  # it refers to none of the threads

    def begin(self, call: Callable[[], T]) -> Future[T]:
        """Do something in a separate thread, and return at once.

        A caller that does not want to wait any longer can leave: the process can end without the
        thread, which an executor's threads would not allow. So a store that never answers can be
        left behind.
        """
        future: Future[T] = Future()
        work = carrying(partial(_work, call, future))
        try:
            todo = self._idle.pop()
        except IndexError:
            todo = SimpleQueue()
            serve = partial(self._serve, todo)
            threading.Thread(target=serve, name="background", daemon=True).start()
        todo.put(work)
        return future

    def _serve(self, todo: _Queue) -> None:
        """Work in a thread, as long as there is something to do every few seconds."""
        while True:
            try:
                work = todo.get(timeout=self._idle_seconds)
            except Empty:
                try:
                    self._idle.remove(todo)
                except ValueError:  # a caller has just taken it, and is about to put work in
                    work = todo.get()
                else:
                    return
            work()
            del work  # its arguments may hold a blob
            self._idle.append(todo)


_THREADS = BackgroundThreads()
begin = _THREADS.begin


def _work(call: Callable[[], T], future: Future[T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
        # otherwise the error's frames and the future would keep each other, and a blob, alive
        del future
    else:
        future.set_result(result)


def release_all(releases: Sequence[Callable[[], None]]) -> None:
    """Close several stores at once, so that one that hangs does not delay the others."""
    if len(releases) == 1:
        releases[0]()
        return
    done, _ = wait([begin(release) for release in releases], CLOSING_SECONDS)
    for future in done:
        future.result()
