"""HTTP connections of the stores whose libraries use `requests`, and their failures."""

import io
import re
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from socket import gaierror
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.exceptions import TimeoutError as TimeoutHTTPError

from brownie_backup.errors import AccessDenied, StoreError, StoreUnavailable
from brownie_backup.hints import StoreHint

CONNECTION_ERRORS = (requests.RequestException, HTTPError, OSError)
"""All exceptions of sending and receiving, however a cloud's library wraps them."""

_CONNECTIONS = 32
"""More than the number of threads: 16 that read manifests, a few with blobs, and the lease's."""
_PIECE_BYTES = 256 << 10
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL"}

_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>: ")


class PiecewiseAdapter(HTTPAdapter):
    """Sends a body in pieces, once, over one of a sufficient number of connections.

    A body sent as one piece must be sent completely within the timeout for connecting: 32 MiB would
    never get through a slow line.
    """

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_connections=4, pool_maxsize=_CONNECTIONS)
        self.poolmanager.connection_pool_kw["blocksize"] = _PIECE_BYTES

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401 - passed on
        **kwargs: Any,  # noqa: ANN401 - passed on
    ) -> requests.Response:
        """Send a request."""
        if isinstance(request.body, bytes):
            request.body = io.BytesIO(request.body)  # a file is sent in pieces
        return super().send(request, *args, **kwargs)


S = TypeVar("S", bound=requests.Session)


def mount(session: S) -> S:
    """Let a session send as `PiecewiseAdapter` does, follow no redirect, and leave ~/.netrc alone.

    The credentials in that file, even those for any host, would replace our token or signature.
    """
    session.mount("https://", PiecewiseAdapter())
    session.mount("http://", PiecewiseAdapter())
    session.max_redirects = 0
    session.auth = _as_it_is
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def connection_error(what: str, error: BaseException) -> StoreError:
    """Return our error for one of `CONNECTION_ERRORS`, or for the one that a library wraps."""
    below = list(_below(error))
    for each in below:
        if isinstance(each, OSError) and each.filename:  # of a token, or of certificates
            why = f"{what}: '{each.filename}' cannot be read: {each.strerror}"
            return AccessDenied(why, hint=StoreHint.READ_FILE)
    return _of_connection(what, below)


def _of_connection(what: str, below: list[BaseException]) -> StoreError:
    why = f"{what}: {_reason(below)}"
    for each in below:
        if isinstance(each, ssl.SSLCertVerificationError):
            return StoreError(why, hint=StoreHint.CERTIFICATE)
        if isinstance(each, ssl.SSLError) and each.reason in _NOT_TLS:
            return StoreError(why, hint=StoreHint.CHECK_ENDPOINT_OR_PROXIES)
        if isinstance(each, exceptions.ProxyError):
            return StoreUnavailable(why, hint=StoreHint.CHECK_PROXIES)
        if _is_address(each):
            return StoreError(why, hint=StoreHint.CHECK_ENDPOINT_OR_PROXIES)
    if not any(isinstance(each, _WORTH_ANOTHER_TRY) for each in below):
        return StoreError(
            why, hint=StoreHint.CERTIFICATE
        )  # an OSError: from a file with certificates
    return StoreUnavailable(why, hint=StoreHint.CHECK_NETWORK)


_WORTH_ANOTHER_TRY = (
    requests.RequestException,
    HTTPError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    gaierror,
)


def _is_address(error: BaseException) -> bool:
    """Whether an error says that a URL is invalid, or leads elsewhere."""
    wrong = (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema)
    others = (exceptions.InvalidHeader, exceptions.TooManyRedirects, LocationValueError)
    return isinstance(error, (*wrong, *others))


def _below(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it wraps, from the outside in."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        wrapped = [
            *each.args,
            getattr(each, "reason", None),
            getattr(each, "inner_exception", None),
        ]
        wrapped += [each.__cause__, each.__context__]
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]


def _reason(below: list[BaseException]) -> str:
    """Return in a few words what failed: outer errors mostly repeat inner ones."""
    host = next((host for each in below if (host := _host(each))), "")
    return f"{host}: {_words(below)}" if host else _words(below)


def _words(below: list[BaseException]) -> str:
    if any(isinstance(each, exceptions.ConnectTimeout) for each in below):
        return "no connection in time"
    if any(isinstance(each, exceptions.TooManyRedirects) for each in below):
        return "it sends us to another address"
    for each in reversed(below):
        if isinstance(each, TimeoutError | exceptions.Timeout | TimeoutHTTPError):
            return "no answer in time"
        if isinstance(each, ssl.SSLError) and each.reason:
            detail = getattr(each, "verify_message", "")
            return f"TLS: {each.reason.replace('_', ' ').lower()}{detail and f' ({detail})'}"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    text = _OBJECT.sub("", " ".join(str(below[-1]).split()))
    return text or type(below[-1]).__name__


def _host(error: BaseException) -> str:
    """Return the host that a request was for."""
    request = getattr(error, "request", None)
    if not isinstance(request, requests.PreparedRequest):
        return ""
    return urlsplit(request.url or "").netloc.rpartition("@")[2]


def is_server_error(status: int) -> bool:
    """Whether an answer says that the service failed, and may succeed another time."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
