"""What each error of the S3 library, and each answer of a service, means to us."""

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
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
)


@frozen
class Meaning:
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
REGION_HINT = (
    "Set BACKUP_REGION to the bucket's region, or BACKUP_ENDPOINT_URL to the address to which the "
    "service sends us"
)
_FULL = "Free some space, or have the quota raised"
_LATER = "If it lasts, look at the service's status page and at the network"
_NETWORK = "Check the network, HTTPS_PROXY and NO_PROXY, BACKUP_ENDPOINT_URL and BACKUP_REGION"
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

_DENIED = Meaning(AccessDenied, _RIGHTS)
_WRONG_KEYS = Meaning(AccessDenied, _KEYS)
_SKEWED = Meaning(AccessDenied, _CLOCK)
_WRONG_REGION = Meaning(StoreError, REGION_HINT)
_BUSY = Meaning(StoreUnavailable, _LATER)
_DAMAGED = Meaning(StoreUnavailable, _CHANGED)
_NO_ROOM = Meaning(StoreFull, _FULL)
_KMS_DENIED = Meaning(AccessDenied, _KMS)
_OTHER = Meaning(StoreError, "See the service's documentation of this error")

_BY_CODE: Mapping[str, Meaning] = {
    "NoSuchKey": Meaning(KeyNotFound, ""),
    "ObjectLockConfigurationNotFoundError": Meaning(KeyNotFound, ""),
    "NoSuchVersion": Meaning(KeyNotFound, ""),
    "NoSuchBucket": Meaning(
        BucketNotFound, "Create it, or correct BACKUP_DESTINATION", "there is no such bucket"
    ),
    "InvalidBucketName": Meaning(
        BucketNotFound, "Correct BACKUP_DESTINATION", "that is not a name for a bucket"
    ),
    "PreconditionFailed": Meaning(KeyExists, "", "it exists"),
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
    "ExpiredToken": Meaning(AccessDenied, "Temporary credentials have ended: get new ones"),
    "TokenRefreshRequired": Meaning(AccessDenied, "Temporary credentials have ended: get new"),
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": Meaning(StoreUnavailable, REGION_HINT),
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
    "InvalidObjectState": Meaning(
        StoreError,
        "Restore it from there with the service's own tools; let no lifecycle rule archive backups",
        "the object was moved to an archive class",
    ),
    "InvalidStorageClass": Meaning(StoreError, "Correct BACKUP_STORAGE_CLASS"),
    "InvalidTag": Meaning(StoreError, "Correct BACKUP_OBJECT_TAGS"),
    "ObjectLocked": Meaning(ObjectLocked, "Wait until then"),
    "EntityTooLarge": Meaning(StoreError, "Have the service's limit of an object's size raised"),
    "InvalidRequest": Meaning(StoreError, _LOCK),
    "NotImplemented": Meaning(StoreError, _UNSUPPORTED),
}

_BY_PATTERN = (
    (re.compile(r"^\w*(quota|storagefull)\w*:", re.IGNORECASE), _NO_ROOM),
    (re.compile(r"^[\w.]*(throttl|limitexceeded|toomanyrequests)\w*:", re.IGNORECASE), _BUSY),
    (re.compile(r"^KMS|\bkms:\w", re.IGNORECASE), _KMS_DENIED),
    (re.compile(r"\bWORM\b"), _BY_CODE["ObjectLocked"]),
)
"""For codes that come in variants, and for services with codes of their own."""

_BY_STATUS: Mapping[int, Meaning] = {
    307: Meaning(StoreUnavailable, REGION_HINT),
    401: _WRONG_KEYS,
    403: _DENIED,
    404: Meaning(KeyNotFound, ""),
    408: _BUSY,
    412: Meaning(KeyExists, "", "it exists"),
    425: _BUSY,
    429: _BUSY,
    501: Meaning(StoreError, _UNSUPPORTED),
    507: _NO_ROOM,
}

_CREDENTIALS_MISSING = Meaning(AccessDenied, _KEYS, "there are no credentials")
_CREDENTIALS_PARTIAL = Meaning(AccessDenied, _KEYS, "only a part of the credentials is there")
# What a helper of credentials prints may hold some, so its words are not repeated.
_CREDENTIALS_FAILED = Meaning(AccessDenied, _KEYS, "the credentials could not be retrieved")
# The service that gives them to a machine or a container may only be busy.
_CREDENTIALS_LATE = evolve(_CREDENTIALS_FAILED, error=StoreUnavailable)
_SIGN_IN = Meaning(
    AccessDenied, "Sign in again, with 'aws sso login' or 'aws login'", "the sign-in has ended"
)
_PROFILE = Meaning(StoreError, "Check AWS_PROFILE and the files in ~/.aws")
_TLS = Meaning(StoreError, _CERTIFICATE)
_CUT_OFF = Meaning(StoreUnavailable, _NETWORK, "the connection was cut off")
_NONSENSE = Meaning(StoreUnavailable, _NETWORK, "the answer is not one of an S3 service")

# The first that fits; so the narrower ones come before the wider.
_BY_TYPE: tuple[tuple[type[BaseException], Meaning], ...] = (
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
        Meaning(StoreUnavailable, "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    ),
    (botocore.InvalidProxiesConfigError, Meaning(StoreError, "Check HTTPS_PROXY and HTTP_PROXY")),
    (
        botocore.ConnectTimeoutError,
        Meaning(StoreUnavailable, _NETWORK, "no connection in time"),
    ),
    (
        botocore.ReadTimeoutError,
        Meaning(StoreUnavailable, _NETWORK, "no answer in time"),
    ),
    (botocore.ConnectionClosedError, _CUT_OFF),
    (botocore.IncompleteReadError, _CUT_OFF),
    (botocore.ResponseStreamingError, _CUT_OFF),
    (botocore.ConnectionError, Meaning(StoreUnavailable, _NETWORK)),
    (botocore.HTTPClientError, Meaning(StoreUnavailable, _NETWORK, "the request failed")),
    (botocore.CapacityNotAvailableError, _BUSY),
    (botocore.ChecksumError, _DAMAGED),
    (botocore.FlexibleChecksumError, _DAMAGED),
    (ResponseParserError, _NONSENSE),
    (BotoCoreError, Meaning(StoreError, "Check the settings of the store")),
    (HTTPError, _CUT_OFF),
    (OSError, _CUT_OFF),
    (ValueError, _NONSENSE),
)

_INTERRUPTED = re.compile(r"\bEOF\b|timed out|reset|BAD_RECORD_MAC|LENGTH_MISMATCH")
"""Of the errors of TLS, those of a connection that broke; the others will not change."""


def meaning_of_error(error: BaseException) -> Meaning:
    """Return what an error of the library means."""
    meaning = next((m for kind, m in _BY_TYPE if isinstance(error, kind)), _OTHER)
    if meaning is _TLS and _INTERRUPTED.search(str(error)):
        return _CUT_OFF
    return meaning


def meaning_of_answer(code: str, text: str, status: int) -> Meaning:
    """Return what a service means by an error: its code, its words and the HTTP status."""
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
