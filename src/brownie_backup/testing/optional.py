"""Tests of guarantees that not every implementation gives."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable[..., None])

_MARK = "brownie_backup_only_if"


def only_if(promise: str) -> Callable[[T], T]:
    """Mark a test as one for implementations that give this guarantee."""

    def mark(test: T) -> T:
        setattr(test, _MARK, promise)
        return test

    return mark


def leave_out(contract: type, promise: str) -> None:
    """Remove the tests of a guarantee from a class, so that they are not even collected."""
    for name in dir(contract):
        if getattr(getattr(contract, name), _MARK, None) == promise:
            setattr(contract, name, None)
