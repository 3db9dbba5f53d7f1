"""The one table from errors to exit statuses. A test checks that it has every error."""

from brownie_backup import errors

DONE = 0
FAILED = 1
USAGE = 2
WARNINGS = 3
NOT_FOUND = 10
BUSY = 11
CANNOT_DECRYPT = 12
NOT_RENAMED = 13

BY_ERROR: dict[type[errors.BackupError], int] = {
    errors.BackupError: FAILED,
    errors.ConfigurationError: USAGE,
    errors.InvalidName: USAGE,
    errors.NotFound: NOT_FOUND,
    errors.AlreadyExists: FAILED,
    errors.Busy: BUSY,
    errors.StoreError: FAILED,
    errors.DeletionRefused: FAILED,
    errors.EncryptionError: FAILED,
    errors.DecryptionError: CANNOT_DECRYPT,
    errors.DamagedError: FAILED,
    errors.UnsupportedFormat: FAILED,
    errors.DatabaseError: FAILED,
    errors.RenameFailed: NOT_RENAMED,
}


def exit_status(error: errors.BackupError) -> int:
    """Return the status of an error: that of its nearest class in the table."""
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)
