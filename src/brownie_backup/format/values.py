"""The values that stored objects may hold; who writes to a store is not trusted.

A check raises `ValueError`; its message names no value.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

MOST = (1 << 63) - 1
"""The largest size, count or number: what a database, a metric and other languages can hold."""
_LONGEST_SECONDS = 1e12
_DEEPEST = 32
_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + _DAY
_LATEST = datetime.max.replace(tzinfo=UTC) - _DAY

# Bytes of a name that are not UTF-8 (SQL_ASCII) are stored as U+DC80 to U+DCFF; all other lone
# surrogates are no text.
_NO_TEXT = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that the bytes are."""
    try:
        plain = json.loads(data.decode("utf-8", "strict"), parse_constant=_refuse_constant)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None
    if not isinstance(plain, dict):
        msg = "not a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for all that is no manifest
    return plain


def number(value: object) -> int:
    """Return a size, a count, a number of a block: never negative."""
    if type(value) is not int or not 0 <= value <= MOST:
        msg = "expected an integer from 0 to 2^63-1"
        raise ValueError(msg)
    return value


def text(value: object) -> str:
    """Return a text that can be written as UTF-8, or as the bytes that it was made of."""
    if type(value) is not str:
        msg = "expected a text"
        raise ValueError(msg)
    if not value.isascii() and _NO_TEXT.search(value):
        msg = "expected a text without lone surrogates"
        raise ValueError(msg)
    return value


def truth(value: object) -> bool:
    """Return a boolean."""
    if type(value) is not bool:
        msg = "expected true or false"
        raise ValueError(msg)
    return value


def seconds(value: object) -> float:
    """Return how long something took, which may have decimals."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        msg = "expected a number"
        raise ValueError(msg)  # noqa: TRY004 - as for all other values
    if not 0 <= value <= _LONGEST_SECONDS:  # not for NaN either
        msg = "expected a number of seconds"
        raise ValueError(msg)
    return float(value)


def instant(value: object) -> datetime:
    """Return an instant, in UTC; a day earlier or later is one too, for time zones and margins."""
    parsed = datetime.fromisoformat(text(value))
    if parsed.tzinfo is None:
        msg = "expected an instant with its zone"
        raise ValueError(msg)
    try:
        at = parsed.astimezone(UTC)
    except OverflowError:
        at = _LATEST + _DAY
    if not _EARLIEST <= at < _LATEST:
        msg = "expected an instant of these millennia"
        raise ValueError(msg)
    return at


def name_of_blob(value: object) -> str:
    """Return the name of a blob, which becomes part of a key."""
    if not _BLOB_NAME.fullmatch(text(value)):
        msg = "expected the name of a blob"
        raise ValueError(msg)
    return text(value)


def anything(value: object, depth: int = 0) -> object:
    """Return JSON of any form, if it is not too deep, and can be written again."""
    if depth > _DEEPEST:
        msg = "nested too deeply"
        raise ValueError(msg)
    match value:
        case None | bool():
            return value
        case int():
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            return text(value)
        case list():
            return [anything(each, depth + 1) for each in value]
        case dict():
            return {text(key): anything(each, depth + 1) for key, each in value.items()}
    msg = "expected JSON"
    raise ValueError(msg)


def _refuse_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
