"""The meaning of each error of the S3 library, and of each answer of a service."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from attrs import evolve, frozen
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as UrllibSSLError

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
)
from brownie_backup.hints import HintCode, StoreHint


@frozen
class Meaning:
    """The meaning of an answer: our error, the reason (ours, or the service's), and the remedy."""

    error: type[StoreError | KeyExists]
    hint: HintCode | None
    why: str = ""


_DENIED = Meaning(AccessDenied, StoreHint.S3_RIGHTS)
_WRONG_KEYS = Meaning(AccessDenied, StoreHint.S3_KEYS)
_SKEWED = Meaning(AccessDenied, StoreHint.HOST_CLOCK)
_WRONG_REGION = Meaning(StoreError, StoreHint.CHECK_REGION)
_BUSY = Meaning(StoreUnavailable, StoreHint.LATER)
_DAMAGED = Meaning(StoreUnavailable, StoreHint.CHANGED_ON_THE_WAY)
_NO_ROOM = Meaning(StoreFull, StoreHint.FREE_SPACE_OR_QUOTA)
_KMS_DENIED = Meaning(AccessDenied, StoreHint.S3_KMS)
_OTHER = Meaning(StoreError, StoreHint.SERVICE_ERROR)

_BY_CODE: Mapping[str, Meaning] = {
    "NoSuchKey": Meaning(KeyNotFound, None),
    "ObjectLockConfigurationNotFoundError": Meaning(KeyNotFound, None),
    "NoSuchVersion": Meaning(KeyNotFound, None),
    "NoSuchBucket": Meaning(BucketNotFound, StoreHint.CREATE_BUCKET, "there is no such bucket"),
    "InvalidBucketName": Meaning(
        BucketNotFound, StoreHint.CHECK_ADDRESS, "that is not a name for a bucket"
    ),
    "PreconditionFailed": Meaning(KeyExists, None, "it exists"),
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
    "ExpiredToken": Meaning(AccessDenied, StoreHint.NEW_TEMPORARY_CREDENTIALS),
    "ExpiredTokenException": Meaning(AccessDenied, StoreHint.NEW_TEMPORARY_CREDENTIALS),
    "TokenRefreshRequired": Meaning(AccessDenied, StoreHint.NEW_TEMPORARY_CREDENTIALS),
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": Meaning(StoreUnavailable, StoreHint.CHECK_REGION),
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "ConditionalRequestConflict": _BUSY,
    "OperationAborted": _BUSY,
    "RequestTimeout": _BUSY,
    "SlowDown": _BUSY,
    "Busy": _BUSY,
    "InternalError": _BUSY,
    "InternalFailure": _BUSY,
    "IDPCommunicationError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "IncompleteBody": _DAMAGED,
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "InvalidObjectState": Meaning(
        ObjectArchived,
        StoreHint.S3_UNARCHIVE,
        "the object was moved to an archive class",
    ),
    "InvalidStorageClass": Meaning(StoreError, StoreHint.CHECK_STORAGE_CLASS),
    "InvalidTag": Meaning(StoreError, StoreHint.CHECK_TAGS),
    "ObjectLocked": Meaning(ObjectLocked, StoreHint.WAIT_UNTIL_THEN),
    "EntityTooLarge": Meaning(StoreError, StoreHint.OBJECT_SIZE_LIMIT),
    "InvalidRequest": Meaning(StoreError, StoreHint.S3_LOCK_OFF),
    "NotImplemented": Meaning(StoreError, StoreHint.S3_UNSUPPORTED),
}

_BY_PATTERN = (
    (re.compile(r"^\w*(quota|storagefull)\w*:", re.IGNORECASE), _NO_ROOM),
    (re.compile(r"^[\w.]*(throttl|limitexceeded|toomanyrequests)\w*:", re.IGNORECASE), _BUSY),
    (re.compile(r"^KMS|\bkms:\w", re.IGNORECASE), _KMS_DENIED),
    (re.compile(r"\bWORM\b"), _BY_CODE["ObjectLocked"]),
)
"""For codes that come in variants, and for services with codes of their own."""

_BY_STATUS: Mapping[int, Meaning] = {
    307: Meaning(StoreUnavailable, StoreHint.CHECK_REGION),
    401: _WRONG_KEYS,
    403: _DENIED,
    404: Meaning(KeyNotFound, None),
    408: _BUSY,
    412: Meaning(KeyExists, None, "it exists"),
    425: _BUSY,
    429: _BUSY,
    501: Meaning(StoreError, StoreHint.S3_UNSUPPORTED),
    507: _NO_ROOM,
}

_CREDENTIALS_MISSING = Meaning(AccessDenied, StoreHint.S3_KEYS, "there are no credentials")
_CREDENTIALS_PARTIAL = Meaning(
    AccessDenied, StoreHint.S3_KEYS, "only a part of the credentials is there"
)
# The output of a credentials helper may hold some, so it is not repeated.
_CREDENTIALS_FAILED = Meaning(
    AccessDenied, StoreHint.S3_KEYS, "the credentials could not be retrieved"
)
# The service that provides them to a machine or a container may only be busy.
_CREDENTIALS_LATE = evolve(_CREDENTIALS_FAILED, error=StoreUnavailable)
_PROVIDING_SERVICES = {"container-role", "iam-role"}
_SIGN_IN = Meaning(AccessDenied, StoreHint.SIGN_IN_AGAIN, "the sign-in has ended")
_PROFILE = Meaning(StoreError, StoreHint.AWS_PROFILE)
_TLS = Meaning(StoreError, StoreHint.S3_CERTIFICATE)
_CUT_OFF = Meaning(
    StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION, "the connection was cut off"
)
_NONSENSE = Meaning(
    StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION, "the answer is not one of an S3 service"
)

# The first match counts, so narrower ones come before wider ones.
_BY_TYPE: tuple[tuple[type[BaseException], Meaning], ...] = (
    (botocore.NoCredentialsError, _CREDENTIALS_MISSING),
    (botocore.NoAuthTokenError, _CREDENTIALS_MISSING),
    (botocore.PartialCredentialsError, _CREDENTIALS_PARTIAL),
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
        Meaning(StoreUnavailable, StoreHint.CHECK_PROXIES),
    ),
    (botocore.InvalidProxiesConfigError, Meaning(StoreError, StoreHint.CHECK_PROXIES)),
    (
        botocore.ConnectTimeoutError,
        Meaning(StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION, "no connection in time"),
    ),
    (
        botocore.ReadTimeoutError,
        Meaning(StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION, "no answer in time"),
    ),
    (botocore.ConnectionClosedError, _CUT_OFF),
    (botocore.IncompleteReadError, _CUT_OFF),
    (botocore.ResponseStreamingError, _CUT_OFF),
    (botocore.ConnectionError, Meaning(StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION)),
    (
        botocore.HTTPClientError,
        Meaning(StoreUnavailable, StoreHint.CHECK_NETWORK_OR_REGION, "the request failed"),
    ),
    (botocore.CapacityNotAvailableError, _BUSY),
    (botocore.ChecksumError, _DAMAGED),
    (botocore.FlexibleChecksumError, _DAMAGED),
    (ResponseParserError, _NONSENSE),
    (BotoCoreError, Meaning(StoreError, StoreHint.CHECK_STORE_SETTINGS)),
    (HTTPError, _CUT_OFF),
    (OSError, _CUT_OFF),
    (ValueError, _NONSENSE),
)

