"""How a program ends: a signal interrupts the main thread, which then cleans up."""

import os
import signal
import threading
from types import FrameType
from typing import NoReturn

ENDED_BY = 128
"""A larger exit status tells which signal ended the program."""
_GRACE_SECONDS = 25  # Kubernetes and others kill after 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminatedBySignal(BaseException):
    """A signal asked us to end. Not an Exception, so that no handler on the way catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"ended by {signal.Signals(self.number).name}"


def end_on_signals() -> None:
    """From now on, raise `TerminatedBySignal` in the main thread when we are asked to end."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    # Once is enough: a second signal must not interrupt the cleanup.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    # A hanging store or program must not keep us running for ever.
    last = threading.Timer(_GRACE_SECONDS, os._exit, [ENDED_BY + number])
    last.daemon = True
    last.start()
    raise TerminatedBySignal(number)
