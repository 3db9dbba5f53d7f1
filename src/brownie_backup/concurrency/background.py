"""Doing something in a thread that keeps nobody waiting."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from brownie_backup.concurrency.threads import carrying

T = TypeVar("T")

_IDLE_SECONDS = 2.0
_IDLE: list["SimpleQueue[Callable[[], None]]"] = []
"""Where threads that have nothing to do wait for something: to start one costs more than most calls
of a local store do. A list's operations are atomic."""
os.register_at_fork(after_in_child=_IDLE.clear)  # it has none of the threads

CLOSING_SECONDS = 10.0
"""How long the leases in several stores may take to be released; after that they expire."""


def begin(call: Callable[[], T]) -> Future[T]:
    """Do something in a thread that does nothing else, and return at once what will come of it.

    Whoever does not want to wait any longer just goes: the process ends without the thread, which
    an executor's threads would keep it from. So a store that never answers can be left behind.
    """
    future: Future[T] = Future()
    work = carrying(partial(_work, call, future))
    try:
        todo = _IDLE.pop()
    except IndexError:
        todo = SimpleQueue()
        threading.Thread(target=_serve, args=(todo,), name="background", daemon=True).start()
    todo.put(work)
    return future


def _serve(todo: "SimpleQueue[Callable[[], None]]") -> None:
    """Work in a thread, as long as there is something to do every few seconds."""
    while True:
        try:
            work = todo.get(timeout=_IDLE_SECONDS)
        except Empty:
            try:
                _IDLE.remove(todo)
            except ValueError:  # somebody has just taken it, and is about to put something in
                work = todo.get()
            else:
                return
        work()
        del work  # what it was about may be a blob
        _IDLE.append(todo)


def _work(call: Callable[[], T], future: Future[T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
        del future  # else the error's frames and the future would keep each other, and a blob
    else:
        future.set_result(result)


def release_all(releases: Sequence[Callable[[], None]]) -> None:
    """Leave several stores at once, so that one that hangs keeps no other."""
    if len(releases) == 1:
        releases[0]()
        return
    done, _ = wait([begin(release) for release in releases], CLOSING_SECONDS)
    for future in done:
        future.result()
