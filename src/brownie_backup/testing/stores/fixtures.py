"""The fixtures for the tests of a store."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest

from brownie_backup.protocols import Store


class StoreFixtures:
    """The fixtures that a store's test class provides; all but `store` are optional."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        raise NotImplementedError

    @pytest.fixture
    def _hurried(self) -> Iterator[None]:
        """Switch threads often, so that a missing lock shows."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """Return the secrets that the store knows."""
        return ()

    @pytest.fixture
    def failing_puts(self) -> AbstractContextManager[None]:
        """Return a context in which puts fail half-way."""
        raise NotImplementedError

    @pytest.fixture
    def cut_off_puts(self) -> AbstractContextManager[Store]:
        """Return a context with a store whose connection breaks in the middle of each put."""
        raise NotImplementedError

    @pytest.fixture
    def wrong_credentials(self) -> Store:
        """Return a store that is given wrong credentials."""
        raise NotImplementedError

    @pytest.fixture
    def missing_bucket(self) -> Store:
        """Return a store in a bucket that does not exist."""
        raise NotImplementedError

    @pytest.fixture
    def clock_an_hour_off(self) -> AbstractContextManager[None]:
        """Return a context in which this host's clock is wrong."""
        raise NotImplementedError
