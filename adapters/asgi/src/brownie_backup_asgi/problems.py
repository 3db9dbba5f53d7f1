"""The one table from errors to problem documents (RFC 9457). A test checks that it is complete."""

import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from brownie_backup import errors
from brownie_backup.errors import BackupError, redact
from brownie_backup.hints import Advice, as_hint
from brownie_backup.service.documents import hint_fields
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.json_response import JSONResponse
from brownie_backup_asgi.vocabulary import WORDS

PREFIX = "urn:brownie-backup:problem:"
"""The prefix of every type; docs/reference/rest-api.md lists the types."""
RETRY_SECONDS = 5
"""When a client may repeat a request that was refused as busy."""


@frozen
class Kind:
    """A type of problem: its name, the status of the answer, and a title that never changes."""

    name: str
    status: int
    title: str


BY_ERROR: dict[type[BackupError], Kind] = {
    errors.BackupError: Kind("failed", 500, "The operation failed"),
    errors.ConfigurationError: Kind("configuration", 500, "The service is misconfigured"),
    errors.InvalidName: Kind("invalid-name", 422, "The name is invalid"),
    errors.NotFound: Kind("not-found", 404, "Not found"),
    errors.BackupNotFound: Kind("backup-not-found", 404, "No such backup"),
    errors.AlreadyExists: Kind("already-exists", 409, "It already exists"),
    errors.BackupExists: Kind("backup-exists", 409, "A backup with that name already exists"),
    errors.TargetExists: Kind("target-exists", 409, "The target already exists"),
    errors.Busy: Kind("busy", 409, "Another operation is running"),
    errors.StoreError: Kind("store", 502, "The store reported an error"),
    errors.StoreUnavailable: Kind("store-unavailable", 503, "The store is out of reach"),
    errors.StoreFull: Kind("store-full", 507, "The store is full"),
    errors.ObjectArchived: Kind("archived", 409, "The store has archived the object"),
    errors.ObjectLocked: Kind("locked", 409, "The store has locked the object"),
    errors.DeletionRefused: Kind("deletion-refused", 409, "Deleting would not be safe"),
    errors.EncryptionError: Kind("encryption", 500, "Encryption failed"),
    errors.DecryptionError: Kind("decryption", 500, "The service has no key to decrypt it"),
    errors.DamagedError: Kind("damaged", 500, "Stored data is damaged"),
    errors.UnsupportedFormat: Kind("unsupported-format", 501, "This version cannot read it"),
    errors.DatabaseError: Kind("database", 502, "PostgreSQL reported an error"),
    errors.ConnectionFailed: Kind("database-unavailable", 503, "PostgreSQL is out of reach"),
    errors.RestoreRefused: Kind("restore-refused", 409, "The restore would fail"),
    errors.RenameFailed: Kind("rename-failed", 502, "All is restored, under a temporary name"),
}

MALFORMED = Kind("malformed", 400, "The request cannot be read")
TOKEN_IN_URL = Kind("token-in-url", 400, "Tokens must not be in URLs")
UNAUTHORIZED = Kind("unauthorized", 401, "A token is required")
FORBIDDEN = Kind("forbidden", 403, "The token lacks the scope")
NO_ROUTE = Kind("no-route", 404, "No such path")
METHOD = Kind("method-not-allowed", 405, "The path does not support this method")
ENDED = Kind("operation-ended", 409, "The operation has ended")
CANCELLED = Kind("operation-cancelled", 409, "The operation was cancelled")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
MEDIA_TYPE = Kind("media-type", 415, "The body is not JSON")
INVALID = Kind("invalid", 422, "The request is invalid")
OTHER_REQUEST = Kind("idempotency-key", 422, "The key was used for another request")
UNEXPECTED = Kind("unexpected", 500, "A bug in brownie-backup")
LOST = Kind("operation-lost", 500, "The process of the operation died")
CLOSING = Kind("closing", 503, "The service is shutting down")

OURS = (
    MALFORMED, TOKEN_IN_URL, UNAUTHORIZED, FORBIDDEN, NO_ROUTE, METHOD, ENDED, CANCELLED,
    TOO_LARGE, MEDIA_TYPE, INVALID, OTHER_REQUEST, UNEXPECTED, LOST, CLOSING,
)  # fmt: skip
"""The types that do not come from errors of the library."""


class Problem(Exception):
    """A request failed: the kind of problem, the details, and a hint."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        hint: Advice = None,
        headers: Mapping[str, str] | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.hint = as_hint(hint)
        self.headers = dict(headers or {})
        self.details = details

    @property
    def document(self) -> dict[str, Any]:
        """The body of the response."""
        hint = hint_fields(self.hint, WORDS)
        return {
            "type": PREFIX + self.kind.name,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": _told(self.detail),
            "hint": _told(hint["hint"]),
            "hint_code": hint["hint_code"],
            "errors": [_told(each) for each in self.details],
        }

    def response(self) -> JSONResponse:
        """Return the response."""
        return problem_response(self.document, self.headers)


def kind_of(error: BackupError) -> Kind:
    """Return the kind of an error: that of its nearest class in the table."""
    return next(BY_ERROR[each] for each in type(error).__mro__ if each in BY_ERROR)


def problem_of(error: BaseException) -> Problem:
    """Return an error as a problem. Of unexpected errors it shows only the class."""
    if isinstance(error, Problem):
        return error
    if not isinstance(error, BackupError):
        msg = f"unexpected {type(error).__name__}"
        return Problem(UNEXPECTED, msg, hint=ApiHint.REPORT_DEFECT)
    headers = {}
    if isinstance(error, errors.StoreUnavailable) and error.retry_after_seconds is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
    elif isinstance(error, errors.Busy):
        headers["Retry-After"] = str(RETRY_SECONDS)
    details: tuple[str, ...] = ()
    if isinstance(error, errors.ConfigurationError):
        details = error.problems
    elif isinstance(error, errors.RestoreFailed):
        details = error.errors
    kind = kind_of(error)
    return Problem(kind, error.message, hint=error.hint, headers=headers, details=details)


def problem_response(
    document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a problem document as a response."""
    return JSONResponse(
        dict(document),
        document["status"],
        {"Cache-Control": "no-store", **(headers or {})},
        media_type="application/problem+json",
    )


def _told(text: str) -> str:
    """Return a text that can be sent: lone surrogates from a request have no UTF-8 encoding."""
    return redact(text.encode("utf-8", "backslashreplace").decode("utf-8"))
