"""Translate the errors of the S3 library and services into our own errors.

Their exceptions never get out: they hold requests with signatures in them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from brownie_backup.errors import KeyExists, KeyNotFound, StoreError, StoreUnavailable, redact
from brownie_backup.hints import StoreHint
from brownie_backup.stores.retry_policy import retry_after
from brownie_backup.stores.s3.meanings import (
    Meaning,
    meaning_of_answer,
    meaning_of_error,
)

SDK_ERRORS = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    botocore.UndefinedModelAttributeError,
    HTTPError,
    OSError,
    ValueError,  # an answer with an invalid date or number
)
"""All exceptions that a call of the library can raise."""

_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}\b")
_SIGNED = re.compile(r"\b((?:X-Amz-[\w-]+|Signature|AWSAccessKeyId)=)[^&\s\"',]+", re.IGNORECASE)
_OBJECT_AT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>: |\b\w+\([^()]*\): ")


def store_error(
    what: str, url: str, error: BaseException, secrets: Iterable[str] = ()
) -> StoreError | KeyExists:
    """Return our error for theirs.

    Args:
        what: the failed action and its object: ``cannot write 'key'``.
        url: the store.
        error: one of `SDK_ERRORS`.
        secrets: texts that must not appear in the message.
    """
    wait = None
    if isinstance(error, ClientError):
        meaning, why = _read_answer(error.response)
        wait = retry_after(_headers(error.response))
    else:
        meaning = meaning_of_error(error)
        why = _reason(error, meaning.why)
    message = _clean(f"{what} in {url}: {why}", secrets)
    if issubclass(meaning.error, StoreUnavailable):
        return StoreUnavailable(message, hint=meaning.hint, retry_after_seconds=wait)
    return meaning.error(message, hint=meaning.hint)


def _read_answer(response: Mapping[str, Any]) -> tuple[Meaning, str]:
    """Return the meaning of an error answer, and the reason in words."""
    said = response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", "") or "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    meaning = meaning_of_answer(code, text, status)
    why = meaning.why or ": ".join(part for part in (code, text.strip(" .")) if part) or "unknown"
    if meaning.error is KeyNotFound:
        why = "there is no such object"
    region = said.get("Region") or _headers(response).get("x-amz-bucket-region")
    if meaning.hint is StoreHint.CHECK_REGION and region:
        why = f"the bucket is in the region '{region}'"
    return meaning, why


def _headers(response: Mapping[str, Any]) -> Mapping[str, str]:
    headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _reason(error: BaseException, why: str) -> str:
    """Return the underlying failure and the host, without the library's internals."""
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
