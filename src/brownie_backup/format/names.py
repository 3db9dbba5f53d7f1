"""Names of backups and labels: valid in every store; and the default name."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from brownie_backup.errors import InvalidName
from brownie_backup.hints import BackupHint

LATEST = "latest"
"""Not a name: it means the newest good backup."""
LATEST_TOO = "latest-backup"
"""The same meaning, unless a backup has that name."""

MAX_LENGTH = 128
MAX_LABELS = 32

# Every store takes these characters in an object's key, every file system in a file's name, and
# none treats them specially: no separator, no leading dot or dash, nothing a shell or URL quotes.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_TIME = "%Y%m%dT%H%M%SZ"
_DEFAULT_NAME = re.compile(r".+-(\d{8}T\d{6}Z)-[0-9a-f]+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def check_name(name: str) -> str:
    """Return `name`, or raise `InvalidName` with the problem."""
    if name.lower() == LATEST:
        msg = f"'{name}' is not a name: it means the newest good backup"
        raise InvalidName(msg, hint=BackupHint.CHOOSE_ANOTHER_NAME)
    if not is_name(name):
        msg = f"'{name[:200]}' cannot be the name of a backup"
        raise InvalidName(msg, hint=BackupHint.NAME_RULE(most=str(MAX_LENGTH)))
    return name


def is_name(name: str) -> bool:
    """Whether it can be a backup's name, or was one before a word got another meaning."""
    return bool(_NAME.fullmatch(name)) and len(name) <= MAX_LENGTH and not name.endswith(".")


def default_name(database: str, now: datetime, token: str) -> str:
    """Return a name that sorts by time within a database and is unique by `token`.

    >>> default_name("shop", datetime(2026, 1, 15, 2, tzinfo=UTC), "3f9a")
    'shop-20260115T020000Z-3f9a'

    If a database's name has characters that names of backups can't have, a short hash of it is
    added, so that two such databases stay distinct.
    """
    stem = _NOT_IN_NAMES.sub("_", database).strip("_-")[:60]
    if stem != database:
        digest = hashlib.sha256(database.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        stem = f"{stem or 'db'}-{digest}"
    return check_name(f"{stem}-{now.astimezone(UTC):{_TIME}}-{token}")


def default_name_time(name: str) -> datetime | None:
    """Return the time in a name that `default_name` made, UTC, to the second; None in others.

    >>> default_name_time("shop-20260115T020000Z-3f9a")
    datetime.datetime(2026, 1, 15, 2, 0, tzinfo=datetime.timezone.utc)
    """
    match = _DEFAULT_NAME.fullmatch(name)
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels as a dict, or raise `InvalidName`."""
    if len(labels) > MAX_LABELS:
        msg = f"{len(labels)} labels are too many"
        raise InvalidName(msg, hint=BackupHint.FEWER_LABELS(most=str(MAX_LABELS)))
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or len(key) > MAX_LENGTH:
            msg = f"'{key[:200]}' cannot be the key of a label"
            raise InvalidName(msg, hint=BackupHint.LABEL_KEY_RULE)
        if len(value) > MAX_LENGTH or not value.isprintable():
            msg = f"the value of the label '{key}' is not printable, or over {MAX_LENGTH} long"
            raise InvalidName(msg, hint=BackupHint.LABEL_VALUE_RULE)
    return dict(labels)
