"""Fixtures of the tests of adapters."""

from tests.integration.conftest import small, small_cli

__all__ = ["small", "small_cli"]
