"""From the text of a URL to a location."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from brownie_backup.errors import ConfigurationError
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.retention.rules import policy_from
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS, read_options
from brownie_backup.stores.registry import STORE_TYPES
from brownie_backup.stores.store_type import StoreType

_SECRETS = re.compile(
    r"access_?key|account_?key|api_?key|secret|token|passw|passphrase|pwd|credential|signature|^sig$|^key$|^sas",
    re.IGNORECASE,
)
_RETENTION = re.compile(r"retention_days|keep_[a-z]+|most_deleted_percent")


def parse_location(text: str) -> Location:
    """Read a URL. A third party's store checks its own options when it is opened.

    Raises:
        ValueError: the problem, worded as the end of a sentence, and never with a secret.
    """
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        msg = " is not a URL"
        raise ValueError(msg) from None
    query = dict(pairs)
    scheme = parts.scheme.lower()
    ours = STORE_TYPES.get(scheme)
    problem = next(_problems(parts, query, ours), "")
    if len(query) < len(pairs):
        problem = problem or " says something twice after its '?'"
    if problem:
        raise ValueError(problem)
    retention = {name: query.pop(name) for name in [*query] if _RETENTION.fullmatch(name)}
    options = ours.options if ours else OPTIONS
    values = read_options(options, query)
    rest = {name: query[name] for name in query.keys() - {option.name for option in options}}
    if ours and rest:
        msg = f" has options that {scheme}:// does not have: {', '.join(sorted(rest))}"
        raise ValueError(msg)
    path = unquote(parts.path)
    path = path.strip("/") if ours and ours.in_buckets else path
    policy = _policy(retention) if retention else None
    return Location(scheme, parts.netloc, path, **values, retention=policy, options=rest)


def _problems(
    parts: SplitResult, query: Mapping[str, str], ours: StoreType | None
) -> Iterator[str]:
    # A secret may have a slash, which ends the part before the path.
    if "@" in parts.netloc or (":" in parts.netloc and "@" in parts.path):
        yield " holds credentials, which logs would show: give them by variables of their own"
    if any(_SECRETS.search(name) for name in query):
        yield " holds a secret, which logs would show: give it by a variable of its own"
    if parts.fragment:
        yield " has a '#' in it: write %23"
    if ours is None:
        return
    if not ours.in_buckets and (parts.netloc or len(parts.path) <= 1):
        yield f" names no folder: write {parts.scheme}:///folder"
    if ours.in_buckets and not parts.netloc:
        yield f" names no bucket: write {parts.scheme}://bucket/prefix"
    if ours.in_buckets and ":" in parts.netloc:
        yield f" has no bucket's name: write {parts.scheme}://bucket?endpoint_url=https://host:port"


def _policy(retention: Mapping[str, str]) -> RetentionPolicy:
    try:
        return policy_from(retention)
    except ConfigurationError as error:
        msg = f" has a wrong retention: {'; '.join(error.problems)}"
        raise ValueError(msg) from None
