"""Problems of a location that can be found before the first request, without the SDK."""

import re
from collections.abc import Iterator

from brownie_backup.stores.location import Location
from brownie_backup.stores.problems import endpoint_problems, lock_problems, path_problems
from brownie_backup.stores.s3.archives import ARCHIVES

_MOST_TAGS = 10
_MOST_TAG_KEY, _MOST_TAG_VALUE = 128, 256


def find_problems(location: Location) -> Iterator[str]:
    """Yield the problems of a location, regardless of the credentials."""
    if not location.host:
        yield "destination names no bucket"
    yield from path_problems(location)
    if location.endpoint_url:
        yield from endpoint_problems(location.endpoint_url)
    if location.storage_class and location.storage_class.upper() in ARCHIVES:
        yield (
            f"storage_class '{location.storage_class}' cannot be read at once, which "
            "every backup, verification and restore needs; GLACIER_IR can"
        )
    yield from _tag_problems(location)
    yield from lock_problems(location)


def credential_problems(location: Location) -> Iterator[str]:
    """Yield the problems of the credentials."""
    if location.access_key and not location.secret_key:
        yield "access_key is set without a secret key"
    if location.secret_key and not location.access_key:
        yield "secret_key is set without an access key"
    if location.token and not (location.access_key or location.secret_key):
        yield "token, a session's token, is set without an access key"
    for name, secret in (("access_key", location.access_key), ("token", location.token)):
        if secret and not re.fullmatch(r"[!-~]+", secret.reveal()):
            yield f"{name} has a space in it, or another character that no key has"


def _tag_problems(location: Location) -> Iterator[str]:
    if len(location.tags) > _MOST_TAGS:
        yield f"object_tags has {len(location.tags)} tags; S3 takes {_MOST_TAGS}"
    for key, value in location.tags.items():
        if not 1 <= len(key) <= _MOST_TAG_KEY or len(value) > _MOST_TAG_VALUE:
            yield f"object_tags: '{key}' or its value is empty or too long"
