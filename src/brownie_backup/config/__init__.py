"""From the environment to settings, and from settings to implementations.

`load_settings` reads the variables; the `make_*` functions choose the classes that do the work;
`OpenStores` opens the stores once, for all work of a process.
"""

from brownie_backup.config.codecs import check_key, make_codecs, make_compressors
from brownie_backup.config.factory import make_dumper
from brownie_backup.config.open_stores import (
    OpenStores,
    make_repositories,
    make_repository,
    make_worker,
)
from brownie_backup.config.opening import make_store, open_repository
from brownie_backup.config.settings import Settings, describe, load_settings

__all__ = [
    "OpenStores",
    "Settings",
    "check_key",
    "describe",
    "load_settings",
    "make_codecs",
    "make_compressors",
    "make_dumper",
    "make_repositories",
    "make_repository",
    "make_store",
    "make_worker",
    "open_repository",
]
