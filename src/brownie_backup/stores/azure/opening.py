"""From a location to a store: all checks that are possible before the first request."""

import logging
from typing import Any

import requests
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint, StoreHint, install_command
from brownie_backup.stores.azure.problems import credential_problems, find_problems
from brownie_backup.stores.azure.store import AzureStore
from brownie_backup.stores.connections import mount
from brownie_backup.stores.location import Location
from brownie_backup.stores.retry_policy import RetryPolicy

# Its warnings only repeat our errors, and would be printed where logging is not set up.
logging.getLogger("azure").addHandler(logging.NullHandler())

_ONE_REQUEST_BYTES = 256 << 20
"""Larger than any object, so that each is put and got by one request."""
_BLOCK_BYTES = 1 << 20


def open_store(location: Location, retry_policy: RetryPolicy | None = None) -> AzureStore:
    """Return the store at a location.

    Nothing is sent yet: the first call shows whether the container is there and the credentials are
    good. Without an account's key, Azure's own chain finds credentials: environment, workload
    identity, managed identity.

    Raises:
        ConfigurationError: with all problems.
    """
    retry_policy = retry_policy or RetryPolicy()
    problems = [*find_problems(location), *credential_problems(location)]
    if problems:
        raise ConfigurationError(problems, hint=StoreHint.AZURE_GUIDE)
    session = mount(requests.Session())
    transport = RequestsTransport(
        session=session,
        session_owner=False,
        connection_timeout=retry_policy.connect_seconds,
        read_timeout=retry_policy.read_seconds,
        connection_data_block_size=_BLOCK_BYTES,
    )
    client = ContainerClient(
        _endpoint(location),
        location.host,
        credential=_credential(location),
        transport=transport,
        retry_total=0,  # RetryingStore repeats calls, not the library
        max_single_put_size=_ONE_REQUEST_BYTES,
        max_single_get_size=_ONE_REQUEST_BYTES,
    )
    return AzureStore(client, location, session=session)


def _endpoint(location: Location) -> str:
    if location.endpoint_url:
        return location.endpoint_url.rstrip("/")
    account = location.access_key.reveal() if location.access_key else ""
    return f"https://{account}.blob.core.windows.net"


def _credential(location: Location) -> Any:  # noqa: ANN401 - the library takes one of many
    if location.access_key and location.secret_key:
        return AzureNamedKeyCredential(location.access_key.reveal(), location.secret_key.reveal())
    try:  # imported here: useless to a user with a key, and slow to import
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        problem = "without a secret key, 'azure.identity' is needed, which is not installed"
    else:
        return DefaultAzureCredential()
    package = "brownie-backup[azure]"
    hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
    raise ConfigurationError([problem], hint=hint)
