"""The keys of all objects (docs/format.md)."""

import hashlib
import re
from collections.abc import Callable

from brownie_backup.model import Kind

IDENTITY = "repository.json"
MANIFESTS = "manifests/"
VERIFICATIONS = "verifications/"
BLOBS = "blobs/"
BLOB_LISTS = "lists/"
LEASES = "leases/"
LEADERS = "leaders/"
HOLDS = "holds/"
ATTEMPTS = "attempts/"
OPERATIONS = "operations/"
CANCELLATIONS = "cancellations/"
CLAIMS = "claims/"
AUDIT = "audit/"
KEYS = "keys/"
KEY_RINGS = "keyrings/"
_MOST_DIGITS = 18

_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of backups, and of all other objects with a prefix of their own."""


def manifest_key(name: str) -> str:
    """Return the key of a backup's manifest."""
    return f"{MANIFESTS}{name}.json"


def verification_key(name: str) -> str:
    """Return the key of the last verification of a backup."""
    return f"{VERIFICATIONS}{name}.json"


def hold_key(name: str) -> str:
    """Return the key of the hold of a backup."""
    return f"{HOLDS}{name}.json"


def attempt_key(database: str, kind: str = Kind.LOGICAL) -> str:
    """Return the key of the last attempt of a kind to back up a database, which may have any name.

    The keys for logical backups are older than kinds: they contain the name alone.
    """
    text = database if kind == Kind.LOGICAL else f"{kind}\0{database}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{ATTEMPTS}{digest}.json"


def operation_key(identifier: str) -> str:
    """Return the key of the record of an operation requested over REST."""
    return f"{OPERATIONS}{identifier}.json"


def cancellation_key(identifier: str) -> str:
    """Return the key of a request to cancel an operation."""
    return f"{CANCELLATIONS}{identifier}.json"


def claim_key(database: str, number: int | None = None) -> str:
    """Return the key of the claim of that number on a database, or the prefix of all claims."""
    digest = hashlib.sha256(database.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{CLAIMS}{digest}/" + (f"{number:012}.json" if number is not None else "")


def blob_key(name: str) -> str:
    """Return a blob's key; 256 folders keep a file system's folders small."""
    return f"{BLOBS}{name[:2]}/{name}"


def blob_list_key(name: str) -> str:
    """Return the key of a list of blobs that was too long for its manifest."""
    return f"{BLOB_LISTS}{name}.json"


def data_key_objects(key_id: str) -> str:
    """Return the common prefix of the objects with one data key."""
    return f"{KEYS}{key_id}/"


def data_key_object(key_id: str, recipients: str) -> str:
    """Return the key of the object with a data key, wrapped for recipients with that digest."""
    return f"{data_key_objects(key_id)}{recipients}.json"


def key_ring_key(number: int) -> str:
    """Return the key of a change of the key ring; they sort by their numbers."""
    return f"{KEY_RINGS}{number:012d}.json"


def key_ring_in(key: str) -> int | None:
    """Return the number of the change that a key holds; None for an object that is no change."""
    number = _number_in(key)
    return number if number is not None and key == key_ring_key(number) else None


def lease_key(identifier: str) -> str:
    """Return the key of a lease."""
    return f"{LEASES}{identifier}.json"


def leader_keys(purpose: str) -> str:
    """Return the common prefix of the keys of all leaders' terms for some work."""
    return f"{LEADERS}{purpose}/"


def leader_key(purpose: str, number: int) -> str:
    """Return the key of a term; they sort by their numbers."""
    return f"{leader_keys(purpose)}{number:012d}.json"


def leader_in(key: str, purpose: str) -> int | None:
    """Return the number of the term that a key holds; None for an object that is no term."""
    number = _number_in(key)
    return number if number is not None and key == leader_key(purpose, number) else None


def claim_in(key: str, database: str) -> int | None:
    """Return the number of the claim that a key holds; None for an object that is no claim."""
    number = _number_in(key)
    return number if number is not None and key == claim_key(database, number) else None


def _number_in(key: str) -> int | None:
    name = name_in(key)
    return int(name) if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS else None


def blob_in(key: str) -> str | None:
    """Return the name of the blob that a key holds; None for an object that is no blob of ours."""
    name = key.rpartition("/")[2]
    return name if key == blob_key(name) else None


def is_foreign(key: str, make: Callable[[str], str]) -> bool:
    """Whether an object is none of ours, such as a copy that a program for synchronizing has made.

    Args:
        key: its key.
        make: makes the key of an object of ours from its name.
    """
    name = name_in(key)
    return key != make(name) or not _OURS.fullmatch(name)


def name_in(key: str) -> str:
    """Return the last segment of a key, without ``.json``."""
    return key.rpartition("/")[2].removesuffix(".json")
