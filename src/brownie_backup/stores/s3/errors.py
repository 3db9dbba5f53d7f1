"""What the S3 library and services say when something fails, in our own errors.

Nothing of theirs gets out: their exceptions hold requests with signatures in them.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, frozen
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as UrllibSSLError

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

SDK_ERRORS = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    botocore.UndefinedModelAttributeError,
    HTTPError,
    OSError,
    ValueError,  # an answer with a date or a number that is none
)
"""All that a call of the library can raise."""


@frozen
class _Meaning:
    """What an answer means: our error, why in our words (else the service's), and what to do."""

    error: type[StoreError | KeyExists]
    hint: str
    why: str = ""


_KEYS = (
    "Check BACKUP_ACCESS_KEY and BACKUP_SECRET_KEY, or without them what AWS's own chain finds: "
    "environment, profile, role"
)
_RIGHTS = (
    "Allow these credentials what the guide 'Store backups in S3' lists; without s3:ListBucket, S3 "
    "answers so for a missing object too"
)
_CLOCK = "The clock of this host is wrong: set it by NTP"
_REGION = (
    "Set BACKUP_REGION to the bucket's region, or BACKUP_ENDPOINT_URL to the address to which the "
    "service sends us"
)
_FULL = "Free some space, or have the quota raised"
_LATER = "If it lasts, look at the service's status page and at the network"
_NETWORK = "Check the network, BACKUP_ENDPOINT_URL and BACKUP_REGION"
_CHANGED = "It was changed on the way: check the network, and proxies in between"
_KMS = (
    "Check BACKUP_SSE_KMS_KEY: that the key is there, enabled, and that its policy lets us use it"
)
_CERTIFICATE = (
    "Check that BACKUP_ENDPOINT_URL is one of https, and its certificate; AWS_CA_BUNDLE names a "
    "file with a CA of your own"
)
_LOCK = "If BACKUP_OBJECT_LOCK_DAYS is set, the bucket needs object lock enabled"
_UNSUPPORTED = (
    "The service does not have what was asked for: unset BACKUP_OBJECT_LOCK_DAYS, "
    "BACKUP_OBJECT_TAGS, BACKUP_STORAGE_CLASS or BACKUP_SSE_KMS_KEY. If none is set, it has no "
    "create-if-absent, without which backups are not safe there"
)

_DENIED = _Meaning(AccessDenied, _RIGHTS)
_WRONG_KEYS = _Meaning(AccessDenied, _KEYS)
_SKEWED = _Meaning(AccessDenied, _CLOCK)
_WRONG_REGION = _Meaning(StoreError, _REGION)
_BUSY = _Meaning(StoreUnavailable, _LATER)
_DAMAGED = _Meaning(StoreUnavailable, _CHANGED)
_NO_ROOM = _Meaning(StoreFull, _FULL)
_KMS_DENIED = _Meaning(AccessDenied, _KMS)
_OTHER = _Meaning(StoreError, "See the service's documentation of this error")

_BY_CODE: Mapping[str, _Meaning] = {
    "NoSuchKey": _Meaning(KeyNotFound, ""),
    "ObjectLockConfigurationNotFoundError": _Meaning(KeyNotFound, ""),
    "NoSuchVersion": _Meaning(KeyNotFound, ""),
    "NoSuchBucket": _Meaning(
        BucketNotFound, "Create it, or correct BACKUP_DESTINATION", "there is no such bucket"
    ),
    "InvalidBucketName": _Meaning(
        BucketNotFound, "Correct BACKUP_DESTINATION", "that is not a name for a bucket"
    ),
    "PreconditionFailed": _Meaning(KeyExists, "", "it exists"),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "UnauthorizedAccess": _DENIED,
    "InvalidAccessKeyId": _WRONG_KEYS,
    "SignatureDoesNotMatch": _WRONG_KEYS,
    "InvalidSecurity": _WRONG_KEYS,
    "InvalidToken": _WRONG_KEYS,
    "InvalidClientTokenId": _WRONG_KEYS,
    "UnrecognizedClientException": _WRONG_KEYS,
    "ExpiredToken": _Meaning(AccessDenied, "Temporary credentials have ended: get new ones"),
    "TokenRefreshRequired": _Meaning(AccessDenied, "Temporary credentials have ended: get new"),
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": _Meaning(StoreUnavailable, _REGION),
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "ConditionalRequestConflict": _BUSY,
    "OperationAborted": _BUSY,
    "RequestTimeout": _BUSY,
    "SlowDown": _BUSY,
    "Busy": _BUSY,
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "IncompleteBody": _DAMAGED,
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "InvalidObjectState": _Meaning(
        StoreError,
        "Restore it from there with the service's own tools; let no lifecycle rule archive backups",
        "the object was moved to an archive class",
    ),
    "InvalidStorageClass": _Meaning(StoreError, "Correct BACKUP_STORAGE_CLASS"),
    "InvalidTag": _Meaning(StoreError, "Correct BACKUP_OBJECT_TAGS"),
    "ObjectLocked": _Meaning(ObjectLocked, "Wait until then"),
    "EntityTooLarge": _Meaning(StoreError, "Have the service's limit of an object's size raised"),
    "InvalidRequest": _Meaning(StoreError, _LOCK),
    "NotImplemented": _Meaning(StoreError, _UNSUPPORTED),
}

_BY_PATTERN = (
    (re.compile(r"^\w*(quota|storagefull)\w*:", re.IGNORECASE), _NO_ROOM),
    (re.compile(r"^[\w.]*(throttl|limitexceeded|toomanyrequests)\w*:", re.IGNORECASE), _BUSY),
    (re.compile(r"^KMS|\bkms:\w", re.IGNORECASE), _KMS_DENIED),
    (re.compile(r"\bWORM\b"), _BY_CODE["ObjectLocked"]),
)
"""For codes that come in variants, and for services with codes of their own."""

_BY_STATUS: Mapping[int, _Meaning] = {
    307: _Meaning(StoreUnavailable, _REGION),
    401: _WRONG_KEYS,
    403: _DENIED,
    404: _Meaning(KeyNotFound, ""),
    408: _BUSY,
    412: _Meaning(KeyExists, "", "it exists"),
    425: _BUSY,
    429: _BUSY,
    501: _Meaning(StoreError, _UNSUPPORTED),
    507: _NO_ROOM,
}

_CREDENTIALS_MISSING = _Meaning(AccessDenied, _KEYS, "there are no credentials")
_CREDENTIALS_PARTIAL = _Meaning(AccessDenied, _KEYS, "only a part of the credentials is there")
# What a helper of credentials prints may hold some, so its words are not repeated.
_CREDENTIALS_FAILED = _Meaning(AccessDenied, _KEYS, "the credentials could not be retrieved")
# The service that gives them to a machine or a container may only be busy.
_CREDENTIALS_LATE = evolve(_CREDENTIALS_FAILED, error=StoreUnavailable)
_SIGN_IN = _Meaning(
    AccessDenied, "Sign in again, with 'aws sso login' or 'aws login'", "the sign-in has ended"
)
_PROFILE = _Meaning(StoreError, "Check AWS_PROFILE and the files in ~/.aws")
_TLS = _Meaning(StoreError, _CERTIFICATE)
_CUT_OFF = _Meaning(StoreUnavailable, _NETWORK, "the connection was cut off")
_NONSENSE = _Meaning(StoreUnavailable, _NETWORK, "the answer is not one of an S3 service")

# The first that fits; so the narrower ones come before the wider.
_BY_TYPE: tuple[tuple[type[BaseException], _Meaning], ...] = (
    (botocore.NoCredentialsError, _CREDENTIALS_MISSING),
    (botocore.NoAuthTokenError, _CREDENTIALS_MISSING),
    (botocore.PartialCredentialsError, _CREDENTIALS_PARTIAL),
    (botocore.CredentialRetrievalError, _CREDENTIALS_FAILED),
    (botocore.MetadataRetrievalError, _CREDENTIALS_LATE),
    (botocore.UnknownCredentialError, _CREDENTIALS_FAILED),
    (botocore.RefreshWithMFAUnsupportedError, _CREDENTIALS_FAILED),
    (botocore.TokenRetrievalError, _SIGN_IN),
    (botocore.SSOError, _SIGN_IN),
    (botocore.LoginError, _SIGN_IN),
    (botocore.ProfileNotFound, _PROFILE),
    (botocore.ConfigParseError, _PROFILE),
    (botocore.ConfigNotFound, _PROFILE),
    (botocore.InvalidConfigError, _PROFILE),
    (botocore.NoRegionError, _WRONG_REGION),
    (botocore.InvalidRegionError, _WRONG_REGION),
    (botocore.UnknownRegionError, _WRONG_REGION),
    (botocore.SSLError, _TLS),
    (UrllibSSLError, _TLS),
    (
        botocore.ProxyConnectionError,
        _Meaning(StoreUnavailable, "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    ),
    (botocore.InvalidProxiesConfigError, _Meaning(StoreError, "Check HTTPS_PROXY and HTTP_PROXY")),
    (
        botocore.ConnectTimeoutError,
        _Meaning(StoreUnavailable, _NETWORK, "no connection in time"),
    ),
    (
        botocore.ReadTimeoutError,
        _Meaning(StoreUnavailable, _NETWORK, "no answer in time"),
    ),
    (botocore.ConnectionClosedError, _CUT_OFF),
    (botocore.IncompleteReadError, _CUT_OFF),
    (botocore.ResponseStreamingError, _CUT_OFF),
    (botocore.ConnectionError, _Meaning(StoreUnavailable, _NETWORK)),
    (botocore.HTTPClientError, _Meaning(StoreUnavailable, _NETWORK, "the request failed")),
    (botocore.CapacityNotAvailableError, _BUSY),
    (botocore.ChecksumError, _DAMAGED),
    (botocore.FlexibleChecksumError, _DAMAGED),
    (ResponseParserError, _NONSENSE),
    (BotoCoreError, _Meaning(StoreError, "Check the settings of the store")),
    (HTTPError, _CUT_OFF),
    (OSError, _CUT_OFF),
    (ValueError, _NONSENSE),
)

_INTERRUPTED = re.compile(r"\bEOF\b|timed out|reset|BAD_RECORD_MAC|LENGTH_MISMATCH")
"""Of the errors of TLS, those of a connection that broke; the others will not change."""
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}\b")
_SIGNED = re.compile(r"\b((?:X-Amz-[\w-]+|Signature|AWSAccessKeyId)=)[^&\s\"',]+", re.IGNORECASE)
_OBJECT_AT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>: |\b\w+\([^()]*\): ")


def store_error(
    what: str, url: str, error: BaseException, secrets: Iterable[str] = ()
) -> StoreError | KeyExists:
    """Return our error for theirs.

    Args:
        what: what could not be done, to what: ``cannot write 'key'``.
        url: where.
        error: one of `SDK_ERRORS`.
        secrets: what must not be in the message.
    """
    retry_after = None
    if isinstance(error, ClientError):
        meaning, why = _read_answer(error.response)
        retry_after = _retry_after(_headers(error.response))
    else:
        meaning = next((m for kind, m in _BY_TYPE if isinstance(error, kind)), _OTHER)
        if meaning is _TLS and _INTERRUPTED.search(str(error)):
            meaning = _CUT_OFF
        why = _reason(error, meaning.why)
    message = _clean(f"{what} in {url}: {why}", secrets)
    if issubclass(meaning.error, StoreUnavailable):
        return StoreUnavailable(message, hint=meaning.hint, retry_after_seconds=retry_after)
    return meaning.error(message, hint=meaning.hint)


def _read_answer(response: Mapping[str, Any]) -> tuple[_Meaning, str]:
    """Return what an error answer means, and in words why."""
    said = response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", "") or "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    meaning = _meaning(code, text, status)
    why = meaning.why or ": ".join(part for part in (code, text.strip(" .")) if part) or "unknown"
    if meaning.error is KeyNotFound:
        why = "there is no such object"
    region = said.get("Region") or _headers(response).get("x-amz-bucket-region")
    if meaning.hint == _REGION and region:
        why = f"the bucket is in the region '{region}'"
    return meaning, why


def _meaning(code: str, text: str, status: int) -> _Meaning:
    for pattern, meaning in _BY_PATTERN:
        if pattern.search(f"{code}: {text}"):
            return meaning
    if code in _BY_CODE:
        return _BY_CODE[code]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _WRONG_REGION
    other = _BUSY if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _OTHER
    return _BY_STATUS.get(status, other)


def _headers(response: Mapping[str, Any]) -> Mapping[str, str]:
    headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the header Retry-After asks for, as a number or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _reason(error: BaseException, why: str) -> str:
    """Return what went wrong below, and whom we spoke to, without what only the library knows."""
    details = getattr(error, "kwargs", {})
    address = str(details.get("endpoint_url") or details.get("proxy_url") or "")
    parts = urlsplit(address)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    if why:
        return f"{why} ({where})" if where else why
    text = str(error).replace(address, where) if where else str(error)
    below = details.get("error")
    if below is not None and not isinstance(error, botocore.SSLError):
        text = f"{text} ({_OBJECT_AT.sub('', str(below))})"
    return " ".join(text.split())


def _clean(text: str, secrets: Iterable[str]) -> str:
    text = _SIGNED.sub(r"\1********", redact(text, secrets))
    return _KEY_ID.sub("********", text)
