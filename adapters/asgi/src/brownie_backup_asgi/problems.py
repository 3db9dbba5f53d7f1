"""From errors to problem documents (RFC 9457): the one table. A test proves it complete."""

import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from starlette.responses import JSONResponse

from brownie_backup import errors
from brownie_backup.errors import BackupError, redact
from brownie_backup.hints import Advice, as_hint
from brownie_backup.service.documents import hint_fields
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.vocabulary import WORDS

PREFIX = "urn:brownie-backup:problem:"
"""What every type begins with; docs/reference/rest-api.md lists them."""
RETRY_SECONDS = 5
"""After how long somebody may try again what excluded each other."""


@frozen
class Kind:
    """A type of problem: its name, the status of the answer, and a title that never changes."""

    name: str
    status: int
    title: str


BY_ERROR: dict[type[BackupError], Kind] = {
    errors.BackupError: Kind("failed", 500, "It failed"),
    errors.ConfigurationError: Kind("configuration", 500, "The service is set up wrong"),
    errors.InvalidName: Kind("invalid-name", 422, "That cannot be a name"),
    errors.NotFound: Kind("not-found", 404, "It is not there"),
    errors.BackupNotFound: Kind("backup-not-found", 404, "There is no such backup"),
    errors.AlreadyExists: Kind("already-exists", 409, "It exists already"),
    errors.BackupExists: Kind("backup-exists", 409, "A backup of that name exists"),
    errors.TargetExists: Kind("target-exists", 409, "The target exists"),
    errors.Busy: Kind("busy", 409, "Something else is at work"),
    errors.StoreError: Kind("store", 502, "The store could not do it"),
    errors.StoreUnavailable: Kind("store-unavailable", 503, "The store is out of reach"),
    errors.StoreFull: Kind("store-full", 507, "The store is full"),
    errors.ObjectLocked: Kind("locked", 409, "The store does not let it go yet"),
    errors.DeletionRefused: Kind("deletion-refused", 409, "Deleting would not be safe"),
    errors.EncryptionError: Kind("encryption", 500, "Nothing could be encrypted"),
    errors.DecryptionError: Kind("decryption", 500, "The service has no key for it"),
    errors.DamagedError: Kind("damaged", 500, "Stored data is damaged"),
    errors.UnsupportedFormat: Kind("unsupported-format", 501, "This version cannot read it"),
    errors.DatabaseError: Kind("database", 502, "PostgreSQL could not do it"),
    errors.ConnectionFailed: Kind("database-unavailable", 503, "PostgreSQL is out of reach"),
    errors.RestoreRefused: Kind("restore-refused", 409, "The restore could not succeed"),
}

MALFORMED = Kind("malformed", 400, "The request cannot be read")
TOKEN_IN_URL = Kind("token-in-url", 400, "Tokens do not belong into URLs")
UNAUTHORIZED = Kind("unauthorized", 401, "A token is needed")
FORBIDDEN = Kind("forbidden", 403, "The token may not do that")
NO_ROUTE = Kind("no-route", 404, "There is no such path")
METHOD = Kind("method-not-allowed", 405, "The path has no such method")
ENDED = Kind("operation-ended", 409, "The operation has ended")
CANCELLED = Kind("operation-cancelled", 409, "The operation was cancelled")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
MEDIA_TYPE = Kind("media-type", 415, "The body is not JSON")
INVALID = Kind("invalid", 422, "The request is not as it should be")
OTHER_REQUEST = Kind("idempotency-key", 422, "The key belongs to another request")
UNEXPECTED = Kind("unexpected", 500, "A defect of brownie-backup")
LOST = Kind("operation-lost", 500, "The operation died with its process")
CLOSING = Kind("closing", 503, "The service is about to end")

OURS = (
    MALFORMED, TOKEN_IN_URL, UNAUTHORIZED, FORBIDDEN, NO_ROUTE, METHOD, ENDED, CANCELLED,
    TOO_LARGE, MEDIA_TYPE, INVALID, OTHER_REQUEST, UNEXPECTED, LOST, CLOSING,
)  # fmt: skip
"""The types that come from no error of the library."""


class Problem(Exception):
    """A request ends with a problem: which kind, what happened, and what to do."""

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
        """What the answer's body says."""
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
        """Return the answer."""
        return problem_response(self.document, self.headers)


def kind_of(error: BackupError) -> Kind:
    """Return the kind of an error, by the nearest class that the table has."""
    return next(BY_ERROR[each] for each in type(error).__mro__ if each in BY_ERROR)


def problem_of(error: BaseException) -> Problem:
    """Return the problem that an error is. What is not ours says its class and no more."""
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
    """Return a problem document as an answer."""
    return JSONResponse(
        dict(document),
        document["status"],
        {"Cache-Control": "no-store", **(headers or {})},
        media_type="application/problem+json",
    )


def _told(text: str) -> str:
    """Return a text as it may be sent: a lone surrogate in it, of a request, has no UTF-8."""
    return redact(text.encode("utf-8", "backslashreplace").decode("utf-8"))
