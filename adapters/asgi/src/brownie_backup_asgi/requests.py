"""Reads requests strictly, by the same schemas that /openapi.json shows."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.problems import INVALID, MALFORMED, MEDIA_TYPE, TOO_LARGE, Problem

MOST_BODY_BYTES = 64 << 10
MOST_WAIT_SECONDS = 600
REQUEST_SECONDS = 30.0
"""How long the head of a request may take, and then its body."""
_CLOSE = {"Connection": "close"}

Schema = Mapping[str, Any]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
}
_WAIT = re.compile(r"\bwait\s*=\s*\"?(\d{1,9})\"?\s*(?:[,;]|$)", re.IGNORECASE | re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def read_body(request: Request, schema: Schema) -> dict[str, Any]:
    """Return the body, which may be omitted if no field is required.

    Raises:
        Problem: it is too large, is not JSON (400), or does not match the schema (422).
    """
    data = await _read(request)
    document: Any = {}
    if data.strip():
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(MEDIA_TYPE, f"the body is '{kind[:100]}'", hint=ApiHint.SEND_AS_JSON)
        document = _parse(data)
    _refuse(tuple(violations(document, schema, "the body")))
    return dict(document)


def read_query(request: Request, schema: Schema) -> dict[str, str]:
    """Return the query's parameters.

    Raises:
        Problem: one is unknown, is repeated, or has an invalid value.
    """
    pairs = request.query_params.multi_items()
    if len(dict(pairs)) < len(pairs):
        raise Problem(MALFORMED, "a query parameter is repeated", hint=ApiHint.SEND_ONCE)
    _refuse(tuple(violations(dict(pairs), schema, "the query")))
    return dict(pairs)


def wait_seconds(request: Request) -> int | None:
    """Return the seconds that the caller is ready to wait (RFC 7240); None if it does not wait."""
    for header in request.headers.getlist("prefer"):
        if found := _WAIT.search(header):
            return min(int(found[1]), MOST_WAIT_SECONDS)
    return None


def idempotency_key(request: Request) -> str | None:
    """Return the caller's idempotency key.

    Raises:
        Problem: it is empty, too long, or has characters other than printable ASCII.
    """
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Problem(MALFORMED, "the Idempotency-Key cannot be read", hint=ApiHint.KEY_RULE)
    return keys[0]


def violations(value: Any, schema: Schema, at: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield how a value violates its schema. Supports the part of JSON Schema that we use."""
    kind = schema.get("type")
    if kind and not _is(value, kind):
        yield f"{at} is not of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is none of {', '.join(repr(each) for each in schema['enum'])}"
    if isinstance(value, str):
        yield from _text_violations(value, schema, at)
    elif isinstance(value, dict):
        yield from _object_violations(value, schema, at)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{at} has more than {schema['maxItems']} items"
        for number, item in enumerate(value):
            yield from violations(item, schema["items"], f"item {number} of {at}")
    elif kind == "number" and not schema["minimum"] <= value <= schema["maximum"]:
        yield f"{at} is not from {schema['minimum']} to {schema['maximum']}"


def _text_violations(value: str, schema: Schema, at: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        lengths = f"{schema.get('minLength', 0)} to {schema.get('maxLength', 'any number of')}"
        yield f"{at} is not {lengths} characters long"
    if _SURROGATE.search(value):
        yield f"{at} is not Unicode text"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{at} does not match {schema['pattern']}"


def _object_violations(value: dict[str, Any], schema: Schema, at: str) -> Iterator[str]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    others: Schema | bool = schema.get("additionalProperties", True)
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{at} has more than {schema['maxProperties']} fields"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at} lacks '{name}'"
    for name, field in value.items():
        if _SURROGATE.search(name):
            yield f"a field's name in {at} is not Unicode text"
        elif name in properties:
            yield from violations(field, properties[name], f"'{name}'")
        elif not others:
            yield f"{at} has an unknown field '{name[:100]}'"
        elif isinstance(others, Mapping):
            yield from violations(name, schema.get("propertyNames", {}), f"a key of {at}")
            yield from violations(field, others, f"'{name[:100]}' of {at}")


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


async def _read(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MOST_BODY_BYTES:
                    msg = f"the body has more than {MOST_BODY_BYTES} bytes"
                    raise Problem(TOO_LARGE, msg, hint=ApiHint.SEND_LESS, headers=_CLOSE)
    except TimeoutError:
        msg = f"the body did not come within {REQUEST_SECONDS:.0f} s"
        raise Problem(MALFORMED, msg, hint=ApiHint.REQUEST_AGAIN, headers=_CLOSE) from None
    except ClientDisconnect:
        raise Problem(MALFORMED, "the body was cut off") from None
    return bytes(data)


def _parse(data: bytes) -> object:
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise Problem(MALFORMED, "the body is nested too deeply", hint=ApiHint.SEND_LESS) from None
    except ValueError as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise Problem(MALFORMED, f"the body is not JSON: {why}", hint=ApiHint.SEND_JSON) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        msg = "a field is repeated"
        raise ValueError(msg)
    return document


def _no_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _refuse(found: tuple[str, ...]) -> None:
    if found:
        raise Problem(INVALID, "; ".join(found), hint=ApiHint.SEE_SCHEMA, details=found)
