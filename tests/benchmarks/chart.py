"""A bar chart of wall times, as an SVG that is readable on white and on black."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from attrs import frozen

from tests.benchmarks import contestants as who
from tests.benchmarks.databases import BALANCED, SKEWED
from tests.benchmarks.medians import Key, Median

_WIDTH, _BARS_AT, _BARS_WIDTH = 800, 295, 420
_LINE, _BAR, _TITLE = 22, 14, 34
_STYLE = """
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2328; }
.title { font-weight: 600; }
.name { text-anchor: end; }
.bar { fill: #9aa4ae; }
.ours { fill: #1a7f4b; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #69737d; }
  .ours { fill: #3fb573; }
}
"""


@frozen
class Group:
    """Bars that belong together."""

    title: str
    database: str
    names: Sequence[str]


_FULL = (who.OURS, who.DIRECTORY, who.PIPE, who.RESTIC, who.CUSTOM)
GROUPS = (
    Group("Full backup, balanced tables", BALANCED.name, (who.FLOOR, *_FULL)),
    Group("Full backup, one big table", SKEWED.name, (who.FLOOR, *_FULL)),
    Group(
        "Second backup, 1 % of rows appended",
        BALANCED.name,
        (who.AGAIN, who.AGAIN_READ, who.RESTIC_AGAIN),
    ),
    Group(
        "Restore",
        BALANCED.name,
        (who.RESTORE, who.PG_RESTORE, who.PGCOPYDB, who.RESTORE_TABLE),
    ),
)
_OURS = {who.OURS, who.AGAIN, who.AGAIN_READ, who.RESTORE, who.RESTORE_TABLE}


def chart(found: Mapping[Key, Median]) -> str:
    """Return the medians of wall time as bars, all to one scale."""
    longest = max((median.seconds for median in found.values()), default=1)
    parts: list[str] = []
    y = 0
    for group in GROUPS:
        bars = [(name, found.get((group.database, name))) for name in group.names]
        shown = [(name, median.seconds) for name, median in bars if median]
        if not shown:
            continue
        y += _TITLE
        parts.append(f'<text class="title" x="8" y="{y - 10}">{escape(group.title)}, s</text>')
        for name, seconds in shown:
            parts += _bar(name, seconds, _BARS_WIDTH * seconds / longest, y)
            y += _LINE
    size = f'width="{_WIDTH}" height="{y + 8}" viewBox="0 0 {_WIDTH} {y + 8}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>'
    title = "<title>Seconds that backups and restores take</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _bar(name: str, seconds: float, width: float, y: int) -> Iterator[str]:
    base = y + _BAR - 3
    kind = "bar ours" if name in _OURS else "bar"
    place = f'x="{_BARS_AT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"'
    yield f'<text class="name" x="{_BARS_AT - 8}" y="{base}">{escape(name)}</text>'
    yield f'<rect class="{kind}" {place}/>'
    yield f'<text x="{_BARS_AT + width + 6:.1f}" y="{base}">{seconds:.1f}</text>'
