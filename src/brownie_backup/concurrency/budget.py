"""A budget that threads share: each takes what it needs, and waits while too little is left."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """An amount of something, such as memory.

    A thread takes all that it needs in one go and never asks for more, so no two wait for each
    other.
    """

    def __init__(self, amount: int) -> None:
        self._most = amount
        self._left = amount
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, amount: int) -> Iterator["Share"]:
        """Take an amount while the block runs; more than there is means all of it."""
        share = Share(self, min(amount, self._most))
        with self._changed:
            self._changed.wait_for(lambda: self._left >= share.amount)
            self._left -= share.amount
        try:
            yield share
        finally:
            share.shrink(0)

    def give_back(self, amount: int) -> None:
        """Add an amount that is no longer needed."""
        with self._changed:
            self._left += amount
            self._changed.notify_all()


class Share:
    """The part of a budget that a thread holds."""

    def __init__(self, budget: Budget, amount: int) -> None:
        self.amount = amount
        self._budget = budget

    def shrink(self, amount: int) -> None:
        """Keep no more than this, and give the rest back."""
        spare = self.amount - amount
        if spare > 0:
            self.amount = amount
            self._budget.give_back(spare)
