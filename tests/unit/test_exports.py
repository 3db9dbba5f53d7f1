"""What is public: all of it, in order, and nothing that is not there."""

import importlib
import importlib.resources
import inspect
import pkgutil

import pytest

import brownie_backup
from brownie_backup import operations, protocols

PACKAGES = [
    "brownie_backup",
    "brownie_backup.caches",
    "brownie_backup.compressors",
    "brownie_backup.dumpers",
    "brownie_backup.dumpers.postgres",
    "brownie_backup.encryptors",
    "brownie_backup.errors",
    "brownie_backup.operations",
    "brownie_backup.repository",
    "brownie_backup.stores",
    "brownie_backup.stores.s3",
    "brownie_backup.testing",
]


def place(name: str) -> tuple[int, str]:
    """Return where a name belongs: constants, then classes, then the rest, as ruff sorts."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_complete(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__), key=place)
    assert all(hasattr(module, public) for public in module.__all__)
    imported = {
        public
        for public, value in vars(module).items()
        if not public.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("brownie_backup")
    }
    assert imported == set(module.__all__) - {
        public for public in module.__all__ if not hasattr(getattr(module, public), "__module__")
    }


def test_every_verb_and_every_protocol_is_at_the_top() -> None:
    verbs = set(operations.__all__)
    assert verbs <= set(brownie_backup.__all__)
    assert {"Cache", "Store", "Compressor", "Encryptor", "Dumper"} <= set(brownie_backup.__all__)
    assert brownie_backup.Store is protocols.Store


def test_every_module_imports_and_says_what_it_is() -> None:
    modules = list(pkgutil.walk_packages(brownie_backup.__path__, "brownie_backup."))
    assert len(modules) > 40
    for module in modules:
        assert importlib.import_module(module.name).__doc__, module.name


@pytest.mark.parametrize("name", [n for n in PACKAGES if n != "brownie_backup.testing"])
def test_whatever_is_public_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    for public in module.__all__:
        value = getattr(module, public)
        if callable(value):
            assert value.__doc__, public


def test_types_are_shipped() -> None:
    for name in ("brownie_backup", "brownie_backup_cli"):
        assert importlib.resources.files(name).joinpath("py.typed").is_file()
