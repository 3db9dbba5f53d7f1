"""The page that shows where the code lives shows what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "brownie_backup"
PAGE = (ROOT / "docs" / "explanation" / "where-the-code-lives.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.once


def test_every_file_on_the_page_exists() -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", PAGE))
    assert len(named) > 20
    assert {name for name in named if not (PACKAGE / name).is_file()} == set()


def test_every_function_that_is_walked_through_is_in_its_file() -> None:
    walked = re.findall(r"\d\. `([a-z_/]+\.py)`, `(?:[A-Z]\w+\.)?(\w+)`", PAGE)
    assert len(walked) >= 3
    for name, function in walked:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(def|class) {function}\b", text, re.MULTILINE), function


def test_every_room_is_on_the_page() -> None:
    table = PAGE.partition("|---|")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)(?:/|\.py)", table))
    rooms = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith(("_", "."))}
    assert rooms - named - {"py", "secret", "tracing", "version", "dumpers"} == set()
