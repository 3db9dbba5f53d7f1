"""Pages of documentation, and what is in them: fenced blocks, tables, headings, links.

A fenced block is executed by its language:

``console``
    Lines that begin with ``$`` are commands (``>`` continues one); other lines are what they print.
    A command must succeed, unless the next one is ``echo $?``.
``bash``
    A script, which must succeed.
``python``
    A script, which must succeed.
``text``, ``json``
    Not executed.

A comment right before a block says what else is to be known of it::

    <!-- test: file NAME -->        save it under that name; don't execute it
    <!-- test: crontab -->          check each schedule, and run each command as cron does
    <!-- test: needs PROGRAM … -->  skip the page where a program is missing
    <!-- test: not run, REASON -->  leave it

Blocks in any other language must be ``not run``.

A script in a comment is executed, and no reader sees it. It says what it stands for::

    <!-- test: before, WHAT THE READER HAS
    COMMANDS
    -->

``before``: what the reader has already; ``meanwhile``: what happens to the reader; ``check``: what
the page promises. It runs in a shell of its own: its exports and its ``cd`` do not last, so each
setting that a reader needs is on the page.
"""

import itertools
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from attrs import define, field, frozen

ROOT = Path(__file__).parents[2]
EXECUTED = ("console", "bash", "python")
SHOWN = ("text", "json")

_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,})(?P<language>.*)")
_HIDDEN = re.compile(r"<!-- test: ((?:before|meanwhile|check), .+(?<! -->))")
_DIRECTIVE = re.compile(r"<!-- test: (.+) -->")
_HEADING = re.compile(r"(#+) (.+)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"`[^`]*`")
_AT_THE_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@frozen
class Command:
    """A command of a ``console`` block, and what it should print."""

    text: str
    expected: tuple[str, ...]


@frozen
class Block:
    """A fenced block."""

    line: int
    language: str
    text: str
    directives: tuple[str, ...]

    def directive(self, name: str) -> str | None:
        """Return what a directive says, if it is there."""
        for directive in self.directives:
            if directive == name or directive.startswith((f"{name} ", f"{name}, ")):
                return directive[len(name) :].lstrip(", ")
        return None

    @property
    def hidden(self) -> bool:
        """Whether no reader sees it."""
        return any(self.directive(name) for name in ("before", "meanwhile", "check"))

    @property
    def executed(self) -> bool:
        """Whether a sandbox runs it."""
        if self.directive("not run") is not None:
            return False
        marked = self.directive("file") is not None or self.directive("crontab") is not None
        return marked or self.language in EXECUTED

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of a ``console`` block."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(([line[2:]], []))
            elif line == ">" or (line.startswith("> ") and found and not found[-1][1]):
                found[-1][0].append(line[2:])
            else:
                found[-1][1].append(line)
        return tuple(Command("\n".join(text), tuple(expected)) for text, expected in found)


@define(slots=False)
class Page:
    """A Markdown file."""

    path: Path
    _lines: list[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._lines = self.path.read_text(encoding="utf-8").splitlines()

    @property
    def name(self) -> str:
        """Its path in the project."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Its fenced blocks, without Sphinx's own."""
        return tuple(block for block, _ in self._walk() if block)

    @property
    def examples(self) -> tuple[Block, ...]:
        """The blocks that a sandbox runs."""
        return tuple(block for block in self.blocks if block.executed)

    @property
    def has_python(self) -> bool:
        """Whether any of them is in Python."""
        return any(block.language == "python" for block in self.examples)

    @cached_property
    def prose(self) -> tuple[tuple[int, str], ...]:
        """Its lines outside of blocks, with their numbers."""
        return tuple(line for _, line in self._walk() if line)

    @property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """Its headings: level and text."""
        matches = (_HEADING.fullmatch(text) for _, text in self.prose)
        return tuple((len(match[1]), match[2]) for match in matches if match)

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may name after ``#``, as GitHub and MyST make it from the headings."""
        return frozenset(
            _NOT_IN_ANCHORS.sub("", text.lower()).replace(" ", "-") for _, text in self.headings
        )

    @property
    def links(self) -> tuple[tuple[int, str], ...]:
        """Its links: line and target."""
        return tuple(
            (number, target)
            for number, text in self.prose
            for target in _LINK.findall(_CODE_SPAN.sub("``", text))
        )

    def rows(self, heading: str) -> tuple[tuple[str, ...], ...]:
        """Return the rows of the first table under a heading, without its header."""
        lines = [text for _, text in self.prose]
        starts = [i for i, text in enumerate(lines) if _is_heading(text, heading)]
        assert len(starts) == 1, f"{self.name}: {len(starts)} headings '{heading}'"
        rows: list[tuple[str, ...]] = []
        for text in lines[starts[0] + 1 :]:
            if text.startswith("|"):
                rows.append(tuple(cell.strip() for cell in text.strip("|").split(" | ")))
            elif rows or _HEADING.fullmatch(text):
                break
        return tuple(rows[2:])

    def _walk(self) -> Iterator[tuple[Block | None, tuple[int, str] | None]]:
        directives: list[str] = []
        lines = iter(enumerate(self._lines, 1))
        for number, text in lines:
            fence, hidden = _FENCE.fullmatch(text), _HIDDEN.fullmatch(text)
            if hidden:
                taken = itertools.takewhile(lambda line: line[1] != "-->", lines)
                script = "".join(f"{line}\n" for _, line in taken)
                yield Block(number, "bash", script, (hidden[1],)), None
            elif fence is None:
                directive = _DIRECTIVE.fullmatch(text.strip())
                if directive:
                    directives.append(directive[1])
                elif text.strip():
                    directives.clear()
                yield None, (number, text)
            else:
                end = fence["indent"] + fence["ticks"]
                body = itertools.takewhile(lambda line: line[1] != end, lines)  # noqa: B023 - here
                content = "".join(f"{line.removeprefix(fence['indent'])}\n" for _, line in body)
                language = fence["language"].strip()
                if not language.startswith("{"):
                    yield Block(number, language, content, tuple(directives)), None
                directives.clear()


def _is_heading(text: str, heading: str) -> bool:
    match = _HEADING.fullmatch(text)
    return bool(match) and match[2] == heading if match else False


def all_pages() -> tuple[Page, ...]:
    """Return every page that we publish."""
    paths = [ROOT / name for name in _AT_THE_TOP]
    paths += sorted(ROOT.glob("adapters/*/README.md"))
    paths += sorted(path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts)
    return tuple(Page(path) for path in paths)


def page(name: str) -> Page:
    """Return one page."""
    return Page(ROOT / name)
