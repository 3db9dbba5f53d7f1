"""A store in a folder keeps its promises on a real file system without hard links: FUSE."""
# ruff: noqa: D101, D102 - the class is named for what it tests

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.servers.odd_folder import OddFolder

from brownie_backup.errors import AccessDenied, KeyExists, KeyNotFound, StoreUnavailable
from brownie_backup.protocols import Store
from brownie_backup.stores import LocalStore, claims
from brownie_backup.testing import StoreContract

_DIES = """
import os, signal, sys
from pathlib import Path
from brownie_backup.stores import LocalStore
replace = Path.replace
def die(path, target):
    if sys.argv[2] == "after":
        replace(path, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = die
LocalStore(sys.argv[1]).put("folder/name", b"half " * 1000, if_absent=True)
"""


class TestLocalStoreOnFuse(StoreContract):
    @pytest.fixture
    def store(self, odd_folder: OddFolder) -> LocalStore:
        return LocalStore(odd_folder.at / secrets.token_hex(4))

    @pytest.mark.skip("it makes thousands of files")
    def test_a_long_listing_has_every_key_once(self, store: Store) -> None: ...


@pytest.fixture
def root(odd_folder: OddFolder) -> Path:
    return odd_folder.at / secrets.token_hex(4)


def killed(root: Path, when: str) -> None:
    """Let a process die beside the rename, while it claims a name."""
    done = subprocess.run([sys.executable, "-c", _DIES, str(root), when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (root / "folder" / ".name.claim").exists()


def test_what_a_killed_process_had_not_named_is_not_seen_and_the_name_is_free_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(root, "before")
    store = LocalStore(root)
    assert list(store.list("")) == []
    with pytest.raises(KeyNotFound):
        store.get("folder/name")
    monkeypatch.setattr(claims, "_WAIT_SECONDS", 0.1)
    with pytest.raises(StoreUnavailable, match="another process is writing it"):
        store.put("folder/name", b"whole", if_absent=True)
    later = time.time() - claims.CLAIM_SECONDS - 5
    os.utime(root / "folder" / ".name.claim", (later, later))
    store.put("folder/name", b"whole", if_absent=True)
    assert store.get("folder/name") == b"whole"
    assert [path.name for path in (root / "folder").iterdir()] == ["name"]


def test_what_a_killed_process_had_named_is_whole_and_taken(root: Path) -> None:
    killed(root, "after")
    store = LocalStore(root)
    with pytest.raises(KeyExists):
        store.put("folder/name", b"other", if_absent=True)
    assert store.get("folder/name") == b"half " * 1000
    store.put("folder/name", b"replaced")
    assert [(found.key, found.size_bytes) for found in store.list("")] == [("folder/name", 8)]


def test_a_folder_that_keeps_its_files_refuses_to_replace_and_to_delete(
    keeping_folder: OddFolder,
) -> None:
    store = LocalStore(keeping_folder.at / secrets.token_hex(4))
    store.put("key", b"first")
    with pytest.raises(AccessDenied):
        store.put("key", b"second")
    with pytest.raises(AccessDenied):
        store.delete("key")
    with pytest.raises(KeyExists):
        store.put("key", b"second", if_absent=True)
    assert store.get("key") == b"first"
