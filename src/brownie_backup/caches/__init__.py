"""Implementations of `brownie_backup.protocols.Cache`."""

from brownie_backup.caches.sqlite import SqliteCache, open_cache

__all__ = ["SqliteCache", "open_cache"]
