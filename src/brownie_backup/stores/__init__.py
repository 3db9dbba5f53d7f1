"""Implementations of `brownie_backup.protocols.Store`, and a wrapper for all of them.

Those that need a cloud's library are in modules of their own: `brownie_backup.stores.s3`.
"""

from brownie_backup.stores.local import LocalStore
from brownie_backup.stores.memory import MemoryStore
from brownie_backup.stores.retry_policy import RetryPolicy
from brownie_backup.stores.retrying import RetryingStore

__all__ = ["LocalStore", "MemoryStore", "RetryPolicy", "RetryingStore"]
