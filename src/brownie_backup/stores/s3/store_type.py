"""The properties of stores in buckets of S3 or compatible services, without their SDK."""

from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Store
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS
from brownie_backup.stores.s3.problems import find_problems
from brownie_backup.stores.store_type import StoreType


def _open(location: Location) -> Store:
    from brownie_backup.stores.s3.opening import open_store  # noqa: PLC0415 - it needs the SDK

    return open_store(location)


S3 = StoreType(
    scheme="s3",
    name="an S3 bucket",
    open=_open,
    provider="s3",
    options=OPTIONS,
    problems=find_problems,
    hint=StoreHint.S3_GUIDE,
    service_url="https://s3.amazonaws.com",
    extra="s3",
)
