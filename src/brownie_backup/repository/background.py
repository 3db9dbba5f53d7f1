"""Doing something in a thread that keeps nobody waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, and return at once what will come of it.

    Whoever does not want to wait any longer just goes: the process ends without the thread, which
    an executor's threads would keep it from. So a store that never answers can be left behind.
    """
    future: Future[T] = Future()
    threading.Thread(target=_work, args=(call, future), name="store", daemon=True).start()
    return future


def _work(call: Callable[[], T], future: Future[T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
        del future  # else the error's frames and the future would keep each other, and a blob
    else:
        future.set_result(result)
