"""HTTP by `requests`, which the SDKs of Google and Azure bring: sessions, and their failures."""

import ssl
from collections.abc import Iterator

import requests
from attrs import evolve
from requests import exceptions
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as TimeoutHTTPError

from brownie_backup.encryptors.wrapping.failures import Failure, short_words
from brownie_backup.hints import KeyHint, StoreHint

CONNECTION_ERRORS = (requests.RequestException, HTTPError, OSError)
"""All exceptions of sending and receiving."""

NONSENSE = Failure("the answer is not one of this service", KeyHint.KEY_SERVICE_ADDRESS, again=True)
_NO_ANSWER = Failure("it gave no answer in time", KeyHint.KEY_SERVICE_NETWORK, again=True)
_UNREACHED = Failure("it cannot be reached", KeyHint.KEY_SERVICE_NETWORK, again=True)
_UNTRUSTED = Failure("its certificate is not trusted", KeyHint.KEY_SERVICE_CERTIFICATE)
_NO_CERTIFICATES = Failure(
    "the file of certificates cannot be read", KeyHint.KEY_SERVICE_CERTIFICATE
)
_NOT_TLS = Failure("TLS failed", KeyHint.KEY_SERVICE_ADDRESS)


def new_session(*, proxies: bool = True) -> requests.Session:
    """Return a session for one call: threads must not share one.

    It leaves ~/.netrc alone, whose credentials would replace our token.
    """
    session = requests.Session()
    session.auth = _as_it_is
    if not proxies:
        session.trust_env = False
    return session


def failure_of_connection(error: BaseException) -> Failure:
    """Return what it means that no answer came. The error's own words may hold a token."""
    below = list(_below(error))
    found = next((failure for each in below if (failure := _known(each))), None)
    if found:
        return found
    if any(isinstance(each, ValueError) for each in below):  # a URL, a header, a body
        return NONSENSE
    if type(error) is OSError:  # so `requests` tells that REQUESTS_CA_BUNDLE leads nowhere
        return _NO_CERTIFICATES
    told = next((x.strerror for x in below if isinstance(x, OSError) and x.strerror), "")
    return _UNREACHED.told(short_words(told))


def _known(error: BaseException) -> Failure | None:
    """Return what one of the errors means by itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _UNTRUSTED.told(short_words(error.verify_message))
    if isinstance(error, ssl.SSLError):
        return _NOT_TLS.told((error.reason or "").replace("_", " ").lower())
    if isinstance(error, exceptions.ProxyError):
        return evolve(_UNREACHED, hint=StoreHint.CHECK_PROXIES)
    late = isinstance(error, TimeoutError | exceptions.Timeout | TimeoutHTTPError)
    # The library takes a connection that was refused for one that took too long.
    return _NO_ANSWER if late and not isinstance(error, NewConnectionError) else None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _below(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it wraps, from the outside in."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
