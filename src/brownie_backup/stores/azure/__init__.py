"""A store in a container of Azure Blob Storage."""

from brownie_backup.stores.azure.opening import open_store
from brownie_backup.stores.azure.store import AzureStore

__all__ = ["AzureStore", "open_store"]
