"""Fixtures of the integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from brownie_backup import Repository, Secret
from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.encryptors import GnuPG
from brownie_backup.stores import LocalStore


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository in a folder, encrypted by a passphrase."""
    with GnuPG(passphrase=Secret("Tést-passphrase 1")) as encryptor:
        store = LocalStore(tmp_path / "store")
        yield Repository(store, Zstd(), encryptor, (Gzip(), Uncompressed()))
