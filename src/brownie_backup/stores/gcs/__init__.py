"""A store in a bucket of Google Cloud Storage."""

from brownie_backup.stores.gcs.opening import open_store
from brownie_backup.stores.gcs.store import GcsStore

__all__ = ["GcsStore", "open_store"]
