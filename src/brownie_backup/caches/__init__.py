"""What is kept on this host: implementations of `brownie_backup.protocols.Cache`, and a key."""

from brownie_backup.caches.host_key import host_key
from brownie_backup.caches.sqlite import SqliteCache, open_cache

__all__ = ["SqliteCache", "host_key", "open_cache"]
