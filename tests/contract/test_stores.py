"""Every store keeps the promises of `brownie_backup.protocols.Store`."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest
from tests.unit.unreliable import UnreliableStore

from brownie_backup.stores import LocalStore, MemoryStore, RetryingStore
from brownie_backup.testing import FaultyStore, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestFaultyStore(StoreContract):
    """A wrapper that lets every call pass is a store like any other."""

    @pytest.fixture
    def store(self) -> FaultyStore:
        return FaultyStore(MemoryStore())


class TestRetryingStore(StoreContract):
    """What fails by chance, and may have had its effect all the same, does not show outside."""

    @pytest.fixture
    def store(self) -> RetryingStore:
        unreliable = UnreliableStore(MemoryStore(), 1, 0.3, midway=0.001)
        return RetryingStore(unreliable, sleep=lambda _: None)


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "not" / "there yet")

    @pytest.fixture
    def failing_puts(self, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
        return _full_disk(monkeypatch)


class TestLocalStoreWithoutHardLinks(StoreContract):
    """On exFAT, some SMB shares and most FUSE file systems, which may not sync folders either."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
        def refuse(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        fsync = os.fsync

        def files_only(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            fsync(descriptor)

        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(os, "fsync", files_only)
        return LocalStore(tmp_path / "store")


@contextlib.contextmanager
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the disk be full when what was written is to be made durable."""

    def fail(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield
