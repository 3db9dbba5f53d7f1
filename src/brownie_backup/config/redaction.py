"""The secrets of the settings, as they may appear in a text: the last safeguard before a log line.

No message is meant to hold a secret. A message of a library or a program may still do so.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import unquote

from brownie_backup.config.settings import Settings
from brownie_backup.config.variables import OF_STORES, VARIABLES
from brownie_backup.errors import redact
from brownie_backup.secret import Secret
from brownie_backup.stores.secrets import key_lines, secrets_of

SHORTEST = 6
"""Shorter secrets are not redacted: the position of the stars would reveal more than they hide."""
_LONG = 16
"""A piece of an address this long is not a common word."""

_PASSWORD = re.compile(
    r"""://[^:/@]*:([^@]*)@ | \bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))""", re.VERBOSE
)


def redactor(settings: Settings) -> Callable[[str], str]:
    """Return a function that redacts the secrets, and anything that looks like one, in a text."""
    # the first pattern is libpq's own
    texts = {os.environ.get("PGPASSWORD", ""), *api_tokens(settings)}
    for variable in VARIABLES:
        name = variable.name.lower()
        value = settings.value(name) if name not in OF_STORES else None
        if isinstance(value, Secret):
            text = value.reveal().strip()
            texts |= {text, *_secrets_in(name, text)}
    for location in settings.stores.values():
        texts |= {text.strip() for text in secrets_of(location)}
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
    """Return the tokens in BACKUP_API_TOKENS: each entry is ``name:scope+scope:token``."""
    items = (item.strip() for item in text.replace("\n", ",").split(","))
    return [item for item in items if item]


def _secrets_in(name: str, text: str) -> Iterator[str]:
    """Yield the secrets in a variable's value, if it is not secret as a whole."""
    if name == "database_url":
        for found in _PASSWORD.findall(text):
            password = "".join(found)
            yield from (password, unquote(password))
    elif name in {"ping_url", "webhook_url"}:
        path = text.partition("://")[2].partition("/")[2]
        yield from (part for part in re.split(r"[/?&=]+", path) if len(part) >= _LONG)
    elif name == "gpg_private_key":
        yield from key_lines(text)