_INTERRUPTED = re.compile(r"\bEOF\b|timed out|reset|BAD_RECORD_MAC|LENGTH_MISMATCH")
"""TLS errors that mean a broken connection; the other TLS errors will not go away."""


def meaning_of_error(error: BaseException) -> Meaning:
    """Return the meaning of an error of the library."""
    if isinstance(error, OSError) and error.filename:  # of a token, or of certificates
        why = f"'{error.filename}' cannot be read: {error.strerror}"
        return Meaning(AccessDenied, StoreHint.READ_FILE, why)
    if isinstance(error, botocore.CredentialRetrievalError):
        from_service = error.kwargs.get("provider") in _PROVIDING_SERVICES
        return _CREDENTIALS_LATE if from_service else _CREDENTIALS_FAILED
    meaning = next((m for kind, m in _BY_TYPE if isinstance(error, kind)), _OTHER)
    if meaning is _TLS and _INTERRUPTED.search(str(error)):
        return _CUT_OFF
    return meaning


def meaning_of_answer(code: str, text: str, status: int) -> Meaning:
    """Return the meaning of a service's error: its code, its message and the HTTP status."""
    for pattern, meaning in _BY_PATTERN:
        if pattern.search(f"{code}: {text}"):
            return meaning
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _WRONG_REGION
    return _BUSY if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _OTHER
