"""The part of AWS KMS that needs its SDK: a client, and what each of its errors means."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from attrs import evolve
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from brownie_backup.encryptors.wrapping.failures import Failed, Failure, Kind, short_words
from brownie_backup.encryptors.wrapping.loopback import is_loopback
from brownie_backup.hints import HintCode, KeyHint, StoreHint

SDK_ERRORS = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    HTTPError,
    OSError,
    ValueError,
    AttributeError,  # an answer in JSON of another form
    TypeError,  # the same
)
"""All exceptions that a call of the library can raise."""

_CONNECTIONS = 1
_CREDENTIALS = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}\b")
_CLEAR = Failure(
    "the endpoint is http:// on another host, which would send the data key unencrypted",
    KeyHint.CHECK_KMS_ENDPOINT,
)


def open_client(region: str | None, timeout_seconds: float, tries: int) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client with credentials and endpoint from AWS's usual sources.

    Raises:
        Failed: the endpoint is not safe.
        BotoCoreError: there is no region, or AWS's configuration is invalid.
    """
    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": tries, "mode": "standard"},
    )
    # A session of our own: the shared one of boto3 is not thread-safe.
    session = boto3.session.Session()
    client = session.client("kms", region_name=region, config=config)
    endpoint = urlsplit(client.meta.endpoint_url)
    if endpoint.scheme == "https":
        return client
    if not is_loopback(endpoint.hostname or ""):
        raise Failed(_CLEAR)
    # Never through a proxy, which would see the data key.
    alone = config.merge(Config(proxies={}))
    return session.client("kms", region_name=region, config=alone)


def failure_of(error: Exception, key: bytes = b"") -> Failure:
    """Return what one of `SDK_ERRORS` means; `key` is a secret that it might repeat."""
    if isinstance(error, ClientError):
        return _of_answer(error.response, key)
    if isinstance(error, OSError) and error.filename:  # of a token, or of certificates
        why = f"'{error.filename}' cannot be read: {error.strerror}"
        return Failure(why, StoreHint.READ_FILE)
    failure = next((f for kind, f in _BY_TYPE if isinstance(error, kind)), _INVALID)
    if isinstance(error, _WITH_WORDS):
        failure = failure.told(_words(str(error), key))
    host = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or "")).hostname
    return evolve(failure, why=f"{failure.why} ({host})") if host else failure


def _of_answer(response: Mapping[str, Any], key: bytes) -> Failure:
    said = response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", "") or "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    failure = _BY_CODE.get(code.rpartition("#")[2])
    if failure is None and _THROTTLED.search(code):
        failure = _BUSY
    if failure is None:
        failure = _BROKEN if status >= _SERVER_ERRORS else evolve(_OTHER, why=f"it answered {code}")
    if failure.hint is KeyHint.CHECK_AWS_CREDENTIALS and _TIME.search(text):
        failure = evolve(failure, hint=StoreHint.HOST_CLOCK)
    return failure.told(_words(text, key))


def _words(text: str, key: bytes) -> str:
    return _CREDENTIALS.sub("********", short_words(text, key))


_SERVER_ERRORS = 500
_THROTTLED = re.compile(r"throttl|limitexceeded|toomanyrequests|slowdown", re.IGNORECASE)
_TIME = re.compile(r"expired|not yet current|skew", re.IGNORECASE)


def _denied(why: str, hint: HintCode) -> Failure:
    return Failure(why, hint, Kind.NOT_OURS)


_BUSY = Failure("it is asked too often", KeyHint.KEY_SERVICE_BUSY)
_BROKEN = Failure("it failed", KeyHint.KEY_SERVICE_BUSY)
_OTHER = Failure("it refused", KeyHint.NAME_KMS_KEY)
_INVALID = Failure("the SDK refused the call", KeyHint.CHECK_KMS_ENDPOINT)
_DISABLED = Failure("the key is disabled", KeyHint.ENABLE_KMS_KEY)
_STATE = Failure("the key cannot be used in its state", KeyHint.ENABLE_KMS_KEY)
_WRONG_CREDENTIALS = Failure("AWS refused the credentials", KeyHint.CHECK_AWS_CREDENTIALS)
_EXPIRED = Failure("the credentials have expired", StoreHint.NEW_TEMPORARY_CREDENTIALS)
_UNKNOWN_KEY = Failure("there is no such key", KeyHint.NAME_KMS_KEY)

