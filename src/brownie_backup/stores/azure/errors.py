"""Translate the errors of Azure's library and service into our own errors.

Their exceptions never get out: they hold requests with signatures in them.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from attrs import frozen
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
)

from brownie_backup.errors import (
    AccessDenied,
    BucketNotFound,
    KeyExists,
    KeyNotFound,
    ObjectArchived,
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
    AzureError,
    SerializationError,
    DeserializationError,
    *CONNECTION_ERRORS,
    *(AttributeError, KeyError, TypeError, ValueError),  # the answer came from something else
)
"""All exceptions that a call of the library can raise."""


@frozen
class _Meaning:
    """The meaning of an answer: our error, the reason (ours, or the service's), and the remedy."""

    error: type[StoreError | KeyExists]
    hint: HintCode | None = None
    why: str = ""


_BUSY = _Meaning(StoreUnavailable, StoreHint.LATER)
_DAMAGED = _Meaning(StoreUnavailable, StoreHint.CHANGED_ON_THE_WAY)
_EXISTS = _Meaning(KeyExists, None, "it exists")
_NO_CONTAINER = _Meaning(BucketNotFound, StoreHint.CREATE_CONTAINER, "there is no such container")
_SCOPE_DENIED = _Meaning(AccessDenied, StoreHint.AZURE_SCOPE)
_SKEWED = _Meaning(
    AccessDenied, StoreHint.HOST_CLOCK, "the service finds the time of our request wrong"
)
_REFUSED = _Meaning(StoreError, StoreHint.AZURE_UNSUPPORTED)
_OTHER = _Meaning(StoreError, StoreHint.SERVICE_ERROR)

_BY_CODE: Mapping[str, _Meaning] = {
    "AccountIsDisabled": _Meaning(AccessDenied, StoreHint.AZURE_ENABLE_ACCOUNT),
    "AuthenticationFailed": _Meaning(AccessDenied, StoreHint.AZURE_KEYS),
    "AuthorizationFailure": _Meaning(AccessDenied, StoreHint.AZURE_FIREWALL),
    "AuthorizationPermissionMismatch": _Meaning(AccessDenied, StoreHint.AZURE_RIGHTS),
    "BlobAlreadyExists": _EXISTS,
    "BlobArchived": _Meaning(ObjectArchived, StoreHint.AZURE_UNARCHIVE),
    "BlobBeingRehydrated": _Meaning(ObjectArchived, StoreHint.AZURE_UNARCHIVE),
    "BlobImmutableDueToLegalHold": _Meaning(ObjectLocked, StoreHint.LOCKED_OR_HELD),
    "BlobImmutableDueToPolicy": _Meaning(ObjectLocked, StoreHint.LOCKED_OR_HELD),
    "BlobNotFound": _Meaning(KeyNotFound, None, "there is no such blob"),
    "ConditionNotMet": _EXISTS,
    "ContainerBeingDeleted": _Meaning(BucketNotFound, StoreHint.CREATE_CONTAINER),
    "ContainerDisabled": _NO_CONTAINER,
    "ContainerNotFound": _NO_CONTAINER,
    "EncryptionScopeNotFound": _Meaning(StoreError, StoreHint.AZURE_SCOPE),
    "FeatureNotSupportedForAccount": _REFUSED,
    "DuplicateTagNames": _Meaning(StoreError, StoreHint.CHECK_TAGS),
    "InvalidTag": _Meaning(StoreError, StoreHint.CHECK_TAGS),
    "InvalidBlobTier": _Meaning(StoreError, StoreHint.CHECK_STORAGE_CLASS),
    "InvalidMd5": _DAMAGED,
    "InvalidResourceName": _Meaning(BucketNotFound, StoreHint.CHECK_ADDRESS),
    "KeyBasedAuthenticationNotPermitted": _Meaning(AccessDenied, StoreHint.AZURE_NO_KEYS),
    "LeaseIdMissing": _Meaning(StoreError, StoreHint.END_BLOB_LEASE),
    "Md5Mismatch": _DAMAGED,
    "NoAuthenticationInformation": _Meaning(AccessDenied, StoreHint.AZURE_KEYS),
    "ResourceNotFound": _Meaning(KeyNotFound, None, "there is no such blob"),
    "SnapshotsPresent": _Meaning(StoreError, StoreHint.DELETE_BLOB_SNAPSHOTS),
}
_BY_STATUS: Mapping[int, _Meaning] = {
    401: _Meaning(AccessDenied, StoreHint.AZURE_KEYS),
    403: _Meaning(AccessDenied, StoreHint.AZURE_FIREWALL),
    404: _Meaning(KeyNotFound, None, "there is no such blob"),
    408: _BUSY,
    412: _EXISTS,
    429: _BUSY,
    501: _Meaning(StoreError, StoreHint.AZURE_UNSUPPORTED, "the service cannot do that"),
    507: _Meaning(StoreFull, StoreHint.FREE_SPACE_OR_LIMIT),
}
_CLOCK_TEXT = re.compile(
    r"date header|lifetime validation|valid time range|not yet valid|AADSTS(700024|500133)",
    re.IGNORECASE,
)
_OFFLINE_TEXT = re.compile(
    r"max retries exceeded|timed out|failed to (resolve|establish)|connection (aborted|reset)",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"\b(sig|signature)=[^&\s\"',]+", re.IGNORECASE)
_MOST_TEXT = 400


def store_error(
    what: str, error: BaseException, secrets: Iterable[str] = ()
) -> StoreError | KeyExists:
    """Return our error for theirs.

    Args:
        what: the failed action, its object and the place: ``cannot write 'key' in azure://box``.
        error: one of `SDK_ERRORS`.
        secrets: texts that must not appear in the message.
    """
    ours = _translated(what, error)
    message = _SIGNED.sub(r"\1=********", redact(ours.message, secrets))
    if isinstance(ours, StoreUnavailable):
        asked = ours.retry_after_seconds
        return StoreUnavailable(message, hint=ours.hint, retry_after_seconds=asked)
    return type(ours)(message, hint=ours.hint)


def _translated(what: str, error: BaseException) -> StoreError | KeyExists:
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _answer(what, error)
    if isinstance(error, ClientAuthenticationError):
        return _no_token(what, _attempts(str(error.message)))
    inner = getattr(error, "inner_exception", None) or error
    if isinstance(inner, CONNECTION_ERRORS):
        return connection_error(what, inner)
    if isinstance(error, AzureError) and "MD5" in str(error):
        return StoreUnavailable(f"{what}: its checksum is wrong", hint=StoreHint.CHANGED_ON_THE_WAY)
    if isinstance(error, AzureError) and not isinstance(error, DecodeError):
        return StoreError(f"{what}: {_line(str(error))}", hint=_OTHER.hint)
    return StoreUnavailable(
        f"{what}: the answer is not one of this service", hint=StoreHint.CHECK_ENDPOINT
    )


def _answer(what: str, error: HttpResponseError) -> StoreError | KeyExists:
    """Translate an answer of the service.

    Only its first line is used: the rest may hold our signature.
    """
    response: Any = error.response
    status = response.status_code
    code = response.headers.get("x-ms-error-code") or _plain(error)
    text = str(error.message or "")
    if status == HTTPStatus.NOT_FOUND and not code:
        return StoreError(
            f"{what}: the answer is not one of this service", hint=StoreHint.CHECK_ENDPOINT
        )
    meaning = _meaning(status, code, text)
    first = text.partition("\n")[0].strip()
    why = meaning.why or _line(first) or response.reason or "no reason given"
    message = f"{what}: {why} ({code or status})"
    if issubclass(meaning.error, StoreUnavailable):
        asked = retry_after(response.headers)
        return StoreUnavailable(message, hint=meaning.hint, retry_after_seconds=asked)
    return meaning.error(message, hint=meaning.hint)


def _plain(error: HttpResponseError) -> str:
    """Return the code that the library has found in an answer's body."""
    code: Any = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _meaning(status: int, code: str, text: str) -> _Meaning:
    if code == "AuthenticationFailed" and _CLOCK_TEXT.search(text):
        return _SKEWED
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.startswith("KeyVault"):
        return (
            _SCOPE_DENIED
            if status == HTTPStatus.FORBIDDEN
            else _Meaning(StoreError, StoreHint.AZURE_SCOPE)
        )
    default = _BUSY if is_server_error(status) else _OTHER
    return _BY_STATUS.get(status, default)


def _no_token(what: str, text: str) -> StoreError:
    """Translate the failure of all credentials of the default chain."""
    why = f"{what}: there are no credentials ({text})"
    if _CLOCK_TEXT.search(text):
        return AccessDenied(why, hint=StoreHint.HOST_CLOCK)
    if _OFFLINE_TEXT.search(text):
        return StoreUnavailable(f"{what}: cannot get a token ({text})", hint=StoreHint.LATER)
    return AccessDenied(why, hint=StoreHint.AZURE_IDENTITY)


def _attempts(text: str) -> str:
    """Return the messages of the login methods for hosts; those for developers matter less."""
    ways = ("EnvironmentCredential:", "WorkloadIdentityCredential:", "ManagedIdentityCredential:")
    said = [line.strip() for line in text.splitlines() if line.strip().startswith(ways)]
    return _line("; ".join(line.partition(": ")[2].rstrip(".") for line in said) or text)


def _line(text: str) -> str:
    """Return a text as one line, not too long, without a full stop."""
    return " ".join(text.split())[:_MOST_TEXT].rstrip(" .")
