"""Hints: what to do next, as codes that programs can rely on, with data.

The library names no flag, no variable and no path of an API: a sentence names a setting by an
abstract reference, and each interface has a `Vocabulary` that words it.
"""

from brownie_backup.hints.backups import BackupHint
from brownie_backup.hints.database import DatabaseHint
from brownie_backup.hints.hint import Advice, Hint, HintCode, Plain, Vocabulary, as_hint
from brownie_backup.hints.keys import KeyHint
from brownie_backup.hints.library import LIBRARY
from brownie_backup.hints.packages import install_command
from brownie_backup.hints.restore import RestoreHint
from brownie_backup.hints.setup import SetupHint
from brownie_backup.hints.stores import StoreHint

CODES: tuple[HintCode, ...] = (
    *BackupHint,
    *DatabaseHint,
    *KeyHint,
    *RestoreHint,
    *SetupHint,
    *StoreHint,
    *Plain,
)
"""Every code of the library; adapters have further codes for advice of their own."""

__all__ = [
    "CODES",
    "LIBRARY",
    "Advice",
    "BackupHint",
    "DatabaseHint",
    "Hint",
    "HintCode",
    "KeyHint",
    "Plain",
    "RestoreHint",
    "SetupHint",
    "StoreHint",
    "Vocabulary",
    "as_hint",
    "install_command",
]
