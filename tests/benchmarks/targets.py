"""What the speed is to reach, as ratios of medians, and what it has reached."""

from collections.abc import Callable, Iterator, Mapping

from attrs import frozen

from tests.benchmarks import contestants as who
from tests.benchmarks.databases import BALANCED, QUARTER, SKEWED
from tests.benchmarks.measuring import MIB, markdown
from tests.benchmarks.medians import Key, Median

_MOST_BYTES = 400 * MIB
_SAME = 1.1
"""Up to this ratio two amounts of memory are the same."""
_NOTHING_BYTES = MIB
"""What a home of gpg with a public key in it takes on disk is nothing."""


def _seconds(of: Median) -> float:
    return of.seconds


def _stored(of: Median) -> float:
    return of.stored_bytes


@frozen
class Target:
    """How much ours may take, as a share of what another takes."""

    what: str
    database: str
    ours: str
    theirs: str
    most: float
    figure: Callable[[Median], float] = _seconds


_B, _S = BALANCED.name, SKEWED.name
_FULL = "full backup, against "
TARGETS = (
    Target(f"{_FULL}the floor", _B, who.OURS, who.FLOOR, 1.25),
    Target(f"{_FULL}the floor", _S, who.OURS, who.FLOOR, 1.25),
    Target(f"{_FULL}`pg_dump -Fc`", _B, who.OURS, who.CUSTOM, 0.30),
    Target(f"{_FULL}`pg_dump -Fc`", _S, who.OURS, who.CUSTOM, 0.30),
    Target(f"{_FULL}`pg_dump -Fd -j2 --compress=zstd:1`", _B, who.OURS, who.DIRECTORY, 1.10),
    Target(f"{_FULL}`pg_dump -Fd -j2 --compress=zstd:1`", _S, who.OURS, who.DIRECTORY, 0.70),
    Target(f"{_FULL}the pipe of pg_dump, zstd and gpg", _B, who.OURS, who.PIPE, 0.75),
    Target(f"{_FULL}the pipe of pg_dump, zstd and gpg", _S, who.OURS, who.PIPE, 0.75),
    Target("second backup, with WAL summaries, against our full", _B, who.AGAIN, who.OURS, 0.12),
    Target("second backup, without, against our full", _B, who.AGAIN_READ, who.OURS, 0.80),
    Target("new bytes stored by it, against our full", _B, who.AGAIN, who.OURS, 0.03, _stored),
    Target("second backup, against restic's second", _B, who.AGAIN, who.RESTIC_AGAIN, 0.10),
    Target("restore, against `pg_restore -j2`", _B, who.RESTORE, who.PG_RESTORE, 0.85),
    Target("one small table, against our full restore", _B, who.RESTORE_TABLE, who.RESTORE, 0.05),
)


def target_table(found: Mapping[Key, Median]) -> str:
    """Return each target, what was measured, and whether that reaches it, as Markdown."""
    rows = [_row(target, found) for target in TARGETS]
    return markdown(("what", "database", "at most", "measured", ""), [*rows, *_absolute(found)])


def _row(target: Target, found: Mapping[Key, Median]) -> tuple[str, ...]:
    ours = found.get((target.database, target.ours))
    theirs = found.get((target.database, target.theirs))
    if ours is None or theirs is None:
        return target.what, target.database, f"{target.most:.2f}", "not measured", "miss"
    ratio = target.figure(ours) / target.figure(theirs)
    said = _said(ratio <= target.most)
    return target.what, target.database, f"{target.most:.2f}", f"{ratio:.2f}", said


def _absolute(found: Mapping[Key, Median]) -> Iterator[tuple[str, ...]]:
    """Yield what is not a ratio of two contestants."""
    backups = (who.OURS, who.AGAIN, who.AGAIN_READ)
    memory = _most(found, (_B, _S), (*backups, who.RESTORE, who.RESTORE_TABLE), _peak)
    what = "peak memory of all client processes"
    limit, measured = f"{_MOST_BYTES / MIB:.0f} MiB", f"{memory / MIB:.0f} MiB"
    yield what, "both", limit, measured, _said(memory <= _MOST_BYTES)
    for name in (who.OURS, who.RESTORE):
        much = _most(found, (_B,), (name,), _peak)
        little = _most(found, (QUARTER.name,), (name,), _peak)
        grown = much / little if little else float("inf")
        row = f"{name}: peak memory, against a quarter of the data"
        yield row, _B, f"{_SAME:.2f}", f"{grown:.2f}", _said(grown <= _SAME)
    disk = _most(found, (_B, _S), backups, lambda of: of.temporary_bytes)
    said = _said(disk <= _NOTHING_BYTES)
    yield "temporary disk during backup", "both", "none", f"{disk / MIB:.2f} MiB", said


def _most(
    found: Mapping[Key, Median],
    databases: tuple[str, ...],
    names: tuple[str, ...],
    figure: Callable[[Median], float],
) -> float:
    keys = [(database, name) for database in databases for name in names]
    return max((figure(found[key]) for key in keys if key in found), default=0.0)


def _peak(of: Median) -> float:
    return of.peak_bytes


def _said(reached: bool) -> str:  # noqa: FBT001 - the word for it
    return "pass" if reached else "miss"
