"""From a location to a store: what can be known to be wrong before the first request."""

import base64
import logging
import re
from collections.abc import Iterator
from typing import Any

import requests
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient

from brownie_backup.errors import ConfigurationError
from brownie_backup.stores.azure.store import AzureStore
from brownie_backup.stores.connections import mount
from brownie_backup.stores.location import Location
from brownie_backup.stores.problems import endpoint_problems, lock_problems, path_problems
from brownie_backup.stores.retry_policy import RetryPolicy

# Its warnings only repeat our errors, and would be printed where nobody has set up logging.
logging.getLogger("azure").addHandler(logging.NullHandler())

_HINT = "See the guide 'Store backups in Azure'"
_ONE_REQUEST_BYTES = 256 << 20
"""More than any object has: so each is put, and got, by one request."""
_BLOCK_BYTES = 1 << 20
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_TIERS = ("Hot", "Cool", "Cold")
_MOST_TAGS = 10
_TAG_KEY = re.compile(r"[A-Za-z0-9 +\-./:=_]{1,128}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9 +\-./:=_]{0,256}")


def open_store(location: Location, retry_policy: RetryPolicy | None = None) -> AzureStore:
    """Return the store at a location.

    Nothing is sent yet: that the container is there, and the credentials are good, shows at the
    first call. Without an account's key Azure's own chain finds credentials: environment, workload
    identity, managed identity.

    Raises:
        ConfigurationError: with all that is wrong.
    """
    retry_policy = retry_policy or RetryPolicy()
    problems = list(_problems(location))
    if problems:
        raise ConfigurationError(problems, hint=_HINT)
    transport = RequestsTransport(
        session=mount(requests.Session()),
        connection_timeout=retry_policy.connect_seconds,
        read_timeout=retry_policy.read_seconds,
        connection_data_block_size=_BLOCK_BYTES,
    )
    client = ContainerClient(
        _endpoint(location),
        location.host,
        credential=_credential(location),
        transport=transport,
        retry_total=0,  # whatever is to be repeated, RetryingStore repeats
        max_single_put_size=_ONE_REQUEST_BYTES,
        max_single_get_size=_ONE_REQUEST_BYTES,
    )
    return AzureStore(client, location)


def _endpoint(location: Location) -> str:
    if location.endpoint_url:
        return location.endpoint_url.rstrip("/")
    account = location.access_key.reveal() if location.access_key else ""
    return f"https://{account}.blob.core.windows.net"


def _credential(location: Location) -> Any:  # noqa: ANN401 - the library takes one of many
    if location.access_key and location.secret_key:
        return AzureNamedKeyCredential(location.access_key.reveal(), location.secret_key.reveal())
    try:  # here, for it is of no use to who has a key, and slow to import
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        problem = "without BACKUP_SECRET_KEY, 'azure.identity' is needed, which is not installed"
    else:
        return DefaultAzureCredential()
    raise ConfigurationError([problem], hint="python -m pip install 'brownie-backup[azure]'")


def _problems(location: Location) -> Iterator[str]:
    if not location.host:
        yield "BACKUP_DESTINATION names no container"
    elif not _CONTAINER.fullmatch(location.host):
        yield f"BACKUP_DESTINATION: '{location.host}' cannot be the name of a container"
    yield from path_problems(location)
    yield from _credential_problems(location)
    if location.endpoint_url:
        yield from endpoint_problems(location.endpoint_url)
        if not location.secret_key and location.endpoint_url.startswith("http:"):
            yield "BACKUP_ENDPOINT_URL must begin with https:// where no BACKUP_SECRET_KEY is set"
    tier = location.storage_class
    if tier and tier.lower() == "archive":
        yield (
            "BACKUP_STORAGE_CLASS 'Archive' cannot be read at once, which every backup, "
            "verification and restore needs; Cold can"
        )
    elif tier and tier.capitalize() not in _TIERS:
        yield f"BACKUP_STORAGE_CLASS '{tier}' is not one of {', '.join(_TIERS)}"
    yield from _tag_problems(location)
    yield from lock_problems(location)


def _credential_problems(location: Location) -> Iterator[str]:
    name, key = location.access_key, location.secret_key
    if key and not name:
        yield "BACKUP_SECRET_KEY is set without BACKUP_ACCESS_KEY, the storage account's name"
    if not name and not location.endpoint_url:
        yield "BACKUP_ACCESS_KEY, the storage account's name, is not set, nor BACKUP_ENDPOINT_URL"
    if name and not location.endpoint_url and not _ACCOUNT.fullmatch(name.reveal()):
        yield "BACKUP_ACCESS_KEY is not a storage account's name: 3 to 24 small letters and digits"
    if key and not _is_base64(key.reveal()):
        yield "BACKUP_SECRET_KEY is not a storage account's key: that is in base64"


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _tag_problems(location: Location) -> Iterator[str]:
    if len(location.tags) > _MOST_TAGS:
        yield f"BACKUP_OBJECT_TAGS has {len(location.tags)} tags; Azure takes {_MOST_TAGS}"
    for key, value in location.tags.items():
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value):
            yield (
                f"BACKUP_OBJECT_TAGS: '{key}' or its value is empty, too long, or has other "
                "characters than letters, digits, spaces and + - . / : = _"
            )
