"""The properties of stores in Google Cloud Storage, without their SDK."""

from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Store
from brownie_backup.stores.gcs.problems import find_problems
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
    from brownie_backup.stores.gcs.opening import open_store  # noqa: PLC0415 - it needs the SDK

    return open_store(location)


GCS = StoreType(
    scheme="gs",
    name="a bucket of Google Cloud Storage",
    open=_open,
    provider="gcs",
    options=(
        ENDPOINT_URL,
        SSE_KMS_KEY,
        STORAGE_CLASS,
        OBJECT_TAGS,
        OBJECT_LOCK_DAYS,
        OBJECT_LOCK_MODE,
    ),
    problems=find_problems,
    hint=StoreHint.GCS_GUIDE,
    service_url="https://storage.googleapis.com",
    extra="gcs",
)
