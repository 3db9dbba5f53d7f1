"""Threads that inherit their context: the operation, for the log, and the span, for traces.

Both are context variables, which a plain thread does not inherit from its creator.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A pool whose threads run each piece of work in the context of its submitter."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin `fn` in a thread, as soon as one is free."""
        return super().submit(carrying(fn), *args, **kwargs)


def make_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Return a thread, not started yet, that no process waits for at its end."""
    return threading.Thread(target=carrying(work), name=name, daemon=True)


def carrying(work: Callable[P, T]) -> Callable[P, T]:
    """Return `work` bound to the current context, to be run once in any thread of this process."""
    return partial(copy_context().run, work)
