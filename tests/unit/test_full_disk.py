"""A local store without a free byte: backups come back from it, and can be deleted."""

import errno
import os
from pathlib import Path

import pytest
from attrs import define
from tests.unit.fakes import FakeDumper, make_repository

from brownie_backup import create_backup, delete_backup, restore, verify_backup
from brownie_backup.audit.operation import Actor
from brownie_backup.audit.query import prove_audit, read_audit
from brownie_backup.config.settings import Settings
from brownie_backup.errors import StoreFull
from brownie_backup.service import Service
from brownie_backup.stores import LocalStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.reserve import RESERVE_BYTES

_BLOCK = 4096


@define
class Disk:
    """A folder whose files take whole blocks, up to a limit."""

    folder: Path
    capacity: int | None = None

    def used(self) -> int:
        """Return the bytes of all blocks."""
        sizes = (path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return sum(-(-size // _BLOCK) * _BLOCK for size in sizes)

    def free(self) -> int:
        """Return how much more it takes."""
        return 1 << 40 if self.capacity is None else max(0, self.capacity - self.used())

    def fill(self) -> None:
        """Leave not a byte."""
        self.capacity = self.used()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "store")
    write = LocalStore._write_unfinished

    def write_if_there_is_room(store: LocalStore, data: bytes) -> Path:
        if len(data) > disk.free():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(store, data)

    monkeypatch.setattr(LocalStore, "_write_unfinished", write_if_there_is_room)
    monkeypatch.setattr(LocalStore, "free_bytes", lambda _: disk.free())
    return disk


@pytest.fixture
def service(disk: Disk, dumper: FakeDumper) -> Service:
    assert not dumper.databases
    settings = Settings(
        primary=Location("file", path=str(disk.folder)), encryption=False, compression="none"
    )
    return Service(settings, Actor("ann", "tests"))


def test_a_backup_on_a_full_disk_is_restored_and_verified_with_a_warning(disk: Disk) -> None:
    repository = make_repository(LocalStore(disk.folder))
    dumper = FakeDumper()
    create_backup(repository, dumper, name="one")
    disk.fill()
    report = restore(repository, dumper, "one")
    assert dumper.databases == {"shop": dumper.content}
    assert any("is full" in finding.message for finding in report.warnings)
    verification = verify_backup(repository, dumper, "one")
    assert verification.good
    unprotected, unrecorded = verification.warnings[-2:]
    assert "is full" in unprotected
    assert "not recorded" in unrecorded


def test_backups_on_a_full_disk_can_be_deleted_and_that_is_recorded(
    disk: Disk, service: Service, dumper: FakeDumper
) -> None:
    for name in ("one", "two"):
        service.create_backup(name=name)
        dumper.content["archive"] = os.urandom(100_000)
    assert (disk.folder / ".reserve").stat().st_size == RESERVE_BYTES
    disk.fill()
    with pytest.raises(StoreFull):
        service.create_backup(name="three")
    service.delete("one")
    assert [backup.name for backup in service.list()] == ["two"]
    store = service.context.repositories()[0].store
    now = service.context.repositories()[0].clock()
    phases = [each.phase for each in read_audit(store, now) if each.action == "delete"]
    assert phases == ["begin", "end"]
    assert prove_audit(store, now).good


def test_the_reserve_outlasts_deletions_that_free_nothing(disk: Disk, service: Service) -> None:
    service.create_backup(name="one")
    disk.fill()
    for _ in range(5):
        service.cleanup(all_databases=True)
        disk.fill()  # another process takes what is left
    assert (disk.folder / ".reserve").stat().st_size > RESERVE_BYTES // 2
    assert list(service.context.repositories()[0].store.list("leases/")) == []


def test_the_reserve_is_made_again_when_there_is_space(disk: Disk) -> None:
    repository = make_repository(LocalStore(disk.folder))
    create_backup(repository, FakeDumper(), name="one")
    reserve = disk.folder / ".reserve"
    reserve.write_bytes(b"x")
    create_backup(repository, FakeDumper(), name="two")
    assert reserve.stat().st_size == RESERVE_BYTES
    reserve.unlink()
    delete_backup(repository, "one")
    assert reserve.stat().st_size == RESERVE_BYTES
