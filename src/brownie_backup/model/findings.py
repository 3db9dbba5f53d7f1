"""Results of checks, and reasons for skipped work: messages with hints, as frozen data."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from brownie_backup.errors import BackupError
from brownie_backup.hints import LIBRARY, Hint, Vocabulary, as_hint


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen
class Finding:
    """One result of a check: the subject, the finding, and the remedy."""

    level: Level
    subject: str
    message: str
    hint: Hint | None = field(default=None, converter=as_hint)


@frozen
class Problem:
    """The reason why work was skipped in a store, and the remedy."""

    message: str
    hint: Hint | None = field(default=None, converter=as_hint)

    @classmethod
    def of(cls, error: BackupError, about: str = "") -> Self:
        """Return the error's message and hint; `about` is put before the message."""
        return cls(about + error.message, error.hint)

    def worded(self, words: Vocabulary = LIBRARY) -> str:
        """Return the message and the hint, in the words of an interface."""
        return f"{self.message}. {self.hint.worded(words)}" if self.hint else self.message

    def __str__(self) -> str:
        return self.worded()


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those of the level ERROR: in a dry run, why the restore would fail."""
    return tuple(each for each in findings if each.level is Level.ERROR)
