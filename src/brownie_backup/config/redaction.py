"""The secrets of the settings, as they could turn up in a text; the last net before a log line.

No message is meant to hold one. What a library or a program says may do so all the same.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from brownie_backup.config.settings import Settings
from brownie_backup.config.variables import VARIABLES
from brownie_backup.errors import redact
from brownie_backup.secret import Secret

SHORTEST = 6
"""What is shorter is not looked for: where the stars are would tell more than they hide."""
_LONG = 16
"""A piece of a key or of an address that is as long as that is not some common word."""

_PASSWORD = re.compile(
    r"""://[^:/@]*:([^@]*)@ | \bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))""", re.VERBOSE
)
_NAMES_A_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)


def redactor(settings: Settings) -> Callable[[str], str]:
    """Return a function that takes the secrets, and what looks like one, out of a text."""
    texts = {os.environ.get("PGPASSWORD", ""), *api_tokens(settings)}  # the first is libpq's own
    for variable in VARIABLES:
        name = variable.name.lower()
        value = settings.value(name)
        if isinstance(value, Secret):
            text = value.reveal().strip()
            texts |= {text, *_secrets_in(name, text)}
    # The longest first: one may be a part of another.
    found = sorted((text for text in texts if len(text) >= SHORTEST), key=len, reverse=True)
    return partial(redact, secrets=tuple(found))


def api_tokens(settings: Settings) -> tuple[str, ...]:
    """Return the bearer tokens of the REST API, however short they are."""
    alone = settings.api_token.reveal().strip() if settings.api_token else ""
    listed = token_items(settings.api_tokens.reveal()) if settings.api_tokens else []
    found = (alone, *(item.split(":", 2)[-1] for item in listed))
    return tuple(token for token in found if token)


def token_items(text: str) -> list[str]:
    """Return what BACKUP_API_TOKENS lists: each ``name:scope+scope:token``."""
    items = (item.strip() for item in text.replace("\n", ",").split(","))
    return [item for item in items if item]


def _secrets_in(name: str, text: str) -> Iterator[str]:
    """Yield what is secret in the value of a variable, when it is not quoted as a whole."""
    if name == "database_url":
        for found in _PASSWORD.findall(text):
            password = "".join(found)
            yield from (password, unquote(password))
    elif name in {"ping_url", "webhook_url"}:
        path = text.partition("://")[2].partition("/")[2]
        yield from (part for part in re.split(r"[/?&=]+", path) if len(part) >= _LONG)
    elif name == "gpg_private_key":
        yield from _lines(text)
    elif text.startswith("{"):
        yield from _secrets_in_json(text)


def _secrets_in_json(text: str) -> Iterator[str]:
    try:
        document: Any = json.loads(text)
    except ValueError:
        return
    for key, value in document.items() if isinstance(document, dict) else ():
        if _NAMES_A_SECRET.search(key) and isinstance(value, str) and "://" not in value:
            yield value
            yield from _lines(value)


def _lines(key: str) -> Iterator[str]:
    return (line for line in key.splitlines() if len(line) >= _LONG and not line.startswith("--"))
