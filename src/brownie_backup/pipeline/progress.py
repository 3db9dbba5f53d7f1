"""Reporting progress to the caller, from any thread."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from attrs import define

from brownie_backup.model.reports import PartProgress, Progress

OnProgress = Callable[[Progress], None]


class Piece(Protocol):
    """A part, or one segment of it: a `PartSpec`, or a stored part's counterpart."""

    @property
    def name(self) -> str:
        """The part's name in messages."""
        ...

    @property
    def segment(self) -> str:
        """The key of the segment; empty for a whole part."""
        ...

    @property
    def estimate_bytes(self) -> int | None:
        """An estimate of the work."""
        ...


class Meter:
    """Adds up bytes and reports each change."""

    def __init__(self, on_progress: OnProgress | None, phase: str, total: int | None) -> None:
        self._on_progress = on_progress
        self._phase = phase
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """Count more finished bytes."""
        with self._lock:
            self._done += size_bytes
            if self._on_progress:
                self._on_progress(Progress(self._phase, self._done, self._total))


@define
class _Part:
    """The progress of a part while its pieces are processed."""

    name: str
    pieces: int = 0
    rows: int | None = None
    size_bytes: int = 0
    began: float | None = None

    def progress(self, *, ended: bool) -> PartProgress:
        """Return it in the form of the report."""
        took = timedelta(seconds=time.monotonic() - self.began if self.began else 0)
        return PartProgress(self.name, self.rows, self.size_bytes, took, ended)


class PartMeter:
    """Counts pieces of parts by the estimated size of each, and reports each change.

    A piece counts as many bytes as it yields, but no more than its estimate. When it ends, the rest
    of its estimate is counted. So progress never goes back, and reaches the total in the end. A
    piece without an estimate counts the bytes that it yields; then there is no total.
    """

    def __init__(self, on_progress: OnProgress | None, phase: str) -> None:
        self._on_progress = on_progress
        self._phase = phase
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], int | None] = {}
        self._parts: dict[str, _Part] = {}
        self._done = 0
        self._total: int | None = None

    def plan(self, pieces: Iterable[Piece]) -> None:
        """Set the work to do, before any of it is done."""
        with self._lock:
            for piece in pieces:
                self._left[_key(piece)] = piece.estimate_bytes
                part = self._parts.setdefault(piece.name, _Part(piece.name))
                part.pieces += 1
            estimates = [each for each in self._left.values() if each is not None]
            if len(estimates) == len(self._left):
                self._total = self._done + sum(estimates)

    def begin(self, piece: Piece) -> None:
        """Report that a worker starts a piece."""
        with self._lock:
            part = self._parts.get(piece.name)
            if part and part.began is None:
                part.began = time.monotonic()
                self._tell(part)

    def add(self, piece: Piece, size_bytes: int) -> None:
        """Count bytes that a piece yielded."""
        with self._lock:
            key = _key(piece)
            if key not in self._left:
                return
            self._parts[piece.name].size_bytes += size_bytes
            left = self._left[key]
            if left is not None:
                size_bytes = min(size_bytes, left)
                self._left[key] = left - size_bytes
            self._done += size_bytes
            self._tell(self._parts[piece.name])

    def end(self, piece: Piece, rows: int | None) -> None:
        """Count a piece as done, once; the last piece of a part ends the part."""
        with self._lock:
            key = _key(piece)
            if key not in self._left:
                return
            self._done += self._left.pop(key) or 0
            part = self._parts[piece.name]
            part.pieces -= 1
            if rows is not None:
                part.rows = (part.rows or 0) + rows
            self._tell(part, ended=not part.pieces)

    def _tell(self, part: _Part, *, ended: bool = False) -> None:
        if self._on_progress:
            seen = part.progress(ended=ended)
            self._on_progress(Progress(self._phase, self._done, self._total, seen))


def _key(piece: Piece) -> tuple[str, str]:
    return piece.name, piece.segment
