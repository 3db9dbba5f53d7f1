"""All types of stores: ours, and those that packages add by an entry point."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint, StoreHint, install_command
from brownie_backup.protocols import Store
from brownie_backup.stores.azure.store_type import AZURE
from brownie_backup.stores.gcs.store_type import GCS
from brownie_backup.stores.local import LOCAL
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3.store_type import S3
from brownie_backup.stores.store_type import StoreType

STORE_TYPES: Mapping[str, StoreType] = {each.scheme: each for each in (LOCAL, S3, GCS, AZURE)}
"""Our store types, by their URL schemes. No SDK is imported for them."""
ENTRY_POINTS = "brownie_backup.stores"
"""The entry point group in which a package names a function from `Location` to `Store`, by URL
scheme."""


def store_type(scheme: str) -> StoreType:
    """Return the type of the stores with that scheme: ours first.

    Raises:
        ConfigurationError: there is none, or the package that provides it cannot be loaded.
    """
    return STORE_TYPES.get(scheme) or _brought(scheme)


def open_store(location: Location) -> Store:
    """Open a store, which tries each call once.

    Raises:
        ConfigurationError: there is none for that scheme, it is not installed, or it does not
            support an option.
    """
    found = store_type(location.scheme)
    try:
        return found.open(location)
    except ModuleNotFoundError:
        if not found.extra:
            raise
        package = f"brownie-backup[{found.extra}]"
        problem = f"{location.scheme}:// needs the extra {package}, which is not installed"
        hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
    raise ConfigurationError([problem], hint=hint)


def _brought(scheme: str) -> StoreType:
    for entry in entry_points(group=ENTRY_POINTS, name=scheme):
        try:
            return StoreType(scheme, f"the store for {scheme}://", entry.load())
        except (ImportError, AttributeError) as error:
            problem = f"the store for {scheme}:// cannot be loaded from '{entry.value}': {error}"
            raise ConfigurationError([problem], hint=StoreHint.ASK_MAINTAINER) from None
    problem = f"there is no store for {scheme}:// URLs"
    known = ", ".join(f"{each}://" for each in STORE_TYPES)
    hint = StoreHint.ONE_OF_STORES(known=known, entry_points=ENTRY_POINTS)
    raise ConfigurationError([problem], hint=hint)
