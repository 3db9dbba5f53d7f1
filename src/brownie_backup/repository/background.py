"""Doing something in a thread that keeps nobody waiting."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from brownie_backup.threads import make_thread

T = TypeVar("T")

CLOSING_SECONDS = 10.0
"""How long the leases in several stores may take to be released; after that they expire."""


def begin(call: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, and return at once what will come of it.

    Whoever does not want to wait any longer just goes: the process ends without the thread, which
    an executor's threads would keep it from. So a store that never answers can be left behind.
    """
    future: Future[T] = Future()
    make_thread(partial(_work, call, future), "background").start()
    return future


def _work(call: Callable[[], T], future: Future[T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
        del future  # else the error's frames and the future would keep each other, and a blob
    else:
        future.set_result(result)


def close_all(stacks: Sequence[ExitStack]) -> None:
    """Leave what was entered, of several stores at once, so that one that hangs keeps no other."""
    if len(stacks) == 1:
        stacks[0].close()
        return
    done, _ = wait([begin(stack.close) for stack in stacks], CLOSING_SECONDS)
    for future in done:
        future.result()
