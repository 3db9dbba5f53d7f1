"""The key of this host: in a file for its owner alone, and replaced where it can't be trusted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from brownie_backup.caches import host_key
from brownie_backup.config.factory import make_host_key
from brownie_backup.process.key import process_key


def test_it_stays_the_same_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    key = host_key(folder)
    assert len(key) == 32
    assert host_key(folder) == key == make_host_key(str(folder))
    assert host_key(tmp_path / "other") != key
    (file,) = (folder / "host").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


SPOILT: dict[str, Callable[[Path], object]] = {
    "readable by others": lambda file: file.chmod(0o644),
    "cut short": lambda file: file.write_bytes(b"short"),
    "too long": lambda file: file.write_bytes(bytes(33)),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_key_that_cannot_be_trusted_is_replaced(tmp_path: Path, how: str) -> None:
    key = host_key(tmp_path)
    SPOILT[how](tmp_path / "host" / "key")
    new = host_key(tmp_path)
    assert new not in {key, process_key()}
    assert host_key(tmp_path) == new


def test_without_a_folder_it_is_this_process_s_own(tmp_path: Path) -> None:
    assert host_key(None) == make_host_key("none") == process_key()
    (tmp_path / "file").touch()
    assert host_key(tmp_path / "file") == process_key()
    (tmp_path / "shared" / "host").mkdir(parents=True)
    (tmp_path / "shared" / "host").chmod(0o777)
    assert host_key(tmp_path / "shared") == process_key()
    (tmp_path / "linked" / "host").mkdir(mode=0o700, parents=True)
    (tmp_path / "linked" / "host" / "key").symlink_to("/etc/passwd")
    assert host_key(tmp_path / "linked") == process_key()
