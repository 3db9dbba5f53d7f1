"""What the errors of Azure's SDK and the refusals of Key Vault mean."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import evolve
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from brownie_backup.encryptors.wrapping.failures import Failure, Kind, short_words
from brownie_backup.encryptors.wrapping.http_sessions import (
    CONNECTION_ERRORS,
    NONSENSE,
    failure_of_connection,
)
from brownie_backup.hints import KeyHint, StoreHint

_BUSY = Failure("it is asked too often", KeyHint.KEY_SERVICE_BUSY, again=True)
_BROKEN = Failure("it failed", KeyHint.KEY_SERVICE_BUSY, again=True)
_OTHER = Failure("it refused", KeyHint.NAME_KEYVAULT_KEY)
_NO_KEY = Failure("there is no such key, or no such version", KeyHint.NAME_KEYVAULT_KEY)
_NO_RIGHT = Failure("there is no right to do that", KeyHint.GRANT_KEYVAULT_RIGHTS, Kind.NOT_OURS)
_FIREWALL = Failure("the vault's firewall refused this host", KeyHint.KEYVAULT_FIREWALL)
_DISABLED = Failure("the version of the key is disabled", KeyHint.ENABLE_KEYVAULT_KEY)
_NOT_VALID = Failure("the version of the key is not valid now", KeyHint.ENABLE_KEYVAULT_KEY)
_DAMAGED = Failure(
    "the bytes were changed, or belong to another key", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)
_WRONG_KEY = Failure("the key is not for this", KeyHint.USE_RSA_KEY)
_WRONG_CREDENTIALS = Failure("Azure refused the credentials", KeyHint.CHECK_AZURE_CREDENTIALS)
_NO_CREDENTIALS = Failure(
    "there are no credentials for Azure", KeyHint.CHECK_AZURE_CREDENTIALS, Kind.NOT_OURS
)

_REDIRECTED = Failure("it sends us to another address", KeyHint.KEY_SERVICE_ADDRESS)
_NOT_THIS = evolve(NONSENSE, again=False)

_BY_CODE: Mapping[str, Failure] = {
    "KeyDisabled": _DISABLED,
    "KeyExpired": _NOT_VALID,
    "KeyNotYetValid": _NOT_VALID,
    "ForbiddenByRbac": _NO_RIGHT,
    "ForbiddenByPolicy": _NO_RIGHT,
    "ForbiddenByFirewall": _FIREWALL,
    "ForbiddenByConnection": _FIREWALL,
    "KeyNotFound": _NO_KEY,
    "Throttled": _BUSY,
}
_BY_STATUS: Mapping[int, Failure] = {
    401: _WRONG_CREDENTIALS,
    403: _NO_RIGHT,
    404: _NO_KEY,
    408: _BUSY,
    429: _BUSY,
}
_NAMED = {403, 404}
"""Something on the way may say so too, and then it means something else."""
_BY_TEXT: tuple[tuple[re.Pattern[str], Failure], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        (r"disabled key", _DISABLED),
        (r"expired key|not yet valid|validity period", _NOT_VALID),
        (r"client address is not authorized|public network access", _FIREWALL),
        (r"OAEP padding|unable to decrypt|decryption failed", _DAMAGED),
        (r"not (permitted|supported)|key type|key_ops|algorithm", _WRONG_KEY),
    )
)
_CONNECTION = re.compile(r"connection|timed out", re.IGNORECASE)
_CLOCK = re.compile(r"AADSTS(700024|500133)|not yet valid|valid time range", re.IGNORECASE)
_OAUTH = re.compile(r"\bAADSTS\d+: [^\r\n]{1,200}")
"""What Entra ID itself says. Other texts may hold the output of a program that gives tokens."""


def failure_of(error: Exception, secrets: tuple[str, ...] = ()) -> Failure:
    """Return what an error of the SDK means; `secrets` are texts that the service might repeat."""
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _of_answer(error, secrets)
    if isinstance(error, ClientAuthenticationError):
        return _of_credentials(str(error.message))
    inner = getattr(error, "inner_exception", None) or error
    if isinstance(inner, CONNECTION_ERRORS):
        return failure_of_connection(inner)
    if isinstance(error, AzureError) and _CONNECTION.search(str(error)):
        return failure_of_connection(ConnectionError())
    return NONSENSE


def _of_answer(error: HttpResponseError, secrets: tuple[str, ...]) -> Failure:
    said = _said(error.response)
    inner = said.get("innererror")
    codes = [inner.get("code") if isinstance(inner, dict) else None, said.get("code")]
    text = said.get("message")
    text = text if isinstance(text, str) else ""
    status = error.response.status_code or 0 if error.response else 0
    failure = next((_BY_CODE[str(code)] for code in codes if str(code) in _BY_CODE), None)
    if failure is None and status in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
        failure = next((f for pattern, f in _BY_TEXT if pattern.search(text)), None)
    if failure is None:
        failure = _of_status(status, named=bool(said))
    # Only the first line: what follows names this host's identity.
    return failure.told(short_words(text.strip().partition("\n")[0], secrets=secrets))


def _of_status(status: int, *, named: bool) -> Failure:
    """Return what a status means; `named` is whether the answer has the form of this service's."""
    if status in _BY_STATUS and (named or status not in _NAMED):
        return _BY_STATUS[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return evolve(_BROKEN, why=f"it answered {status}")
    if status < HTTPStatus.BAD_REQUEST:
        return _REDIRECTED
    return evolve(_OTHER if named else _NOT_THIS, why=f"it answered {status}")


def _said(response: Any) -> Mapping[str, Any]:  # noqa: ANN401 - of several types
    """Return the field ``error`` of an answer; empty if it has none."""
    try:
        said = response.json()["error"]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError, AzureError):
        return {}
    return said if isinstance(said, dict) else {}


def _of_credentials(text: str) -> Failure:
    """Return why no credential gave a token. The text itself may hold a secret."""
    said = _OAUTH.search(text)
    if _CLOCK.search(text):
        return evolve(_WRONG_CREDENTIALS, hint=StoreHint.HOST_CLOCK)
    if said:
        return _WRONG_CREDENTIALS.told(short_words(said[0]))
    if re.search(r"failed to (resolve|establish)|timed out|max retries", text, re.IGNORECASE):
        return failure_of_connection(ConnectionError())
    return _NO_CREDENTIALS
