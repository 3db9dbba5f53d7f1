"""Where a store is and how it is to be used: what a URL, or the settings, say of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from attrs import Factory, field, frozen

from brownie_backup.secret import Secret

LOCK_MODES = ("compliance", "governance")
CLOUDS = ("s3", "gs", "azure")
MOST_DAYS = 36500

_SECRETS = re.compile(
    r"access_?key|account_?key|api_?key|secret|token|passw|passphrase|pwd|credential|signature|^sig$|^key$|^sas",
    re.IGNORECASE,
)
_RETENTION = re.compile(r"retention_days|keep_[a-z]+|most_deleted_percent")


@frozen
class Location:
    """One store, before it is opened.

    In a URL ``scheme://host/path?region=…`` the host is the bucket or container; in
    ``file:///path`` there is none. Credentials never come from a URL: they are secrets.
    """

    scheme: str
    """``file``, ``s3``, ``gs``, ``azure``, or one that an entry point serves."""
    host: str = ""
    path: str = ""
    """For ``file`` the folder; for a cloud the prefix of all keys, without slashes around it."""
    region: str | None = None
    endpoint_url: str | None = None
    """Another address of the service: a compatible store, an emulator, a private endpoint."""
    sse_kms_key: str | None = None
    """The key with which the service encrypts what it stores; our own encryption is apart."""
    storage_class: str | None = None
    tags: Mapping[str, str] = Factory(dict)
    """What the service is to tag each object with."""
    object_lock_days: int | None = None
    object_lock_mode: str = LOCK_MODES[0]
    retention: Mapping[str, str] = Factory(dict)
    """What the URL says of this store's own retention, such as ``keep_daily``."""
    options: Mapping[str, str] = Factory(dict)
    """What else a URL's query says: for stores of third parties."""
    access_key: Secret | None = field(default=None, kw_only=True)
    secret_key: Secret | None = field(default=None, kw_only=True)
    token: Secret | None = field(default=None, kw_only=True)

    @property
    def url(self) -> str:
        """The URL without its query: what people are shown, and what ``--from`` takes."""
        path = self.path.strip("/") if self.scheme in CLOUDS else self.path
        separator = "/" if self.host and path and not path.startswith("/") else ""
        return f"{self.scheme}://{self.host}{separator}{quote(path, safe='/~')}"


def parse_location(text: str) -> Location:
    """Read a URL.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence, and never with a secret.
    """
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        msg = " is not a URL"
        raise ValueError(msg) from None
    query = dict(pairs)
    problem = next(_problems(parts, query), "")
    if len(query) < len(pairs):
        problem = problem or " says something twice after its '?'"
    if problem:
        raise ValueError(problem)
    scheme = parts.scheme.lower()
    path = unquote(parts.path)
    retention = {name: query.pop(name) for name in [*query] if _RETENTION.fullmatch(name)}
    known = read_options({name: query.pop(name) for name in [*query] if name in OPTIONS})
    if query and scheme in {"file", *CLOUDS}:
        msg = f" has options that nobody knows: {', '.join(sorted(query))}"
        raise ValueError(msg)
    path = path.strip("/") if scheme in CLOUDS else path
    return Location(scheme, parts.netloc, path, **known, retention=retention, options=query)


def _problems(parts: SplitResult, query: Mapping[str, str]) -> Iterator[str]:
    if "@" in parts.netloc:
        yield " holds credentials, which everybody would see: give them by variables of their own"
    if any(_SECRETS.search(name) for name in query):
        yield " holds a secret, which everybody would see: give it by a variable of its own"
    if parts.fragment:
        yield " has a '#' in it: write %23"
    if parts.scheme.lower() == "file" and (parts.netloc or len(parts.path) <= 1):
        yield " names no folder: write file:///folder"
    if parts.scheme.lower() in CLOUDS and not parts.netloc:
        yield f" names no bucket: write {parts.scheme}://bucket/prefix"
    if parts.scheme.lower() in CLOUDS and ":" in parts.netloc:
        yield f" has no bucket's name: write {parts.scheme}://bucket?endpoint_url=https://host:port"


OPTIONS = (
    "region",
    "endpoint_url",
    "sse_kms_key",
    "storage_class",
    "object_tags",
    "object_lock_days",
    "object_lock_mode",
)
"""What a URL's query, or a variable of the same name, may say of a store of ours."""


def read_options(texts: Mapping[str, str]) -> dict[str, Any]:
    """Read the values of `OPTIONS`; ValueError says what is wrong, as the end of a sentence."""
    values: dict[str, Any] = {}
    for name, text in texts.items():
        read = _READERS.get(name, str)
        try:
            values[_FIELDS.get(name, name)] = read(text)
        except ValueError as error:
            msg = f" has a wrong {name}, which{error}"
            raise ValueError(msg) from None
    return values


def read_endpoint(text: str) -> str:
    """Check the address of a service."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        msg = " is no endpoint: write https://host or https://host:port"
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
    """Read how strict an object lock is."""
    if text.lower() not in LOCK_MODES:
        msg = f" is none of: {', '.join(LOCK_MODES)}"
        raise ValueError(msg)
    return text.lower()


_READERS: Mapping[str, Callable[[str], Any]] = {
    "endpoint_url": read_endpoint,
    "object_tags": read_tags,
    "object_lock_days": read_days,
    "object_lock_mode": read_lock_mode,
}
_FIELDS = {"object_tags": "tags"}
"""The fields of `Location` that have another name than their option."""
