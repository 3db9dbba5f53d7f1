"""The verbs by settings: each one an operation, with stores in folders and a made-up database."""

from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper

from brownie_backup import Repository, RestoreOptions
from brownie_backup.audit.operation import Actor, current_operation
from brownie_backup.config.settings import Settings
from brownie_backup.errors import (
    BackupNotFound,
    ConfigurationError,
    ConnectionFailed,
    DatabaseNotFound,
    DeletionRefused,
    StoreUnavailable,
    TargetExists,
)
from brownie_backup.service import Service
from brownie_backup.stores.location import Location

WHO = Actor("alice", "test here")


@pytest.fixture
def service(dumper: FakeDumper, tmp_path: Path) -> Service:
    assert not dumper.databases
    return Service(settings_for(tmp_path / "store"), WHO)


@pytest.fixture
def two_stores(dumper: FakeDumper, tmp_path: Path) -> Service:
    assert not dumper.databases
    copy = Location("file", path=str(tmp_path / "copy"))
    return Service(evolve(settings_for(tmp_path / "store"), copies=(copy,)), WHO)


def settings_for(folder: Path) -> Settings:
    return Settings(
        primary=Location("file", path=str(folder)), encryption=False, compression="none"
    )


def test_a_backup_is_made_verified_restored_and_deleted(
    service: Service, dumper: FakeDumper
) -> None:
    report = service.create_backup(name="one", labels={"why": "test"})
    assert report.manifest.labels == {"why": "test"}
    assert [backup.name for backup in service.list()] == ["one"]
    assert service.find("latest").backup.name == "one"
    assert service.verify("latest").backup == "one"
    assert service.restore("one", target_database="copy").target_database == "copy"
    assert "copy" in dumper.databases
    service.delete("one")
    assert service.list() == ()


def test_each_is_the_current_operation_with_its_id(service: Service) -> None:
    seen = []
    service.create_backup(name="one")
    service.verify("one", operation_id="my-id", on_found=lambda _: seen.append(current_operation()))
    (operation,) = seen
    assert operation
    assert (operation.action, operation.id, operation.actor) == ("verify", "my-id", WHO)
    assert current_operation() is None


def test_verify_says_where_the_backup_was_found(service: Service) -> None:
    service.create_backup(name="one")
    urls = []
    service.verify("one", on_found=lambda found: urls.append(found.repository.store.url))
    service.compare("one", on_found=lambda found: urls.append(found.repository.store.url))
    assert urls == [service.find("one").repository.store.url] * 2


def test_verifies_all_though_one_cannot_be_read(service: Service, tmp_path: Path) -> None:
    service.create_backup(name="one")
    service.create_backup(name="two")
    (tmp_path / "store" / "manifests" / "one.json").write_bytes(b"{")
    outcome = service.verify_all()
    assert [each.backup for each in outcome.verifications] == ["two"]
    assert list(outcome.unread) == ["one"]


def test_there_must_be_something_to_verify(service: Service) -> None:
    with pytest.raises(BackupNotFound):
        service.verify_all()


def test_the_latest_is_that_of_the_database(
    service: Service, dumper: FakeDumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = dumper.database
    for name in (ours.name, "crm"):
        dumper.database = evolve(ours, name=name)
        service.create_backup(name=f"of-{name}")
    dumper.database = ours
    own = f"of-{ours.name}"
    assert service.find("latest").backup.name == own
    assert service.verify("latest").backup == own
    assert service.compare("latest").backup == own
    assert [hold.backup for hold in service.hold("latest").done.values()] == [own]
    assert service.restore("latest", target_database="x").backup == own

    def away() -> str:
        raise ConnectionFailed("nobody answers")

    monkeypatch.setattr(dumper, "database_name", away)
    assert service.find("latest").backup.name == "of-crm"  # nobody knows better


def test_holds_and_releases(service: Service) -> None:
    service.create_backup(name="one")
    held = service.hold("latest")
    assert [hold.backup for hold in held.done.values()] == ["one"]
    assert not held.problems
    with pytest.raises(DeletionRefused):
        service.delete("one")
    assert list(service.release("one").done.values()) == [True]
    service.delete("one")


def test_cleanup_says_of_each_store_what_it_did(two_stores: Service, tmp_path: Path) -> None:
    two_stores.create_backup(name="one")
    (tmp_path / "copy" / "leases" / "other.json").write_bytes(b"not a lease")
    good, busy = two_stores.cleanup()
    assert good.report
    assert not good.problem
    assert good.url != busy.url
    assert busy.report is None
    assert "busy" in str(busy.problem)


def test_cleanup_needs_the_server_to_say_whose_backups_may_go(
    service: Service, dumper: FakeDumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ConnectionFailed("no server")

    service.create_backup(name="one")
    monkeypatch.setattr(dumper, "database_id", away)
    with pytest.raises(ConnectionFailed, match="for every database"):
        service.cleanup()
    (cleaned,) = service.cleanup(all_databases=True, dry_run=True)
    assert cleaned.report
    assert cleaned.report.dry_run


def test_what_a_cleanup_deleted_is_recorded_though_the_rest_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("no store")

    for name in ("one", "two", "three"):
        service.create_backup(name=name)
    keeping_one = evolve(service.settings, retention_days=None, keep_last=1)
    monkeypatch.setattr(Repository, "sweep", fail)
    with pytest.raises(StoreUnavailable):
        Service(keeping_one, WHO).cleanup(yes_delete_many=True)
    assert [backup.name for backup in service.list(check_blobs=False)] == ["three"]
    ended = service.audit(action="cleanup").entries[-1]
    assert ended.deleted == ("one", "two")
    assert ended.outcome == "failure"


def test_a_database_that_is_gone_is_no_reason_not_to_say_how_things_stand(
    service: Service, dumper: FakeDumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> str:
        raise DatabaseNotFound("there is no such database")

    service.create_backup(name="one")
    monkeypatch.setattr(dumper, "database_name", gone)
    assert service.status().last_good


def test_cleanup_that_works_nowhere_raises(service: Service, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    with pytest.raises(Exception, match="folder"):
        service.cleanup()


def test_sync_needs_two_stores(service: Service, two_stores: Service) -> None:
    with pytest.raises(ConfigurationError, match="two stores"):
        service.sync()
    service.create_backup(name="one")
    assert [report.copied for report in two_stores.sync()] == [(), ("one",)]


def test_unlocks_every_store(two_stores: Service) -> None:
    assert list(two_stores.unlock().values()) == [(), ()]


def test_options_of_a_restore_reach_it(service: Service) -> None:
    service.create_backup(name="one")
    service.restore("one")
    with pytest.raises(TargetExists):
        service.restore("one")
    assert service.restore("one", dry_run=True, options=RestoreOptions(replace=True)).dry_run


def test_what_is_refused_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.refuse("delete", "wrong token", backup="one")
    assert "delete was refused: wrong token" in caplog.text
