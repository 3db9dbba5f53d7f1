"""Files and functions stay short enough to be read at once: no exceptions are listed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("src", "adapters") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES = 300
MOST_FUNCTION_LINES = 40
"""Without the signature and the docstring: what a function does, not what it is told or tells."""

pytestmark = pytest.mark.once


def long_functions(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            if lines > MOST_FUNCTION_LINES:
                yield f"{node.name}: {lines} lines"


def test_the_sources_are_found() -> None:
    assert len(SOURCES) > 100


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_long() -> None:
    found = {path: [*long_functions(path.read_text(encoding="utf-8"))] for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_long_function_is_noticed() -> None:
    body = "\n".join("    pass" for _ in range(MOST_FUNCTION_LINES + 1))
    assert [*long_functions(f"def f():\n    '''Doc.'''\n{body}\n")] == ["f: 41 lines"]
    assert [*long_functions(f"def f():\n{body[:-9]}\n")] == []
