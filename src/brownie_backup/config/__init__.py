"""From the environment to settings, and from settings to implementations.

`load_settings` reads the variables; the `make_*` functions choose the classes that do the work.
"""

from brownie_backup.config.codecs import make_codecs, make_compressors
from brownie_backup.config.destinations import locations
from brownie_backup.config.factory import (
    ENTRY_POINTS,
    make_dumper,
    make_repositories,
    make_repository,
    make_store,
    make_worker,
)
from brownie_backup.config.opening import open_repository
from brownie_backup.config.settings import Settings, describe, load_settings

__all__ = [
    "ENTRY_POINTS",
    "Settings",
    "describe",
    "load_settings",
    "locations",
    "make_codecs",
    "make_compressors",
    "make_dumper",
    "make_repositories",
    "make_repository",
    "make_store",
    "make_worker",
    "open_repository",
]
