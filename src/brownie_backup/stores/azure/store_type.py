"""The properties of stores in Azure Blob Storage, without their SDK."""

from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Store
from brownie_backup.stores.azure.problems import find_problems
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import (
    ENDPOINT_URL,
    OBJECT_LOCK_DAYS,
    OBJECT_LOCK_MODE,
    OBJECT_TAGS,
    SSE_KMS_KEY,
    STORAGE_CLASS,
)
from brownie_backup.stores.store_type import StoreType


def _open(location: Location) -> Store:
    from brownie_backup.stores.azure.opening import open_store  # noqa: PLC0415 - it needs the SDK

    return open_store(location)


AZURE = StoreType(
    scheme="azure",
    name="an Azure container",
    open=_open,
    provider="azure",
    options=(
        ENDPOINT_URL,
        SSE_KMS_KEY,
        STORAGE_CLASS,
        OBJECT_TAGS,
        OBJECT_LOCK_DAYS,
        OBJECT_LOCK_MODE,
    ),
    problems=find_problems,
    hint=StoreHint.AZURE_GUIDE,
    service_url="https://blob.core.windows.net",
    extra="azure",
)
