"""Data for hints: each datum in braces, as the documentation shows them."""

from string import Formatter

from brownie_backup.hints import HintCode

OF_WORDS = ("name", "package", "table")
"""Data that stand in words of a vocabulary, or in sentences of its own."""


def shown(code: HintCode) -> dict[str, str]:
    """Return a text for each datum that the sentence of a code, or its words, may have."""
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(code.sentence) if name]
    own = [name for name, spec in fields if not spec]
    return {name: f"<{name}>" for name in (*own, *OF_WORDS)}
