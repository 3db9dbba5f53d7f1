"""Telling a caller how far the work is, from whatever thread does it."""

import threading
from collections.abc import Callable

from brownie_backup.reports import Progress

OnProgress = Callable[[Progress], None]


class Meter:
    """Adds up bytes and reports each change."""

    def __init__(self, on_progress: OnProgress | None, phase: str, total: int | None) -> None:
        self._on_progress = on_progress
        self._phase = phase
        self.total = total
        self._done = 0
        self._lock = threading.Lock()

    @property
    def done_bytes(self) -> int:
        """How many bytes are done."""
        return self._done

    def add(self, size_bytes: int) -> None:
        """Count more bytes as done."""
        with self._lock:
            self._done += size_bytes
            if self._on_progress:
                self._on_progress(Progress(self._phase, self._done, self.total))
