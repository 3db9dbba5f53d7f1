"""A lifecycle rule of a bucket has moved blobs to an archive class: they can't be read at once."""
# ruff: noqa: D102 - the methods are those of the protocols

from collections.abc import Iterator

import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper, FakeEncryptor, make_repository, noise
from tests.unit.several import Wrapper

from brownie_backup import (
    Backup,
    Level,
    Repository,
    create_backup,
    diagnose,
    list_backups,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.errors import DamagedError, ObjectArchived
from brownie_backup.format.layout import BLOBS, HOLDS, IDENTITY, MANIFESTS, VERIFICATIONS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import Availability, ObjectUse, Store, StoredObject
from brownie_backup.stores import MemoryStore

pytestmark = pytest.mark.usefixtures("_small_blobs")

CONTENT = noise(size_bytes=3000)


class ArchivingStore(Wrapper):
    """A bucket with an archive class."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.archived: dict[str, Availability] = {}

    def archive(self, prefix: str, how: Availability = Availability.ARCHIVED) -> None:
        self.archived |= {found.key: how for found in self.inner.list(prefix)}

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        if self.archived.get(key) is Availability.ARCHIVED:
            msg = f"cannot read '{key}' in {self.url}: the object was moved to an archive class"
            raise ObjectArchived(msg)
        return super().get(key, most_bytes)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        super().put(key, data, if_absent=if_absent, use=use)
        self.archived.pop(key, None)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for found in super().list(prefix):
            how = self.archived.get(found.key, Availability.READABLE)
            yield evolve(found, availability=how)


@pytest.fixture
def store() -> ArchivingStore:
    return ArchivingStore(MemoryStore())


@pytest.fixture
def repository(store: ArchivingStore) -> Repository:
    repository = make_repository(store, encryptor=FakeEncryptor())
    create_backup(repository, FakeDumper(CONTENT), name="one")
    return repository


def named(repository: Repository, name: str) -> Backup:
    return next(backup for backup in list_backups(repository) if backup.name == name)


@pytest.mark.parametrize("how", [Availability.ARCHIVED, Availability.FOR_A_TIME])
def test_the_next_backup_stores_archived_blobs_again(
    repository: Repository, store: ArchivingStore, how: Availability
) -> None:
    store.archive(BLOBS, how)
    report = create_backup(repository, FakeDumper(CONTENT), name="two")
    assert report.reused_blobs == 0
    assert not [key for key in store.archived if key.startswith(BLOBS)]
    target = FakeDumper(CONTENT)
    restore(repository, target, "two", target_database="copy")
    assert "copy" in target.databases
    assert named(repository, "one").good  # whose blobs are the same


def test_a_backup_with_archived_blobs_is_no_good_one(
    repository: Repository, store: ArchivingStore
) -> None:
    store.archive(BLOBS)
    backup = named(repository, "one")
    assert not backup.good
    assert "blobs moved to an archive class" in backup.problem
    with pytest.raises(DamagedError, match="archive class"):
        restore(repository, FakeDumper(CONTENT), "one", target_database="copy")
    (finding,) = (
        f for f in diagnose(repository, FakeDumper(CONTENT)) if f.subject == "archived blobs"
    )
    assert finding.level is Level.ERROR
    verification = verify_backup(repository, FakeDumper(CONTENT), "one")
    assert not verification.good
    assert verification.damaged_blobs


def test_a_backup_can_be_restored_while_its_blobs_are_retrieved_for_a_time(
    repository: Repository, store: ArchivingStore
) -> None:
    store.archive(BLOBS, Availability.FOR_A_TIME)
    assert named(repository, "one").good
    target = FakeDumper(CONTENT)
    restore(repository, target, "one", target_database="copy")
    assert "copy" in target.databases


@pytest.mark.parametrize("prefix", [IDENTITY, MANIFESTS, VERIFICATIONS, HOLDS])
def test_no_archived_object_ends_a_verb(
    repository: Repository, store: ArchivingStore, prefix: str
) -> None:
    verify_backup(repository, FakeDumper(CONTENT), "one")
    repository.store.put(f"{HOLDS}one.json", b"{}")
    store.archive(prefix)
    assert [backup.name for backup in list_backups(repository)] == ["one"]
    create_backup(repository, FakeDumper(CONTENT), name="two")
    assert {backup.name for backup in list_backups(repository)} == {"one", "two"}
    restore(repository, FakeDumper(CONTENT), "two", target_database="copy")


def test_archived_blobs_are_copied_from_another_store(
    repository: Repository, store: ArchivingStore
) -> None:
    other = make_repository(encryptor=FakeEncryptor())
    sync_backups([repository, other])
    store.archive(BLOBS)
    (report, _) = sync_backups([repository, other])
    assert report.mended == ("one",)
    assert named(repository, "one").good
