"""Files of other programs in a store: copies of sync programs, folders of a NAS, half uploads."""

from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper
from tests.unit.test_service import WHO, settings_for

from brownie_backup import Level, Status, diagnose
from brownie_backup.repository.coordination.leadership import Leadership
from brownie_backup.service import Service
from brownie_backup.stores.location import Location
from brownie_backup.telemetry import prometheus_text

FOREIGN = (
    "{stem} (1){suffix}",
    "{stem} (copy 1){suffix}",
    ".~lock.{stem}{suffix}#",
    "Copy of {stem}{suffix}",
    "{stem}{suffix}.partial",
    "{stem}{suffix}~",
    "~${stem}{suffix}",
    "#recycle/{stem}{suffix}",
    "@eaDir/{stem}{suffix}@SynoEAStream",
    ".DS_Store",
    "Thumbs.db",
    "ключ{suffix}",
    "no\udcffutf8{suffix}",
    "folder/{stem}{suffix}",
)


@pytest.fixture
def service(dumper: FakeDumper, tmp_path: Path) -> Service:
    assert not dumper.databases
    copy = Location("file", path=str(tmp_path / "copy"))
    settings = evolve(settings_for(tmp_path / "store"), copies=(copy,), cache_dir="none")
    service = Service(settings, WHO)
    service.create_backup(name="one")
    service.verify("one")
    service.hold("one")
    return service


def plant(root: Path) -> set[Path]:
    """Put each kind of foreign file into each folder, beside an object of ours and like it."""
    planted = set()
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        if folder.name.startswith("."):
            continue
        ours = next((p for p in folder.iterdir() if p.is_file()), Path("x.json"))
        for name in FOREIGN:
            path = folder / name.format(stem=ours.stem, suffix=ours.suffix)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(ours.read_bytes() if ours.exists() else b"x")
            planted.add(path)
    return planted


def check_verbs(service: Service, dumper: FakeDumper) -> None:
    """Run every verb in a store that has the backup 'one', held, and foreign files."""
    assert [(backup.name, backup.status) for backup in service.list()] == [("one", Status.GOOD)]
    assert not service.create_backup(name="two").missing_stores
    assert service.verify("latest").good
    assert not any(report.problems for report in service.sync())
    service.release("one")
    assert service.status().stores
    assert service.operation_log().recent(10) == ()
    assert service.history().last_good
    service.unlock()
    service.restore("one", target_database="copy")
    service.delete("one")
    assert not any(report.problem for report in service.cleanup())
    assert service.audit().entries
    proofs = service.prove_audit()
    assert not proofs.problems
    for proof in proofs.done.values():
        assert all("not written by brownie-backup" in each.message for each in proof.problems)
    assert prometheus_text(service.context.stores)
    repository, *_ = service.context.repositories()
    assert not [f for f in diagnose(repository, dumper) if f.level is Level.ERROR]
    assert [backup.name for backup in service.list()] == ["two"]


def test_foreign_files_end_no_verb_and_stay(
    service: Service, dumper: FakeDumper, tmp_path: Path
) -> None:
    planted = plant(tmp_path / "store")
    check_verbs(service, dumper)
    assert {path for path in planted if path.exists()} == planted


def test_a_copy_of_a_term_in_a_folder_is_no_leader(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "leaders" / "work"
    (folder / "copy").mkdir(parents=True)
    for name in ("copy/000000000007.json", "²²²²²²²²²²²².json", "000000000008 (copy).json"):
        (folder / name).write_bytes(b"{}")
    store = service.context.repositories()[0].store
    leadership = Leadership(store, "work", elapsed=lambda: 0.0, lifetime=timedelta(minutes=2))
    assert leadership._highest() is None


def test_a_folder_of_the_nas_that_cannot_be_read_hides_nothing(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os  # noqa: PLC0415 - patched here

    scandir = os.scandir

    def refuse(folder: Path) -> object:
        if folder.name == "@eaDir":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    for folder in ("manifests", "blobs", "leases"):
        (tmp_path / "store" / folder / "@eaDir").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    assert [backup.name for backup in service.list()] == ["one"]
