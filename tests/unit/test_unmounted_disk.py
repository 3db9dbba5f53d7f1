"""The disk of a store is not mounted: its folder is empty, and looks like a new store."""

from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper, make_repository
from tests.unit.test_service import WHO, settings_for

from brownie_backup import Level, diagnose
from brownie_backup.caches import open_record
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BucketNotFound
from brownie_backup.service import Service
from brownie_backup.stores.location import Location

pytestmark = pytest.mark.usefixtures("dumper")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return evolve(settings_for(tmp_path / "store"), cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def two_stores(settings: Settings, tmp_path: Path) -> Settings:
    return evolve(settings, copies=(Location("file", path=str(tmp_path / "copy")),))


def back_up(settings: Settings) -> tuple[str, ...]:
    with Service(settings, WHO) as service:
        return service.create_backup().warnings


def unmount(folder: Path) -> None:
    folder.rename(folder.with_name("unmounted"))
    folder.mkdir()


def test_a_backup_to_an_unmounted_disk_is_made_with_a_warning(
    settings: Settings, tmp_path: Path
) -> None:
    assert back_up(settings) == back_up(settings) == ()
    unmount(tmp_path / "store")
    for _ in range(2):  # until somebody has seen to it
        (warning,) = back_up(settings)
        assert "not mounted" in warning
        assert (tmp_path / "store").as_uri() in warning
    (record,) = (tmp_path / "cache" / "repositories").iterdir()
    assert str(record) in warning
    record.unlink()
    assert back_up(settings) == ()


def test_a_disk_that_is_mounted_again_has_the_known_repository(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings)
    unmount(tmp_path / "store")
    assert back_up(settings)
    (tmp_path / "store").rename(tmp_path / "wrong")
    (tmp_path / "unmounted").rename(tmp_path / "store")
    assert back_up(settings) == ()


@pytest.mark.parametrize("which", ["store", "copy"])
def test_one_of_several_disks_is_not_mounted(
    two_stores: Settings, tmp_path: Path, which: str
) -> None:
    back_up(two_stores)
    unmount(tmp_path / which)
    (warning,) = back_up(two_stores)
    assert f"/{which} had the repository" in warning


def test_a_store_that_must_exist_gets_nothing_on_an_unmounted_disk(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings)
    unmount(tmp_path / "store")
    with pytest.raises(BucketNotFound, match="require_existing"):
        back_up(evolve(settings, require_existing=True))
    assert list((tmp_path / "store").iterdir()) == []
    (tmp_path / "store").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "store")
    assert back_up(evolve(settings, require_existing=True)) == ()


def test_a_copy_that_must_exist_is_left_out(two_stores: Settings, tmp_path: Path) -> None:
    back_up(two_stores)
    unmount(tmp_path / "copy")
    with Service(evolve(two_stores, require_existing=True), WHO) as service:
        first, second = service.create_backup().stores
    assert first.stored
    assert second.problem
    assert "has no repository" in second.problem.message
    assert list((tmp_path / "copy").iterdir()) == []


def test_doctor_says_that_a_store_is_another_one(tmp_path: Path) -> None:
    record = open_record(tmp_path, "memory:")
    record.write("another")
    repository = evolve(make_repository(), record=record)
    (finding,) = (f for f in diagnose(repository, FakeDumper()) if f.subject == "repository")
    assert finding.level is Level.ERROR
    assert "had the repository another" in finding.message


def test_a_record_that_cannot_be_kept_or_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "repositories").write_bytes(b"")  # where its folder should be
    record = open_record(tmp_path, "memory:")
    record.write("one")
    assert record.read() is None
