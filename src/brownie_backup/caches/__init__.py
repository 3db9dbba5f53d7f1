"""What is kept on this host: implementations of `brownie_backup.protocols.Cache`, and a key."""

from brownie_backup.caches.host_key import host_key
from brownie_backup.caches.repository_record import RepositoryFile, open_record
from brownie_backup.caches.sqlite import SqliteCache, open_cache

__all__ = ["RepositoryFile", "SqliteCache", "host_key", "open_cache", "open_record"]
