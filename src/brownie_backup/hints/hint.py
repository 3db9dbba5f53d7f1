"""A hint: a code and data, which each interface words in its own terms."""

from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from typing import Self, TypeAlias

from attrs import field, frozen

from brownie_backup.hints.library import LIBRARY

Vocabulary: TypeAlias = Mapping[str, str]
"""How an interface names its settings: ``option:replace`` is ``--replace``, or ``"replace": true``.
An entry ``hint:CODE`` is a separate sentence for that code."""


class HintCode(StrEnum):
    """Base class of all codes: a stable name for programs, and the sentence that it stands for.

    In a sentence ``{option:…}``, ``{setting:…}`` and ``{verb:…}`` stand for words of the
    vocabulary, which may contain data themselves; ``{name}`` stands for data.
    """

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Self:
        """Make a member from its code and its sentence."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    def __call__(self, **data: "Datum") -> "Hint":
        """Return the hint with this code, and its data."""
        return Hint(self, data)


class Plain(HintCode):
    """For advice without a code, such as that of a third party's store."""

    TEXT = "text", "{text}"


@frozen
class Hint:
    """What to do next."""

    code: HintCode
    data: "Mapping[str, Datum]" = field(factory=dict)

    def worded(self, words: Vocabulary = LIBRARY) -> str:
        """Return the sentence, in the words of an interface; by default, of the library."""
        return _filled(words.get(f"hint:{self.code}", self.code.sentence), words, self.data)

    def __str__(self) -> str:
        return self.worded()


Datum: TypeAlias = str | Hint
"""A hint in another hint's data is worded with it."""
Advice: TypeAlias = Hint | HintCode | str | None
"""The type of the hint of an error or a finding: a text is a hint without a code."""


def as_hint(advice: Advice) -> Hint | None:
    """Return advice as a hint, or None if there is none."""
    if isinstance(advice, HintCode):
        return advice()
    if isinstance(advice, str):
        return Plain.TEXT(text=advice) if advice else None
    return advice


def _filled(template: str, words: Vocabulary, data: Mapping[str, Datum]) -> str:
    text = ""
    for literal, kind, name, _ in Formatter().parse(template):
        text += literal
        if kind and name:
            text += _filled(words[f"{kind}:{name}"], words, data)
        elif kind:
            datum = data[kind]
            text += datum if isinstance(datum, str) else datum.worded(words)
    return text
