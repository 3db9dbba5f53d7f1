"""Problems of a location that can be found before the first request, without the SDK."""

import os
import re
from collections.abc import Iterator

from brownie_backup.stores.location import Location
from brownie_backup.stores.problems import endpoint_problems, lock_problems, path_problems

_EMULATOR = "STORAGE_EMULATOR_HOST"
_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
"""All classes can be read at once; they differ in price."""
_KMS_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")


def endpoint_of(location: Location) -> str | None:
    """Return the address of the service, if it is not Google's own: an emulator's, perhaps."""
    return location.endpoint_url or os.environ.get(_EMULATOR) or None


def find_problems(location: Location) -> Iterator[str]:
    """Yield the problems of a location."""
    endpoint = endpoint_of(location)
    if not location.host:
        yield "destination names no bucket"
    yield from path_problems(location)
    if endpoint:
        name = "endpoint_url" if location.endpoint_url else _EMULATOR
        yield from endpoint_problems(endpoint, name)
    if location.sse_kms_key and not _KMS_KEY.fullmatch(location.sse_kms_key):
        yield (
            "sse_kms_key is not the name of a key: it has the form "
            "projects/P/locations/L/keyRings/R/cryptoKeys/K"
        )
    if location.storage_class and location.storage_class.upper() not in _CLASSES:
        known = ", ".join(_CLASSES)
        yield f"storage_class '{location.storage_class}' is not one of {known}"
    if location.tags:
        yield (
            "object_tags: Google Cloud Storage has no tags of objects; label the bucket "
            "instead, with 'gcloud storage buckets update --update-labels'"
        )
    yield from lock_problems(location)
