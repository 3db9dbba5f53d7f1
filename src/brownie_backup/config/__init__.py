"""From the environment to settings, and from settings to implementations.

`load_settings` reads the variables; the `make_*` functions choose the classes that do the work;
`OpenStores` opens the stores once, for all that a process does.
"""

from brownie_backup.config.factory import (
    check_key,
    make_compressors,
    make_dumper,
    make_encryptor,
)
from brownie_backup.config.open_stores import (
    OpenStores,
    make_repositories,
    make_repository,
    make_store,
    make_worker,
)
from brownie_backup.config.settings import Settings, describe, load_settings

__all__ = [
    "OpenStores",
    "Settings",
    "check_key",
    "describe",
    "load_settings",
    "make_compressors",
    "make_dumper",
    "make_encryptor",
    "make_repositories",
    "make_repository",
    "make_store",
    "make_worker",
]
