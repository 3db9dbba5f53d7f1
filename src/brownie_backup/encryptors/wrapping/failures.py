"""Failures of a service that wraps data keys, and the errors that they become."""

import base64
import re
from enum import Enum, auto

from attrs import evolve, frozen

from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
    redact,
)
from brownie_backup.hints import Hint, HintCode

_MOST = 300
"""The most characters of a service's own words that go into a message."""


class Kind(Enum):
    """What a failure means for a data key that was to be unwrapped."""

    FAILED = auto()
    """It cannot be opened now: wrong, disabled, or out of reach."""
    NOT_OURS = auto()
    """This host has no credentials or no right for it; another host may have them."""
    DAMAGED = auto()
    """The bytes are not those that were wrapped, or not for this context."""


@frozen
class Failure:
    """Why a service did not do what it was asked, and what to do next."""

    why: str
    hint: Hint | HintCode
    kind: Kind = Kind.FAILED
    again: bool = False
    """Whether the same call may succeed later."""

    def told(self, words: str) -> "Failure":
        """Return it with the service's own words after the reason."""
        return evolve(self, why=f"{self.why}: {words}") if words else self

    def encryption_error(self, what: str) -> EncryptionError:
        """Return the error for a data key that was not wrapped."""
        return EncryptionError(f"{what}: {self.why}", hint=self.hint)

    def decryption_error(self, what: str) -> BackupError:
        """Return the error for a data key that was not unwrapped."""
        types = {Kind.NOT_OURS: KeyMissing, Kind.DAMAGED: DamagedError}
        error: type[BackupError] = types.get(self.kind, DecryptionError)
        return error(f"{what}: {self.why}", hint=self.hint)


class Failed(Exception):
    """Carries a failure from where it was found to where it becomes an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.why)
        self.failure = failure


def short_words(text: str, key: bytes = b"", secrets: tuple[str, ...] = ()) -> str:
    """Return what a service said as one short line, without secrets and the data key."""
    if key:
        secrets = (*secrets, base64.b64encode(key).decode(), key.hex())
    line = redact(re.sub(r"[^\x20-\x7e]+", " ", text), secrets)
    line = " ".join(line.split()).rstrip(". ")
    return line if len(line) <= _MOST else f"{line[:_MOST]}…"
