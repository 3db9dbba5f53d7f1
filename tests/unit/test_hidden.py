"""File systems that hide an open file while its name goes to another: FUSE, and NFS clients."""

import os
import time
from pathlib import Path

import pytest

from brownie_backup.errors import KeyNotFound
from brownie_backup.stores import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path)
    store.put("holds/one.json", b"new")
    return store


@pytest.mark.parametrize("name", [".fuse_hidden0000000200000001", ".nfs0000000000012345"])
def test_an_object_that_has_no_name_for_a_moment_is_found(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, aside = store.root / "holds" / "one.json", store.root / "holds" / name
    path.rename(aside)
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            aside.rename(path)

    monkeypatch.setattr(time, "sleep", sleep)
    assert store.get("holds/one.json") == b"new"


def test_a_listing_has_it_too(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path, aside = store.root / "holds" / "one.json", store.root / "holds" / ".nfs1"
    path.rename(aside)
    monkeypatch.setattr(time, "sleep", lambda _: aside.rename(path))
    assert [found.key for found in store.list("holds/")] == ["holds/one.json"]


def test_an_object_that_is_not_there_is_looked_for_once(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: os.abort())
    with pytest.raises(KeyNotFound):
        store.get("holds/two.json")
