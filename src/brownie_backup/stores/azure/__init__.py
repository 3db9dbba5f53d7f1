"""A store in a container of Azure Blob Storage.

The SDK is imported when one of the names is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brownie_backup.stores.azure.opening import open_store
    from brownie_backup.stores.azure.store import AzureStore

__all__ = ["AzureStore", "open_store"]


def __getattr__(name: str) -> object:
    """Return a public name, importing what has it."""
    if name not in __all__:
        msg = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(msg)
    found = getattr(import_module(f"{__name__}.opening"), name)
    globals()[name] = found
    return found
