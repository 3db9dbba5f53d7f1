"""The parts of a store's credentials to redact: each credential, and the secret parts of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location

_LONG = 16
"""A piece of a key this long is not a common word."""
_NAMES_A_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)


def secrets_of(location: Location) -> tuple[str, ...]:
    """Return the credentials of a store, and the secrets in them."""
    given = (location.access_key, location.secret_key, location.token)
    return tuple(text for secret in given for text in secrets_in(secret))


def secrets_in(credential: Secret | None) -> tuple[str, ...]:
    """Return a credential, and the secret values in it, if it is a JSON document of several."""
    if credential is None:
        return ()
    text = credential.reveal()
    return (text, *_values(text)) if text.lstrip().startswith("{") else (text,)


def key_lines(key: str) -> Iterator[str]:
    """Yield the lines of an armoured key that reveal something of it."""
    return (line for line in key.splitlines() if len(line) >= _LONG and not line.startswith("--"))


def _values(text: str) -> Iterator[str]:
    try:
        document: Any = json.loads(text)
    except ValueError:
        return
    for name, value in document.items() if isinstance(document, dict) else ():
        if _NAMES_A_SECRET.search(name) and isinstance(value, str) and "://" not in value:
            yield value
            yield from key_lines(value)
