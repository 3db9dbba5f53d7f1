"""Every error that brownie-backup raises on purpose.

Each says what happened, and to which object (``message``), and what to do next (``hint``: a code
with data, which each interface words in its own terms)::

    BackupError
    ├── ConfigurationError        a wrong or missing setting; ``problems`` lists them all
    ├── InvalidName               a backup name or label that some store could not hold
    ├── NotFound
    │   ├── BackupNotFound
    │   └── DatabaseNotFound
    ├── AlreadyExists
    │   ├── BackupExists
    │   ├── TargetExists          the database, or the table, to restore into
    │   └── KeyExists             a store's answer to create-if-absent
    ├── Busy                      another process holds a lease that excludes this work
    │   └── LeaseLost             our own lease expired or was removed while we worked
    ├── StoreError
    │   ├── KeyNotFound
    │   ├── BucketNotFound
    │   ├── AccessDenied
    │   ├── ObjectArchived        the object was moved to an archive class
    │   ├── ObjectLocked          the object may not be deleted yet
    │   ├── StoreFull
    │   └── StoreUnavailable
    ├── DeletionRefused           a guard of the retention: nothing was deleted
    │   └── ClockSkew             the clocks of this host and the store are too far apart
    ├── EncryptionError           nothing was encrypted, so nothing was stored
    ├── DecryptionError           wrong key or passphrase
    │   └── KeyMissing            no private key at all
    ├── DamagedError              bytes are missing or are not the ones that were stored
    ├── UnsupportedFormat         written by a newer version, or by a codec that is not here
    └── DatabaseError             PostgreSQL or one of its programs failed
        ├── ConnectionFailed
        ├── ProgramMissing        no client program, or one older than the server
        ├── DumpFailed
        │   └── LockRefused       a session waits for an exclusive lock on a large table
        └── RestoreFailed         the target is as it was
            ├── RestoreRefused    found before anything was changed
            └── RenameFailed      all is restored, in a database with a temporary name

Secrets never enter a message: what a child process says passes through `redact` first.
"""

import re
from collections.abc import Iterable, Sequence

from brownie_backup import hints

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "BackupError",
    "BackupExists",
    "BackupNotFound",
    "BucketNotFound",
    "Busy",
    "ClockSkew",
    "ConfigurationError",
    "ConnectionFailed",
    "DamagedError",
    "DatabaseError",
    "DatabaseNotFound",
    "DecryptionError",
    "DeletionRefused",
    "DumpFailed",
    "EncryptionError",
    "InvalidName",
    "KeyExists",
    "KeyMissing",
    "KeyNotFound",
    "LeaseLost",
    "LockRefused",
    "NotFound",
    "ObjectArchived",
    "ObjectLocked",
    "ProgramMissing",
    "RenameFailed",
    "RestoreFailed",
    "RestoreRefused",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "TargetExists",
    "UnsupportedFormat",
    "redact",
]


class BackupError(Exception):
    """Base class of all errors: a message, and a hint that says what to do next.

    `str` has both, the hint in the words of the library.
    """

    def __init__(self, message: str, *, hint: hints.Advice = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint: hints.Hint | None = hints.as_hint(hint)

    def __str__(self) -> str:
        return self.worded()

    def worded(self, words: hints.Vocabulary = hints.LIBRARY) -> str:
        """Return the message and the hint, in the words of an interface."""
        return f"{self.message}. {self.hint.worded(words)}" if self.hint else self.message


class ConfigurationError(BackupError):
    """One or more settings are wrong; `problems` has a line for each."""

    def __init__(self, problems: Sequence[str], *, hint: hints.Advice = None) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), hint=hint)


class InvalidName(BackupError):
    """A name or label that not every store can hold."""


class NotFound(BackupError):
    """The requested object is not there."""


class BackupNotFound(NotFound):
    """The store has no manifest of that name (or no good one, for ``latest``)."""


class DatabaseNotFound(NotFound):
    """The server has no database of that name."""


class AlreadyExists(BackupError):
    """The object to create is already there."""


class BackupExists(AlreadyExists):
    """A backup of that name exists; backups are never overwritten."""


