"""Implementations of `brownie_backup.protocols.Cache`."""

from brownie_backup.caches.repository_record import RepositoryFile, open_record
from brownie_backup.caches.sqlite import SqliteCache, open_cache

__all__ = ["RepositoryFile", "SqliteCache", "open_cache", "open_record"]
