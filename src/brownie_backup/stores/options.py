"""The options of a store in a URL's query, or in a variable of the same name."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import Factory, field, frozen

LOCK_MODES = ("compliance", "governance")
ADDRESSINGS = ("path", "virtual", "auto")
MOST_DAYS = 36500


@frozen
class Option:
    """One option of a store, and the reader of its text."""

    name: str
    """Its name in the query of a URL; in upper case, with a prefix, the name of a variable."""
    help: str
    read: Callable[[str], Any] = str
    """Raises ValueError with the problem, worded as the end of a sentence."""
    field: str = field(default=Factory(lambda self: self.name, takes_self=True))
    """The field of `Location`."""
    hidden: bool = False
    """Whether a wrong value is hidden in messages: a URL may contain a password."""
    promise: bool = True
    """Whether it sets how objects are kept: a store that does not support it must not ignore it."""


def read_endpoint(text: str) -> str:
    """Check the address of a service."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        msg = " is not an endpoint: write https://host or https://host:port"
        raise ValueError(msg)
    if "@" in parts.netloc or parts.query:
        msg = " has more in it than an address: credentials have variables of their own"
        raise ValueError(msg)
    return text


def read_tags(text: str) -> dict[str, str]:
    """Read ``key=value,key=value``."""
    tags = {}
    for item in text.split(","):
        key, equals, value = item.strip().partition("=")
        if not key or not equals:
            msg = f" has a tag that is not key=value: '{item.strip()}'"
            raise ValueError(msg)
        tags[key] = value
    return tags


def read_days(text: str) -> int:
    """Read a number of days."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_DAYS:
        msg = f" is not a whole number from 1 to {MOST_DAYS}"
        raise ValueError(msg)
    return int(text)


def read_lock_mode(text: str) -> str:
    """Read the mode of an object lock."""
    if text.lower() not in LOCK_MODES:
        msg = f" is none of: {', '.join(LOCK_MODES)}"
        raise ValueError(msg)
    return text.lower()


def read_addressing(text: str) -> str:
    """Read where the name of a bucket goes in its address."""
    if text.lower() not in ADDRESSINGS:
        msg = f" is none of: {', '.join(ADDRESSINGS)}"
        raise ValueError(msg)
    return text.lower()


REGION = Option("region", "the store's region", promise=False)
ENDPOINT_URL = Option(
    "endpoint_url",
    "another address of the store's service",
    read_endpoint,
    hidden=True,
    promise=False,
)
S3_ADDRESSING = Option(
    "s3_addressing", "path, virtual or auto", read_addressing, "addressing", promise=False
)
SSE_KMS_KEY = Option("sse_kms_key", "the key the service encrypts with")
STORAGE_CLASS = Option("storage_class", "the service's storage class")
OBJECT_TAGS = Option("object_tags", "tags of each object: key=value,…", read_tags, "tags")
OBJECT_LOCK_DAYS = Option(
    "object_lock_days", "for how many days objects cannot be deleted", read_days
)
OBJECT_LOCK_MODE = Option(
    "object_lock_mode", "compliance or governance", read_lock_mode, promise=False
)

OPTIONS = (
    REGION,
    ENDPOINT_URL,
    S3_ADDRESSING,
    SSE_KMS_KEY,
    STORAGE_CLASS,
    OBJECT_TAGS,
    OBJECT_LOCK_DAYS,
    OBJECT_LOCK_MODE,
)
"""All options with a field in `Location`. Each `StoreType` lists the ones that it supports."""


def read_options(options: tuple[Option, ...], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values in texts, by the fields of `Location`; texts of other names are ignored.

    Raises:
        ValueError: the problem, worded as the end of a sentence.
    """
    values: dict[str, Any] = {}
    for option in options:
        if option.name not in texts:
            continue
        try:
            values[option.field] = option.read(texts[option.name])
        except ValueError as error:
            msg = f" has a wrong {option.name}, which{error}"
            raise ValueError(msg) from None
    return values