_BY_CODE: Mapping[str, Failure] = {
    "AccessDeniedException": _denied("there is no right to do that", KeyHint.GRANT_KMS_RIGHTS),
    "AccessDenied": _denied("there is no right to do that", KeyHint.GRANT_KMS_RIGHTS),
    "DisabledException": _DISABLED,
    "KMSInvalidStateException": _STATE,
    "KeyUnavailableException": evolve(_STATE, hint=KeyHint.KEY_SERVICE_BUSY),
    "NotFoundException": _UNKNOWN_KEY,
    "InvalidArnException": _UNKNOWN_KEY,
    "InvalidKeyUsageException": Failure("the key is not for this", KeyHint.USE_SYMMETRIC_KMS_KEY),
    "IncorrectKeyException": Failure("another key has encrypted it", KeyHint.NAME_KMS_KEY),
    "InvalidCiphertextException": Failure(
        "the bytes were changed, or belong to another repository or data key",
        KeyHint.COMPARE_KEY_OBJECT,
        Kind.DAMAGED,
    ),
    "ValidationException": _OTHER,
    "DependencyTimeoutException": _BROKEN,
    "KMSInternalException": _BROKEN,
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "RequestExpired": evolve(_WRONG_CREDENTIALS, hint=StoreHint.HOST_CLOCK),
    "UnrecognizedClientException": _WRONG_CREDENTIALS,
    "InvalidClientTokenId": _WRONG_CREDENTIALS,
    "InvalidSignatureException": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
    "IncompleteSignature": _WRONG_CREDENTIALS,
    "MissingAuthenticationTokenException": _WRONG_CREDENTIALS,
    "OptInRequired": _WRONG_CREDENTIALS,
}

_NO_CREDENTIALS = _denied("there are no credentials for AWS", KeyHint.CHECK_AWS_CREDENTIALS)
# The output of a credentials helper may hold some, so it is not repeated.
_NOT_RETRIEVED = Failure(
    "the credentials for AWS could not be retrieved", KeyHint.CHECK_AWS_CREDENTIALS
)
_SIGN_IN = Failure("the sign-in has ended", StoreHint.SIGN_IN_AGAIN)
_PROFILE = Failure("AWS's configuration is invalid", StoreHint.AWS_PROFILE)
_NO_REGION = Failure("no region is known", KeyHint.NAME_KMS_KEY)
_NO_ANSWER = Failure("it gave no answer in time", KeyHint.CHECK_KMS_NETWORK)
_UNREACHED = Failure("it cannot be reached", KeyHint.CHECK_KMS_NETWORK)
_NONSENSE = Failure("the answer is not one of AWS KMS", KeyHint.CHECK_KMS_ENDPOINT)

# The first match counts, so narrower ones come before wider ones.
_BY_TYPE: tuple[tuple[type[BaseException], Failure], ...] = (
    (botocore.NoCredentialsError, _NO_CREDENTIALS),
    (botocore.NoAuthTokenError, _NO_CREDENTIALS),
    (botocore.PartialCredentialsError, _NOT_RETRIEVED),
    (botocore.MetadataRetrievalError, _NOT_RETRIEVED),
    (botocore.CredentialRetrievalError, _NOT_RETRIEVED),
    (botocore.UnknownCredentialError, _NOT_RETRIEVED),
    (botocore.RefreshWithMFAUnsupportedError, _NOT_RETRIEVED),
    (botocore.TokenRetrievalError, _SIGN_IN),
    (botocore.SSOError, _SIGN_IN),
    (botocore.LoginError, _SIGN_IN),
    (botocore.ProfileNotFound, _PROFILE),
    (botocore.ConfigParseError, _PROFILE),
    (botocore.ConfigNotFound, _PROFILE),
    (botocore.InvalidConfigError, _PROFILE),
    (botocore.NoRegionError, _NO_REGION),
    (botocore.InvalidRegionError, _NO_REGION),
    (botocore.UnknownRegionError, _NO_REGION),
    (botocore.SSLError, Failure("its certificate is not trusted", KeyHint.CHECK_KMS_CERTIFICATE)),
    (botocore.ProxyConnectionError, evolve(_UNREACHED, hint=StoreHint.CHECK_PROXIES)),
    (botocore.InvalidProxiesConfigError, evolve(_UNREACHED, hint=StoreHint.CHECK_PROXIES)),
    (botocore.ConnectTimeoutError, _NO_ANSWER),
    (botocore.ReadTimeoutError, _NO_ANSWER),
    (botocore.HTTPClientError, _UNREACHED),
    (botocore.ConnectionError, _UNREACHED),
    (ResponseParserError, _NONSENSE),
    (BotoCoreError, _INVALID),
    (HTTPError, _UNREACHED),
    (OSError, _UNREACHED),
    (ValueError, _NONSENSE),
    (AttributeError, _NONSENSE),
    (TypeError, _NONSENSE),
)
_WITH_WORDS = (botocore.ProfileNotFound, botocore.ConfigParseError, botocore.ConfigNotFound)
"""Errors whose own words help, and hold no part of a request."""
