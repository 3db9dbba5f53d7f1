"""A store in a bucket of Amazon S3, or of a service that speaks the same protocol."""

from brownie_backup.stores.s3.opening import open_store
from brownie_backup.stores.s3.store import S3Store

__all__ = ["S3Store", "open_store"]
