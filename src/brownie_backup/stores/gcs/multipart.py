"""The body of an upload that carries an object and its metadata in one request."""

import json
import secrets
from collections.abc import Mapping
from typing import Any


def multipart(metadata: Mapping[str, Any], data: bytes) -> tuple[str, bytes]:
    """Return the type and the body of a request that carries an object and its metadata."""
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        f"{json.dumps(metadata)}\r\n"
        f"--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    body = b"".join((head.encode(), data, f"\r\n--{boundary}--\r\n".encode()))
    return f"multipart/related; boundary={boundary}", body
