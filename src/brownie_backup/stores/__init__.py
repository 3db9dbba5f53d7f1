"""Implementations of `brownie_backup.protocols.Store`."""

from brownie_backup.stores.local import LocalStore
from brownie_backup.stores.memory import MemoryStore

__all__ = ["LocalStore", "MemoryStore"]
