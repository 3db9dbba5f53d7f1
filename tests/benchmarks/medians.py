"""What the middle one of several runs took."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable

from attrs import frozen

from tests.benchmarks.measuring import MIB, markdown
from tests.benchmarks.rounds import Run

Key = tuple[str, str]
"""A database, and who ran on it."""

_HEADER = (
    *("database", "what", "wall s (least, most)", "client CPU s", "server CPU s"),
    *("peak memory MiB", "temporary disk MiB", "stored MiB", "runs"),
)


@frozen
class Median:
    """Of the runs of one contestant; each figure is a median of its own."""

    seconds: float
    least_seconds: float
    most_seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    peak_bytes: float
    temporary_bytes: float
    stored_bytes: float
    runs: int


def medians(runs: Iterable[Run]) -> dict[Key, Median]:
    """Return the median of each contestant that has done its work."""
    done: dict[Key, list[Run]] = defaultdict(list)
    for run in runs:
        if not run.failed:
            done[run.database, run.name].append(run)
    return {key: _median(each) for key, each in done.items()}


def median_table(runs: list[Run]) -> str:
    """Return all medians, and who could not do it, as Markdown."""
    found = medians(runs)
    rows = []
    for key in dict.fromkeys((run.database, run.name) for run in runs):
        if key in found:
            rows.append((*key, *_figures(found[key])))
        else:
            (why, *_) = (run.why for run in runs if (run.database, run.name) == key)
            rows.append((*key, f"failed: {why}", *[""] * 6))
    return markdown(_HEADER, rows)


def _median(runs: list[Run]) -> Median:
    def middle(figure: Callable[[Run], float]) -> float:
        return statistics.median(map(figure, runs))

    wall = [run.took.seconds for run in runs]
    return Median(
        middle(lambda run: run.took.seconds),
        min(wall),
        max(wall),
        middle(lambda run: run.took.cpu_seconds),
        middle(lambda run: run.server_cpu_seconds),
        middle(lambda run: run.took.peak_bytes),
        middle(lambda run: run.took.temporary_bytes),
        middle(lambda run: run.stored_bytes),
        len(runs),
    )


def _figures(of: Median) -> tuple[str, ...]:
    return (
        f"{of.seconds:.2f} ({of.least_seconds:.2f}, {of.most_seconds:.2f})",
        f"{of.client_cpu_seconds:.2f}",
        f"{of.server_cpu_seconds:.2f}",
        f"{of.peak_bytes / MIB:.0f}",
        f"{of.temporary_bytes / MIB:.1f}",
        f"{of.stored_bytes / MIB:.1f}",
        str(of.runs),
    )
