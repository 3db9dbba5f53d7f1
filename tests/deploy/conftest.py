"""Fixtures of the tests of what is deployed."""

import sys
from pathlib import Path

import pytest
from tests.integration.conftest import small, small_cli

__all__ = ["small", "small_cli"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the command, as an installation puts it on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "brownie-backup"
    command.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m brownie_backup_cli "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    return folder