class TargetExists(AlreadyExists):
    """The database or table to restore into exists, and replacing it was not requested."""


class KeyExists(AlreadyExists):
    """Create-if-absent found that the key exists."""


class Busy(BackupError):
    """Another process holds a lease that excludes this work for now."""


class LeaseLost(Busy):
    """Our lease expired or was removed; our work since then must not become visible."""


class StoreError(BackupError):
    """The store could not do what it was asked to do."""


class KeyNotFound(StoreError):
    """The store has no object under that key."""


class BucketNotFound(StoreError):
    """The bucket, container or mounted folder that should hold everything is not there."""


class AccessDenied(StoreError):
    """The store refused our credentials or rights."""


class ObjectArchived(StoreError):
    """The store has the object in an archive class, from which it must be retrieved first."""


class ObjectLocked(StoreError):
    """The store keeps the object until a date (object lock, immutability policy, legal hold)."""


class StoreFull(StoreError):
    """The store has no space left, or a quota is used up."""


class StoreUnavailable(StoreError):
    """The store did not answer, or could not be reached: the same call may succeed later.

    `retry_after_seconds` is how long the service asked us to wait, if it said so.
    """

    def __init__(
        self, message: str, *, hint: hints.Advice = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class DeletionRefused(BackupError):
    """Deleting is not safe now, so nothing was deleted."""


class ClockSkew(DeletionRefused):
    """The clocks of this host and the store differ too much, so ages cannot be trusted."""


class EncryptionError(BackupError):
    """Encryption was requested but failed."""


class DecryptionError(BackupError):
    """The bytes could not be decrypted with the available keys."""


class KeyMissing(DecryptionError):
    """No private key, or no passphrase, that could decrypt the bytes was given or found."""


class DamagedError(BackupError):
    """Stored bytes are missing, truncated or changed."""


class UnsupportedFormat(BackupError):
    """The manifest needs something that this version or this caller does not have."""


class DatabaseError(BackupError):
    """PostgreSQL, or one of its client programs, failed; its own words are in the message.

    `sqlstate` is PostgreSQL's code of the error (its manual, appendix A), empty if there is none.
    """

    def __init__(self, message: str, *, hint: hints.Advice = None, sqlstate: str = "") -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class ConnectionFailed(DatabaseError):
    """The server could not be reached or refused us."""


class ProgramMissing(DatabaseError):
    """A client program is not installed, or is older than the server."""


class DumpFailed(DatabaseError):
    """The dump failed; nothing of it is visible in the store."""


class LockRefused(DumpFailed):
    """A session waits to lock a large table exclusively, so no worker may lock it any more."""


class RestoreFailed(DatabaseError):
    """The restore failed; the target is as it was. `errors` has what PostgreSQL said."""

    def __init__(
        self, message: str, *, hint: hints.Advice = None, errors: Sequence[str] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)


class RestoreRefused(RestoreFailed):
    """A check before the restore found that it could not succeed; nothing was changed."""


class RenameFailed(RestoreFailed):
    """All is restored, in a database that could not get its name: the hint has the SQL for that."""


_URI_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/]*@", re.IGNORECASE)
_SQL_PASSWORD = re.compile(r"\b(PASSWORD\s+)'(?:[^']|'')*'", re.IGNORECASE)
_KEYWORD_PASSWORD = re.compile(
    r"""\b(\w*password|passphrase|secret\w*)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'"]+)""", re.IGNORECASE
)


_HIDDEN = "********"
_SHORT = 4
"""A shorter secret is hidden only where it stands alone: it may be a part of any word."""
_TINY = 2
"""As short as this it is no secret, and hiding it would only make messages unreadable."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without the given secrets and without anything that looks like a password."""
    for secret in secrets:
        if len(secret) >= _SHORT:
            text = text.replace(secret, _HIDDEN)
        elif len(secret) > _TINY:  # not inside of other words
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
    text = _SQL_PASSWORD.sub(r"\1'********'", text)
    text = _URI_PASSWORD.sub(r"\1:********@", text)
    return _KEYWORD_PASSWORD.sub(r"\1\2********", text)
