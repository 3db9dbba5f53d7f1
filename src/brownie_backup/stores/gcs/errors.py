"""Translate the errors of Google's library and service into our own errors.

Their exceptions never get out: they hold requests with tokens in them.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from attrs import frozen
from google.api_core.exceptions import GoogleAPIError, RetryError
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests.exceptions import InvalidJSONError

from brownie_backup.errors import (
    AccessDenied,
    BucketNotFound,
    KeyExists,
    KeyNotFound,
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
    redact,
)
from brownie_backup.hints import HintCode, StoreHint
from brownie_backup.stores.connections import (
    CONNECTION_ERRORS,
    connection_error,
    is_server_error,
)
from brownie_backup.stores.retry_policy import retry_after

SDK_ERRORS = (
    GoogleAPIError,
    auth.GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    *CONNECTION_ERRORS,
    *(AttributeError, KeyError, TypeError, ValueError),  # the answer came from something else
)
"""All exceptions that a call of the library can raise."""


@frozen
class _Meaning:
    """The meaning of an answer: our error, the remedy, and the reason (ours, or the service's)."""

    error: type[StoreError | KeyExists]
    hint: HintCode | None = None
    why: str = ""


NO_OBJECT = "No such object"
"""The service's message if the bucket exists."""

_BUSY = _Meaning(StoreUnavailable, StoreHint.LATER)
_DENIED = _Meaning(AccessDenied, StoreHint.GCS_RIGHTS)
_OTHER = _Meaning(StoreError, StoreHint.SERVICE_ERROR)

_BY_REASON: Mapping[str, _Meaning] = {
    "retentionpolicynotmet": _Meaning(ObjectLocked, StoreHint.LOCKED_OR_HELD),
    "objectunderactivehold": _Meaning(ObjectLocked, StoreHint.LOCKED_OR_HELD),
    "ratelimitexceeded": _BUSY,
    "userratelimitexceeded": _BUSY,
    "usagelimits.ratelimitexceeded": _BUSY,
    "quotaexceeded": _Meaning(StoreFull, StoreHint.RAISE_QUOTA),
    "accountdisabled": _Meaning(AccessDenied, StoreHint.GCS_BILLING),
    "uploadbrokenconnection": _BUSY,
}
_BY_STATUS: Mapping[int, _Meaning] = {
    401: _Meaning(AccessDenied, StoreHint.GCS_KEYS),
    403: _DENIED,
    404: _Meaning(KeyNotFound),
    408: _BUSY,
    409: _BUSY,  # another client changes the object's metadata at the same time
    412: _Meaning(KeyExists, None, "it exists"),
    425: _BUSY,
    429: _BUSY,
    507: _Meaning(StoreFull, StoreHint.FREE_SPACE_OR_QUOTA),
}
_LOCKED_TEXT = re.compile(
    r"retention (policy|period)|under active .*hold|retain until", re.IGNORECASE
)
_CHECKSUM_TEXT = re.compile(r"(md5|crc32c|checksum|hash).*(match|incorrect)", re.IGNORECASE)
_CLOCK_TEXT = re.compile(r"\b(iat|exp)\b|too early|reasonable timeframe|stale|clock", re.IGNORECASE)
_MOST_TEXT = 400


def store_error(
    what: str, error: BaseException, secrets: Iterable[str] = ()
) -> StoreError | KeyExists:
    """Return our error for theirs.

    Args:
        what: the failed action, its object and the place: ``cannot write 'key' in gs://bucket``.
        error: one of `SDK_ERRORS`.
        secrets: texts that must not appear in the message.
    """
    response = getattr(error, "response", None)
    if isinstance(error, auth.GoogleAuthError):
        ours: StoreError | KeyExists = _auth_error(what, error)
    elif isinstance(error, DataCorruption):
        ours = StoreUnavailable(f"{what}: its checksum is wrong", hint=StoreHint.CHANGED_ON_THE_WAY)
    elif isinstance(error, CONNECTION_ERRORS) and not isinstance(error, InvalidJSONError):
        ours = connection_error(what, error)
    elif getattr(response, "status_code", None) is not None:
        ours = _answer(what, error)
    elif isinstance(error, RetryError):
        ours = StoreUnavailable(f"{what}: no answer in time", hint=StoreHint.LATER)
    elif isinstance(error, GoogleAPIError):
        ours = StoreError(f"{what}: {_line(str(error))}", hint=_OTHER.hint)
    else:
        ours = StoreUnavailable(
            f"{what}: the answer is not one of this service", hint=StoreHint.CHECK_ENDPOINT
        )
    ours.message = redact(ours.message, secrets)
    ours.args = (ours.message,)
    return ours


def _answer_text(error: BaseException) -> tuple[str, str]:
    """Return the reason in an answer, a word, and its text; empty if there is none."""
    response: Any = getattr(error, "response", None)
    reason, text = "", ""
    try:
        said = response.json()["error"]
        text = str(said["message"])
        reason = str(said["errors"][0]["reason"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        text = text or str(getattr(response, "text", ""))
    return reason.lower(), _line(text)


def _answer(what: str, error: BaseException) -> StoreError | KeyExists:
    """Translate an answer of the service."""
    response: Any = getattr(error, "response", None)
    status = response.status_code
    reason, text = _answer_text(error)
    meaning = _meaning(status, reason, text)
    why = meaning.why or text or reason or response.reason or "no reason given"
    message = f"{what}: {why} ({status})"
    if issubclass(meaning.error, StoreUnavailable):
        asked = retry_after(response.headers)
        return StoreUnavailable(message, hint=meaning.hint, retry_after_seconds=asked)
    return meaning.error(message, hint=meaning.hint)


def _meaning(status: int, reason: str, text: str) -> _Meaning:
    lower = text.lower()
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if reason.startswith("cloudkms") or "kms key" in lower:
        return _Meaning(
            AccessDenied if status == HTTPStatus.FORBIDDEN else StoreError, StoreHint.GCS_KMS
        )
    match status:
        case HTTPStatus.FORBIDDEN if _LOCKED_TEXT.search(lower):
            return _BY_REASON["retentionpolicynotmet"]
        case HTTPStatus.BAD_REQUEST if _CHECKSUM_TEXT.search(lower):
            return _Meaning(StoreUnavailable, StoreHint.CHANGED_ON_THE_WAY)
        case HTTPStatus.NOT_FOUND if "bucket does not exist" in lower:
            return _Meaning(BucketNotFound, StoreHint.CREATE_BUCKET)
    default = _BUSY if is_server_error(status) else _OTHER
    return _BY_STATUS.get(status, default)


def _auth_error(what: str, error: auth.GoogleAuthError) -> StoreError:
    """Translate a failure before anything was sent to the service itself."""
    inner = [each for each in error.args if isinstance(each, CONNECTION_ERRORS)]
    if inner:
        return connection_error(f"{what}: cannot get a token", inner[0])
    text = _line(" ".join(each for each in error.args if isinstance(each, str)))
    why = f"{what}: cannot get a token: {text or type(error).__name__}"
    if isinstance(error, auth.DefaultCredentialsError):
        return AccessDenied(f"{what}: there are no credentials ({text})", hint=StoreHint.GCS_KEYS)
    transient = (auth.TransportError, auth.TimeoutError, auth.ResponseError)
    if isinstance(error, transient) or error.retryable:
        return StoreUnavailable(why, hint=StoreHint.LATER)
    if _CLOCK_TEXT.search(text):
        return AccessDenied(why, hint=StoreHint.GCS_CLOCK)
    return AccessDenied(why, hint=StoreHint.GCS_KEYS)


def _line(text: str) -> str:
    """Return a text as one line, not too long, without a full stop."""
    return " ".join(text.split())[:_MOST_TEXT].rstrip(" .")
