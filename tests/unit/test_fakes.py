"""The fakes keep the promises of what they stand for, so that tests with them mean something."""
# ruff: noqa: D101, D102 - the classes are named for what they test

from collections.abc import Callable, Collection, Hashable

import pytest
from tests.unit.fakes import FakeDumper, FakeEncryptor, noise

from brownie_backup.testing import DumperContract, EncryptorContract


class TestFakeDumper(DumperContract):
    @pytest.fixture
    def dumper(self) -> FakeDumper:
        return FakeDumper(noise(size_bytes=9 << 20), piece=1 << 16)

    @pytest.fixture
    def break_source(self, dumper: FakeDumper) -> Callable[[], None]:
        def fail() -> None:
            dumper.broken = True

        return fail

    @pytest.fixture
    def still_running(self, dumper: FakeDumper) -> Callable[[], Collection[Hashable]]:
        return lambda: set(dumper.running)


class TestFakeEncryptor(EncryptorContract):
    @pytest.fixture
    def encryptor(self) -> FakeEncryptor:
        return FakeEncryptor(b"key")

    @pytest.fixture
    def twin(self) -> FakeEncryptor:
        return FakeEncryptor(b"key")

    @pytest.fixture
    def stranger(self) -> FakeEncryptor:
        return FakeEncryptor(b"another")

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["key"]
