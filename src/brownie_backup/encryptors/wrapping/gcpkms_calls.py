"""The part of Google Cloud KMS that needs Google's libraries: credentials, and calls."""

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import google.auth
import google_crc32c
from google.auth import exceptions as auth
from google.auth.transport.requests import Request

from brownie_backup.encryptors.wrapping.failures import Failure, Kind, short_words
from brownie_backup.encryptors.wrapping.gcpkms_answers import failure_of_answer
from brownie_backup.encryptors.wrapping.http_sessions import (
    CONNECTION_ERRORS,
    NONSENSE,
    failure_of_connection,
    new_session,
)
from brownie_backup.hints import KeyHint, StoreHint

_SCOPES = ("https://www.googleapis.com/auth/cloudkms",)
_MOST_BYTES = 1 << 20
_LOCK = threading.Lock()
"""Credentials are not made for several threads. They are renewed once an hour."""

_NO_CREDENTIALS = Failure(
    "there are no credentials for Google", KeyHint.CHECK_GOOGLE_CREDENTIALS, Kind.NOT_OURS
)
_WRONG_CREDENTIALS = Failure("Google refused the credentials", KeyHint.CHECK_GOOGLE_CREDENTIALS)
_SKEWED = Failure("Google refused the credentials", StoreHint.HOST_CLOCK)
_NO_TOKEN = Failure(
    "no token could be had from Google", KeyHint.CHECK_GOOGLE_CREDENTIALS, again=True
)
_REDIRECTED = Failure("it sends us to another address", KeyHint.KEY_SERVICE_ADDRESS)
_OAUTH = re.compile(r"(invalid_\w+|unauthorized_client|access_denied): .*", re.DOTALL)
"""What Google itself says. Other texts may hold the output of a program that gives tokens."""
_CLOCK = re.compile(r"\b(iat|exp)\b|reasonable timeframe", re.IGNORECASE)


def checksum(data: bytes) -> int:
    """Return the CRC32C of some bytes."""
    value: int = google_crc32c.value(data)
    return value


class DefaultCredentials:
    """The credentials that Google's own chain finds, looked up when first needed."""

    def __init__(self) -> None:
        self._found: Any = None

    def before_request(self, *arguments: object) -> None:
        """Put the found credentials into a request's headers."""
        if self._found is None:
            self._found, _ = google.auth.default(scopes=_SCOPES)
        self._found.before_request(*arguments)


class CloudKms:
    """The service, at one address."""

    def __init__(
        self,
        endpoint_url: str,
        credentials: Any,  # noqa: ANN401 - of any type that google-auth has
        timeout_seconds: float,
        waits_seconds: Sequence[float],
    ) -> None:
        self._endpoint = endpoint_url
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._waits_seconds = waits_seconds

    def post(
        self,
        path: str,
        fields: Mapping[str, str],
        read: Callable[[Mapping[str, Any]], bytes | Failure],
        secrets: tuple[str, ...],
    ) -> bytes | Failure:
        """Return what `read` makes of the answer, or what failed, after a few tries.

        Args:
            path: below ``/v1/``.
            fields: of the request.
            read: reads a good answer.
            secrets: texts in the request that the service might repeat in an error.
        """
        result = self._try(path, fields, read, secrets)
        for wait in self._waits_seconds:
            if not isinstance(result, Failure) or not result.again:
                break
            time.sleep(wait)
            result = self._try(path, fields, read, secrets)
        return result

    def _try(
        self,
        path: str,
        fields: Mapping[str, str],
        read: Callable[[Mapping[str, Any]], bytes | Failure],
        secrets: tuple[str, ...],
    ) -> bytes | Failure:
        url = f"{self._endpoint}/v1/{path}"
        headers = {"Content-Type": "application/json"}
        # Google's own session would write the body, and so the data key, into a log for debugging.
        with new_session() as of_tokens:
            request = functools.partial(Request(of_tokens), timeout=self._timeout_seconds)
            failure = self._authorize(request, url, headers)
        if failure:
            return failure
        # A connection that is not encrypted never goes through a proxy.
        with new_session(proxies=url.startswith("https:")) as session:
            try:
                answer = session.post(
                    url,
                    data=json.dumps(fields).encode(),
                    headers=headers,
                    timeout=self._timeout_seconds,
                    allow_redirects=False,
                    stream=True,
                )
                data = answer.raw.read(_MOST_BYTES, decode_content=True)
                return _understood(answer.status_code, data, read, (*secrets, _token(headers)))
            except (*CONNECTION_ERRORS, ValueError) as error:
                return failure_of_connection(error)

    def _authorize(self, request: object, url: str, headers: dict[str, str]) -> Failure | None:
        try:
            with _LOCK:
                self._credentials.before_request(request, "POST", url, headers)
        except auth.GoogleAuthError as error:
            return _failure_of_credentials(error)
        except CONNECTION_ERRORS as error:
            return failure_of_connection(error)
        except (ValueError, TypeError, KeyError, AttributeError):  # a file of another form
            return _WRONG_CREDENTIALS
        return None


def _token(headers: Mapping[str, str]) -> str:
    values = {name.lower(): value for name, value in headers.items()}
    return values.get("authorization", "").rpartition(" ")[2]


def _understood(
    status: int,
    data: bytes,
    read: Callable[[Mapping[str, Any]], bytes | Failure],
    secrets: tuple[str, ...],
) -> bytes | Failure:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _REDIRECTED
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if status != HTTPStatus.OK:
        said = document.get("error") if isinstance(document, dict) else None
        return failure_of_answer(status, said if isinstance(said, dict) else {}, secrets)
    return read(document) if isinstance(document, dict) else NONSENSE


def _failure_of_credentials(error: auth.GoogleAuthError) -> Failure:
    """Return why there is no token. The error's own words may hold a part of one."""
    text = next((each for each in error.args if isinstance(each, str)), "")
    if isinstance(error, auth.DefaultCredentialsError):
        return _NO_CREDENTIALS.told(short_words(text))  # it names files
    inner = next((each for each in error.args if isinstance(each, CONNECTION_ERRORS)), None)
    if inner is not None:
        return failure_of_connection(inner)
    if isinstance(error, auth.TransportError) or error.retryable:
        return _NO_TOKEN
    failure = _SKEWED if _CLOCK.search(text) else _WRONG_CREDENTIALS
    return failure.told(short_words(text)) if _OAUTH.fullmatch(text) else failure
