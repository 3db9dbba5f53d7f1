"""Telling a caller how far the work is, from whatever thread does it."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from attrs import define

from brownie_backup.model.reports import PartProgress, Progress

OnProgress = Callable[[Progress], None]


class Piece(Protocol):
    """A part, or one segment of it: a `PartSpec`, or what is known of a stored one."""

    @property
    def name(self) -> str:
        """What people call the part."""
        ...

    @property
    def segment(self) -> str:
        """The key of the segment; empty for a whole part."""
        ...

    @property
    def estimate_bytes(self) -> int | None:
        """About how much work it is."""
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
        """Count more bytes as done."""
        with self._lock:
            self._done += size_bytes
            if self._on_progress:
                self._on_progress(Progress(self._phase, self._done, self._total))


@define
class _Part:
    """What is known of a part while its pieces are worked on."""

    name: str
    pieces: int = 0
    rows: int | None = None
    size_bytes: int = 0
    began: float | None = None

    def progress(self, *, ended: bool) -> PartProgress:
        """Return it as it is told."""
        took = timedelta(seconds=time.monotonic() - self.began if self.began else 0)
        return PartProgress(self.name, self.rows, self.size_bytes, took, ended)


class PartMeter:
    """Counts pieces of parts by what each was estimated to be, and reports each change.

    A piece counts as many bytes as it yields, but no more than its estimate, and what is left of
    that when it ends. So what is done never goes back, and is the total in the end. A piece without
    an estimate counts what it yields; then there is no total.
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
        """Say what there is to do, before any of that is done."""
        with self._lock:
            for piece in pieces:
                self._left[_key(piece)] = piece.estimate_bytes
                part = self._parts.setdefault(piece.name, _Part(piece.name))
                part.pieces += 1
            estimates = [each for each in self._left.values() if each is not None]
            if len(estimates) == len(self._left):
                self._total = self._done + sum(estimates)

    def begin(self, piece: Piece) -> None:
        """Tell that somebody works on a piece."""
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
        """Count a piece as done, once; the last of a part ends that."""
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
