"""Output for people and programs: results on stdout, everything else on stderr."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from brownie_backup import Finding, Level, Progress
from brownie_backup.model.reports import OnCount, PartProgress
from brownie_backup.pipeline.progress import OnProgress
from brownie_backup.wording import as_unicode, counted, visible, visible_in_a_cell
from brownie_backup_cli.vocabulary import WORDS

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_GAP = "  "
_STEP = 1024  # from one unit of size to the next
_MINUTE = 60
_CONTROL = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON need not escape, but a terminal may obey."""

_Move = Callable[[str, int, int | None], None]


@frozen
class Output:
    """How much to print, and in which form."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Return the output that the arguments ask for."""
        return cls(arguments.json, arguments.quiet, arguments.verbose)

    def result(self, document: dict[str, Any], lines: Sequence[str]) -> None:
        """Print the result: the document for programs, or the lines for people."""
        if self.as_json:
            print(_json(document))
        elif not self.quiet:
            print(visible("\n".join(lines)))

    def error(self, document: dict[str, Any], lines: Sequence[str]) -> None:
        """Print an error: always on stderr for people, also as JSON if that was asked for."""
        if self.as_json:
            print(_json(document))
        first, *rest = [visible(line) for line in lines if line]
        print(f"brownie-backup: {first}", *rest, sep="\n", file=sys.stderr)

    def warn(self, text: str) -> None:
        """Print a warning."""
        print(visible(f"warning: {text}"), file=sys.stderr)

    def say(self, text: str) -> None:
        """Print a detail, with --verbose only."""
        if self.verbose:
            print(visible(text), file=sys.stderr)

    def findings(self, findings: Sequence[Finding]) -> None:
        """Print warnings and errors; print the other findings with --verbose only."""
        for finding in findings:
            text = f"{finding.subject}: {finding.message}"
            if finding.level is Level.OK:
                self.say(text)
            else:
                text = f"{text}. {finding.hint.worded(WORDS)}" if finding.hint else text
                print(visible(f"{finding.level}: {text}"), file=sys.stderr)

    @contextmanager
    def progress(self) -> Iterator[OnProgress | None]:
        """Show a bar of bytes with rate and time left on stderr, if that is a terminal.

        With --verbose, print a line when each part begins and ends.
        """
        with self._bar(_bytes_and_rate) as move:
            parts = _Parts(self.say)

            def show(seen: Progress) -> None:
                if move:
                    move(seen.phase, seen.done_bytes, seen.total_bytes)
                if seen.part and self.verbose:
                    parts.say(seen.part)

            yield show if move or self.verbose else None

    @contextmanager
    def tally(self) -> Iterator[OnCount | None]:
        """Show a bar of counted items on stderr, if that is a terminal."""
        with self._bar(_count) as move:
            if move is None:
                yield None
            else:
                yield lambda seen: move(seen.phase, seen.done, seen.total)

    @contextmanager
    def _bar(self, columns: "Callable[[], tuple[ProgressColumn, ...]]") -> Iterator["_Move | None"]:
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console  # which takes a while, and most have no terminal
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        shown = (TextColumn("{task.description}"), BarColumn(), *columns(), TimeRemainingColumn())
        with Bars(*shown, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("", total=None)

            def move(phase: str, done: int, total: int | None) -> None:
                # The total of a backup is an estimate: a bar beyond it shows as full.
                known = max(total, done) if total else None
                bars.update(task, description=phase, completed=done, total=known)

            yield move


def _bytes_and_rate() -> "tuple[ProgressColumn, ...]":
    from rich.progress import DownloadColumn, TransferSpeedColumn

    return DownloadColumn(binary_units=True), TransferSpeedColumn()


def _count() -> "tuple[ProgressColumn, ...]":
    from rich.progress import MofNCompleteColumn

    return (MofNCompleteColumn(),)


class _Parts:
    """Prints a line when a part begins, and its figures when it ends."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun: set[str] = set()

    def say(self, part: PartProgress) -> None:
        """Print the progress of a part."""
        name = json.dumps(part.name, ensure_ascii=False)[1:-1]  # it may have line breaks
        if part.ended:
            rows = f"{counted(part.rows, 'row')}, " if part.rows is not None else ""
            took = f"{size(part.read_bytes)} in {span(part.duration)}"
            self._say(f"{name}: {rows}{took if part.duration else 'unchanged, not read'}")
        elif part.name not in self._begun:
            self._begun.add(part.name)
            self._say(f"{name}: started")


def _json(document: dict[str, Any]) -> str:
    """Return JSON that any program reads, and that does nothing to a terminal."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", as_unicode(text))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table's lines. Columns are as wide as their content: a pipe has no width."""
    lines = [tuple(map(visible_in_a_cell, row)) for row in (header, *rows)]
    widths = [max(map(_cells, column)) for column in zip(*lines, strict=True)]
    return [
        _GAP.join(
            cell + " " * (width - _cells(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _cells(text: str) -> int:
    """Return how wide a text is on a terminal, where some characters are twice as wide."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # which takes a while

    return cell_len(text)


def size(count: int) -> str:
    """Return a number of bytes in a readable unit."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _STEP:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} TiB"


def span(duration: timedelta) -> str:
    """Return a duration in a readable form."""
    seconds = duration.total_seconds()
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
