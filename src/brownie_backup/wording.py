"""The format of numbers, times and stored text in messages: the same everywhere."""

import re
from datetime import UTC, datetime

__all__ = ["as_unicode", "counted", "visible", "visible_in_a_cell", "written"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# All control characters but tab and line feed, and those that change the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAK = re.compile("[\t\n]")
_BYTES = range(0xDC80, 0xDD00)
"""Lone surrogates that stand for bytes of a name that is not UTF-8 (SQL_ASCII)."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 table``, ``2 tables``.

    Args:
        count: how many.
        noun: in the singular.
        plural: of nouns that do not take an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def written(instant: datetime) -> str:
    """Return an instant in the format of messages: ``2026-01-15 02:00:00 UTC``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def visible(text: str) -> str:
    r"""Return a text that does nothing to a terminal but appear on it.

    >>> visible("a name\x1b[2J")
    'a name\\x1b[2J'
    """
    return _CONTROL.sub(_escape, text)


def visible_in_a_cell(text: str) -> str:
    r"""Return such a text on one line, so that no cell of a table can look like another row.

    >>> visible_in_a_cell("root\nmallory")
    'root\\x0amallory'
    """
    return _BREAK.sub(_escape, visible(text))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    number -= 0xDC00 if number in _BYTES else 0
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004 - a byte


def as_unicode(text: str) -> str:
    """Return a text that has an encoding in UTF-8, with bytes that are no text replaced."""
    return _LONE_SURROGATE.sub("\ufffd", text)
