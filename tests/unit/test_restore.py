"""Restoring: what is checked before, what is loaded, and what must not be."""

import pytest
from tests.unit.fakes import FakeDumper, FakeEncryptor, make_repository

from brownie_backup import (
    Level,
    Repository,
    RestoreOptions,
    create_backup,
    restore,
    verify_backup,
)
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    AccessDenied,
    BackupNotFound,
    Busy,
    DamagedError,
    DecryptionError,
    TargetExists,
    UnsupportedFormat,
)
from brownie_backup.format.layout import LEASES, blob_key, manifest_key
from brownie_backup.model import Manifest
from brownie_backup.protocols import ObjectUse
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")


@pytest.fixture
def repository() -> Repository:
    repository = make_repository()
    create_backup(repository, FakeDumper(), name="one")
    return repository


def manifest_of(repository: Repository) -> Manifest:
    manifest = repository.backup("one").manifest
    assert manifest
    return manifest


@pytest.mark.parametrize("name", ["one", "latest"])
def test_all_parts_arrive_as_they_were(repository: Repository, name: str) -> None:
    server = FakeDumper()
    report = restore(repository, server, name)
    assert server.databases == {"shop": server.content}
    assert (report.backup, report.target_database, report.dry_run) == ("one", "shop", False)
    assert report.size_bytes == manifest_of(repository).size_bytes
    assert report.warnings == ()
    assert list(repository.store.list(LEASES)) == []


def test_a_target_may_have_another_name(repository: Repository) -> None:
    server = FakeDumper()
    restore(repository, server, "one", target_database="shop2")
    assert set(server.databases) == {"shop2"}


def test_an_existing_target_is_refused_unless_it_may_be_replaced(repository: Repository) -> None:
    server = FakeDumper()
    server.databases["shop"] = {}
    with pytest.raises(TargetExists):
        restore(repository, server, "one")
    assert server.databases == {"shop": {}}
    restore(repository, server, "one", options=RestoreOptions(replace=True))
    assert server.databases == {"shop": server.content}


def test_a_dry_run_changes_nothing_and_says_what_would_fail(repository: Repository) -> None:
    server = FakeDumper()
    store = FaultyStore(repository.store)
    assert not restore(make_repository(store), server, "one", dry_run=True).warnings
    server.databases["shop"] = {}
    report = restore(make_repository(store), server, "one", dry_run=True)
    assert [finding.level for finding in report.findings] == [Level.ERROR]
    assert server.databases == {"shop": {}}
    assert {method for method, _ in store.calls} == {"get", "list"}


@pytest.mark.parametrize("position", [0, 1, 6, -1])
@pytest.mark.parametrize("change", ["flipped", "missing"])
def test_no_damaged_byte_reaches_the_server(
    repository: Repository, position: int, change: str
) -> None:
    ref = manifest_of(repository).blobs[position]
    data = bytearray(repository.store.get(blob_key(ref.name)))
    data[-1] ^= 1
    repository.store.put(blob_key(ref.name), bytes(data))
    if change == "missing":
        repository.store.delete(blob_key(ref.name))
    server = FakeDumper()
    with pytest.raises(DamagedError):
        restore(repository, server, "one")
    assert server.databases == {}


def test_a_backup_that_is_known_to_be_damaged_is_not_begun(repository: Repository) -> None:
    ref = manifest_of(repository).blobs[-1]
    repository.store.put(blob_key(ref.name), b"x" * ref.stored_bytes)
    verify_backup(repository, FakeDumper(), "one")
    store = FaultyStore(repository.store)
    with pytest.raises(DamagedError, match="'one' is damaged"):
        restore(make_repository(store), FakeDumper(), "one")
    assert not [key for method, key in store.calls if method == "get" and key.startswith("blobs/")]
    repository.store.put(manifest_key("one"), b"{")
    with pytest.raises(DamagedError):
        restore(repository, FakeDumper(), "one")
    with pytest.raises(BackupNotFound):
        restore(repository, FakeDumper(), "latest")


def test_a_wrong_key_or_none_is_said_so(repository: Repository) -> None:
    server = FakeDumper()
    for encryptor, error in (
        (FakeEncryptor(b"another"), DecryptionError),
        (Cleartext(), UnsupportedFormat),
    ):
        with pytest.raises(error):
            restore(make_repository(repository.store, encryptor=encryptor), server, "one")
    assert server.databases == {}


def test_nothing_is_restored_during_a_cleanup(repository: Repository) -> None:
    with repository.exclusive_lease("cleanup"):
        with pytest.raises(Busy):
            restore(repository, FakeDumper(), "one")
        restore(repository, FakeDumper(), "one", dry_run=True)


def test_rights_that_only_read_do_for_a_restore(repository: Repository) -> None:
    class ReadOnly(FaultyStore):
        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            raise AccessDenied(f"{key} ({len(data)}, {if_absent})")

        def delete(self, key: str) -> None:
            raise AccessDenied(key)

    server = FakeDumper()
    restore(make_repository(ReadOnly(repository.store)), server, "one")
    assert server.databases == {"shop": server.content}
