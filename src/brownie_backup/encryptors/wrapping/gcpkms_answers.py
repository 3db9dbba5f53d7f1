"""What the refusals of Google Cloud KMS mean."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import evolve

from brownie_backup.encryptors.wrapping.failures import Failure, Kind, short_words
from brownie_backup.encryptors.wrapping.http_sessions import NONSENSE
from brownie_backup.hints import HintCode, KeyHint


def _denied(why: str, hint: HintCode) -> Failure:
    return Failure(why, hint, Kind.NOT_OURS)


_BUSY = Failure("it is asked too often", KeyHint.KEY_SERVICE_BUSY, again=True)
_BROKEN = Failure("it failed", KeyHint.KEY_SERVICE_BUSY, again=True)
_OTHER = Failure("it refused", KeyHint.NAME_CLOUDKMS_KEY)
_NO_KEY = Failure("there is no such key", KeyHint.NAME_CLOUDKMS_KEY)
_NO_RIGHT = _denied("there is no right to do that", KeyHint.GRANT_CLOUDKMS_RIGHTS)
_VERSION = Failure("the version of the key cannot be used", KeyHint.ENABLE_CLOUDKMS_VERSION)
_WRONG_CREDENTIALS = Failure("Google refused the credentials", KeyHint.CHECK_GOOGLE_CREDENTIALS)

_BY_REASON: Mapping[str, Failure] = {
    "SERVICE_DISABLED": Failure("the API is not enabled", KeyHint.ENABLE_CLOUDKMS_API),
    "BILLING_DISABLED": Failure("the project has no billing", KeyHint.ENABLE_CLOUDKMS_API),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _NO_RIGHT,
    "RATE_LIMIT_EXCEEDED": _BUSY,
}
_BY_TEXT: tuple[tuple[re.Pattern[str], Failure], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        (r"checksum|crc32c", evolve(_BROKEN, why="bytes were changed on the way")),
        (
            r"decryption failed",
            Failure(
                "the bytes were changed, or belong to another key, repository or data key",
                KeyHint.COMPARE_KEY_OBJECT,
                Kind.DAMAGED,
            ),
        ),
        (r"purpose", Failure("the key is not for this", KeyHint.USE_SYMMETRIC_CLOUDKMS_KEY)),
    )
)
_BY_NAME: Mapping[str, Failure] = {
    "UNAUTHENTICATED": _WRONG_CREDENTIALS,
    "PERMISSION_DENIED": _NO_RIGHT,
    "NOT_FOUND": _NO_KEY,
    "FAILED_PRECONDITION": _VERSION,
    "RESOURCE_EXHAUSTED": _BUSY,
}
_BY_STATUS: Mapping[int, Failure] = {
    401: _WRONG_CREDENTIALS,
    404: evolve(NONSENSE, again=False),  # a page of something else
    408: _BUSY,
    429: _BUSY,
}


def failure_of_answer(status: int, said: Mapping[str, Any], secrets: tuple[str, ...]) -> Failure:
    """Return what a refusal means.

    Args:
        status: HTTP's.
        said: the answer's field ``error``; empty if it has none.
        secrets: texts that the service might repeat.
    """
    text = said.get("message")
    text = text if isinstance(text, str) else ""
    failure = _meaning(status, str(said.get("status")), _reason(said), text)
    return failure.told(short_words(text, secrets=secrets))


def _meaning(status: int, name: str, reason: str, text: str) -> Failure:
    found = _BY_REASON.get(reason)
    if found is None and status == HTTPStatus.BAD_REQUEST:
        found = next((failure for pattern, failure in _BY_TEXT if pattern.search(text)), None)
    found = found or _BY_NAME.get(name) or _BY_STATUS.get(status)
    if found:
        return found
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return evolve(_BROKEN, why=f"it answered {status}")
    return evolve(_OTHER, why=f"it answered {status}")


def _reason(said: Mapping[str, Any]) -> str:
    """Return the reason in the answer's details, a word in capitals."""
    details = said.get("details")
    for each in details if isinstance(details, list) else ():
        if isinstance(each, dict) and isinstance(each.get("reason"), str):
            return str(each["reason"])
    return ""
