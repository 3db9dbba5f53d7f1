"""Problems of a location that can be found before the first request, without the SDK."""

import base64
import re
from collections.abc import Iterator

from brownie_backup.stores.location import Location
from brownie_backup.stores.problems import endpoint_problems, lock_problems, path_problems

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_TIERS = ("Hot", "Cool", "Cold")
_MOST_TAGS = 10
_TAG_KEY = re.compile(r"[A-Za-z0-9 +\-./:=_]{1,128}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9 +\-./:=_]{0,256}")


def find_problems(location: Location) -> Iterator[str]:
    """Yield the problems of a location, regardless of the credentials."""
    if not location.host:
        yield "destination names no container"
    elif not _CONTAINER.fullmatch(location.host):
        yield f"destination: '{location.host}' cannot be the name of a container"
    yield from path_problems(location)
    if location.endpoint_url:
        yield from endpoint_problems(location.endpoint_url)
    tier = location.storage_class
    if tier and tier.lower() == "archive":
        yield (
            "storage_class 'Archive' cannot be read at once, which every backup, "
            "verification and restore needs; Cold can"
        )
    elif tier and tier.capitalize() not in _TIERS:
        yield f"storage_class '{tier}' is not one of {', '.join(_TIERS)}"
    yield from _tag_problems(location)
    yield from lock_problems(location)


def credential_problems(location: Location) -> Iterator[str]:
    """Yield the problems of the credentials."""
    name, key = location.access_key, location.secret_key
    if not key and (location.endpoint_url or "").startswith("http:"):
        yield "endpoint_url must begin with https:// if no secret key is set"
    if key and not name:
        yield "secret_key is set without an access key, which is the storage account's name"
    if not name and not location.endpoint_url:
        yield "access_key, the storage account's name, is not set, and no endpoint either"
    if name and not location.endpoint_url and not _ACCOUNT.fullmatch(name.reveal()):
        yield "access_key is not a storage account's name: 3 to 24 lower-case letters and digits"
    if key and not _is_base64(key.reveal()):
        yield "secret_key is not a storage account's key: that is in base64"


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _tag_problems(location: Location) -> Iterator[str]:
    if len(location.tags) > _MOST_TAGS:
        yield f"object_tags has {len(location.tags)} tags; Azure takes {_MOST_TAGS}"
    for key, value in location.tags.items():
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value):
            yield (
                f"object_tags: '{key}' or its value is empty, too long, or has other "
                "characters than letters, digits, spaces and + - . / : = _"
            )
