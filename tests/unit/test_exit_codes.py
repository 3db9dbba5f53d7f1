"""From errors to exit statuses: the table leaves none out, and says what the help says."""

import re
from typing import Any

import pytest

from brownie_backup import errors
from brownie_backup.errors import BackupError
from brownie_backup_cli import exit_codes
from brownie_backup_cli.exit_codes import BY_ERROR, exit_status
from brownie_backup_cli.parser import EPILOG

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
CLASSES: list[type[BackupError]] = [kind for kind in KINDS if issubclass(kind, BackupError)]

EXPECTED = {
    "BackupError": 1,
    "ConfigurationError": 2,
    "InvalidName": 2,
    "NotFound": 10,
    "BackupNotFound": 10,
    "DatabaseNotFound": 10,
    "AlreadyExists": 1,
    "BackupExists": 1,
    "TargetExists": 1,
    "KeyExists": 1,
    "Busy": 11,
    "LeaseLost": 11,
    "StoreError": 1,
    "KeyNotFound": 1,
    "BucketNotFound": 1,
    "AccessDenied": 1,
    "ObjectArchived": 1,
    "ObjectLocked": 1,
    "StoreFull": 1,
    "StoreUnavailable": 1,
    "DeletionRefused": 1,
    "ClockSkew": 1,
    "EncryptionError": 1,
    "DecryptionError": 12,
    "KeyMissing": 12,
    "DamagedError": 1,
    "UnsupportedFormat": 1,
    "DatabaseError": 1,
    "ConnectionFailed": 1,
    "ProgramMissing": 1,
    "DumpFailed": 1,
    "LockRefused": 1,
    "RestoreFailed": 1,
    "RestoreRefused": 1,
    "RenameFailed": 13,
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_its_status(kind: type[BackupError]) -> None:
    message: Any = ["x"] if kind is errors.ConfigurationError else "x"
    error = kind(message)
    assert exit_status(error) == EXPECTED[kind.__name__]


def test_this_list_and_the_errors_agree() -> None:
    assert {kind.__name__ for kind in CLASSES} == set(EXPECTED)


def test_no_branch_of_the_tree_is_left_to_the_trunk() -> None:
    assert set(BackupError.__subclasses__()) <= set(BY_ERROR)


def test_an_error_of_a_third_party_has_the_status_of_what_it_is() -> None:
    class Throttled(errors.StoreUnavailable):
        pass

    class Locked(errors.Busy):
        pass

    assert (exit_status(Throttled("x")), exit_status(Locked("x"))) == (
        exit_codes.FAILED,
        exit_codes.BUSY,
    )


def test_the_help_lists_every_status() -> None:
    listed = {int(number) for number in re.findall(r"^  (\d+) ", EPILOG, re.MULTILINE)}
    constants = {
        value for name, value in vars(exit_codes).items() if name.isupper() and name != "BY_ERROR"
    }
    assert listed == constants | {130, 141}
