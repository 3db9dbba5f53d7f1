"""What Vault's and OpenBao's refusals mean, and failures on the way to them."""

import re
import ssl
import urllib.error
from http import HTTPStatus

from attrs import evolve

from brownie_backup.encryptors.wrapping.failures import Failure, Kind, short_words
from brownie_backup.hints import KeyHint

NO_TOKEN = Failure("there is no token in the file of the token", KeyHint.CHECK_VAULT_TOKEN)
WRONG_TOKEN = Failure(
    "the token is not valid, or may not look itself up", KeyHint.CHECK_VAULT_TOKEN
)
NONSENSE = Failure("the answer is not one of Vault", KeyHint.CHECK_VAULT_ADDRESS, again=True)
REDIRECTED = Failure("it sends us to another address", KeyHint.ACTIVE_VAULT)

_SEALED = Failure("the server is sealed", KeyHint.UNSEAL_VAULT)
_BUSY = Failure("it is asked too often", KeyHint.KEY_SERVICE_BUSY, again=True)
_BROKEN = Failure("it failed", KeyHint.KEY_SERVICE_BUSY, again=True)
_UNREACHED = Failure("it cannot be reached", KeyHint.CHECK_VAULT_NETWORK, again=True)
_NO_ANSWER = Failure("it gave no answer in time", KeyHint.CHECK_VAULT_NETWORK, again=True)
_UNTRUSTED = Failure("its certificate is not trusted", KeyHint.VAULT_CERTIFICATE)
NO_CERTIFICATES = Failure("the file of certificates cannot be read", KeyHint.VAULT_CERTIFICATE)
_NOT_TLS = Failure("TLS failed", KeyHint.CHECK_VAULT_ADDRESS)
_NO_ROUTE = Failure("there is no transit engine at that mount", KeyHint.CHECK_VAULT_MOUNT)
_OTHER = Failure("it refused", KeyHint.USE_TRANSIT_KEY)

_BY_TEXT: tuple[tuple[re.Pattern[str], Failure], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        (r"\bsealed\b", _SEALED),
        (r"missing client token", WRONG_TOKEN),
        (r"namespace not found", Failure("there is no such namespace", KeyHint.CHECK_VAULT_MOUNT)),
        (r"encryption key not found", Failure("there is no such key", KeyHint.CHECK_TRANSIT_KEY)),
        (
            r"version is too new|disallowed by policy",
            Failure(
                "the key has no such version there, or may not use it any more",
                KeyHint.TRANSIT_VERSIONS,
            ),
        ),
        (
            r"message authentication failed|invalid ciphertext|unable to decrypt",
            Failure(
                "the bytes were changed, or belong to another key, repository or data key",
                KeyHint.COMPARE_KEY_OBJECT,
                Kind.DAMAGED,
            ),
        ),
        (
            r"non-AEAD|key derivation|not supported|convergent|nonce",
            Failure("the key is of another type", KeyHint.USE_TRANSIT_KEY),
        ),
        (r"soft.?deleted", Failure("the key is deleted", KeyHint.CHECK_TRANSIT_KEY)),
    )
)
_NEVER_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "UNKNOWN_PROTOCOL"}


def failure_of_answer(status: int, text: str, path: str, secrets: tuple[str, ...] = ()) -> Failure:
    """Return what a refusal means.

    Args:
        status: HTTP's.
        text: what the server said.
        path: what was asked, below ``/v1/``.
        secrets: texts that it might repeat.
    """
    words = short_words(text, secrets=secrets)
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        hint = KeyHint.GRANT_VAULT_RIGHTS(path=path)
        return Failure("the token has no right to do that", hint, Kind.NOT_OURS).told(words)
    failure = next((f for pattern, f in _BY_TEXT if pattern.search(text)), None)
    if failure is None:
        failure = _of_status(status)
    return failure.told(words)


def _of_status(status: int) -> Failure:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return _NO_ROUTE
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}:
        return _BUSY
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_READY:
        return evolve(_BROKEN, why=f"it answered {status}")
    return evolve(_OTHER, why=f"it answered {status}")


_NOT_READY = {412, 472, 473}
"""A standby that is behind, or only replicates."""


def failure_of_connection(error: Exception) -> Failure:
    """Return what it means that no answer came. The error's own words may hold the token."""
    below = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(below, ssl.SSLCertVerificationError):
        return _UNTRUSTED.told(below.verify_message)
    if isinstance(below, ssl.SSLError):
        failure = evolve(_NOT_TLS, again=below.reason not in _NEVER_TLS)
        return failure.told((below.reason or "").replace("_", " ").lower())
    if isinstance(below, TimeoutError):
        return _NO_ANSWER
    if isinstance(below, OSError):
        return _UNREACHED.told(short_words(below.strerror or ""))
    return NONSENSE
