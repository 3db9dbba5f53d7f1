"""Problems that a location in any cloud may have."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from brownie_backup.stores.location import Location
from brownie_backup.stores.options import LOCK_MODES


def path_problems(location: Location) -> Iterator[str]:
    """Yield why the path cannot be a prefix of names."""
    path = location.path.strip("/")
    if path and any(part in {"", ".", ".."} for part in path.split("/")):
        yield f"destination: '{path}' has an empty part, '.' or '..' in it"


def lock_problems(location: Location) -> Iterator[str]:
    """Yield why objects cannot be locked this way."""
    if location.object_lock_days is not None and location.object_lock_days < 1:
        yield f"object_lock_days ({location.object_lock_days}) is not 1 or more"
    if location.object_lock_mode.lower() not in LOCK_MODES:
        known = " or ".join(LOCK_MODES)
        yield f"object_lock_mode '{location.object_lock_mode}' is not {known}"


def endpoint_problems(endpoint: str, name: str = "endpoint_url") -> Iterator[str]:
    """Yield why an address of the service is invalid; never the address, which may hold secrets."""
    try:
        address = urlsplit(endpoint)
        port = address.port
    except ValueError:
        yield f"{name} is not a URL"
        return
    if address.scheme not in {"http", "https"} or not address.hostname or port == 0:
        yield f"{name} must begin with https:// or http://, and a host"
    if address.username is not None or address.password is not None:
        yield f"{name} has a user in it: credentials have variables of their own"
    if address.query or address.fragment:
        yield f"{name} has more than an address in it; signed URLs are not accepted"
