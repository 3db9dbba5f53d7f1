"""Base64 that is taken in one form only, so that no changed text passes for the same."""

import base64
import binascii


def encoded(data: bytes) -> str:
    """Return the text for some bytes."""
    return base64.b64encode(data).decode()


def decoded(text: object) -> bytes:
    """Return the bytes that a text stands for; none if it is not exactly that text."""
    if not isinstance(text, str):
        return b""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if encoded(data) == text else b""
