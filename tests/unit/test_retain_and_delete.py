"""Deleting by name and by the policy: what goes, what stays, and what must not happen at once."""

from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DAY, FakeClock, FakeDumper, make_repository, noise, read_back

from brownie_backup import (
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    list_backups,
    verify_backup,
)
from brownie_backup.errors import (
    BackupNotFound,
    Busy,
    DeletionRefused,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.layout import (
    BLOBS,
    LEASES,
    blob_key,
    manifest_key,
    verification_key,
)
from brownie_backup.model import BlobRef
from brownie_backup.stores import LocalStore, MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")
TEN_DAYS = RetentionPolicy(keep_within=10 * DAY)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    """Return a repository with backups of 0, 5, 20 and 30 days before now."""
    repository = make_repository(clock=clock)
    for age in (30, 20, 5, 0):
        create_backup(repository, FakeDumper(noise(age)), name=f"days-{age}")
        clock.advance(timedelta(days={30: 10, 20: 15, 5: 5, 0: 0}[age]))
    return repository


def names(repository: Repository) -> list[str]:
    return [backup.name for backup in list_backups(repository)]


def test_what_the_policy_does_not_keep_goes_with_its_blobs(repository: Repository) -> None:
    manifest = repository.backup("days-20").manifest
    report = apply_retention(repository, TEN_DAYS, database=None)
    assert report.deleted == ("days-20", "days-30")
    assert names(repository) == ["days-0", "days-5"]
    assert report.swept_blobs == 20
    assert report.notes == ()
    assert manifest
    left = {found.key for found in repository.store.list(BLOBS)}
    own = [ref for ref in manifest.blobs if ref.size_bytes == 1000]
    assert not left & {blob_key(ref.name) for ref in own}
    for backup in list_backups(repository):
        assert backup.good
        assert read_back(repository, backup)
    assert list(repository.store.list(LEASES)) == []


def test_a_dry_run_says_the_same_and_changes_nothing(
    repository: Repository, clock: FakeClock
) -> None:
    store = FaultyStore(repository.store)
    would = apply_retention(
        make_repository(store, clock=clock), TEN_DAYS, database=None, dry_run=True
    )
    assert {method for method, _ in store.calls} == {"list", "get"}
    did = apply_retention(repository, TEN_DAYS, database=None)
    assert (would.deleted, would.swept_blobs, would.swept_bytes) == (
        did.deleted,
        did.swept_blobs,
        did.swept_bytes,
    )
    assert (would.dry_run, did.dry_run) == (True, False)


def test_a_damaged_newest_backup_does_not_cost_the_last_good_one(
    repository: Repository, clock: FakeClock
) -> None:
    for name in ("days-0", "days-5"):
        manifest = repository.backup(name).manifest
        assert manifest
        repository.store.delete(blob_key(manifest.blobs[3].name))
    clock.advance(100 * DAY)
    with pytest.raises(DeletionRefused, match="'days-0', is missing or not good"):
        apply_retention(repository, TEN_DAYS, database=None)
    delete_backup(repository, "days-0")  # whoever does that knows it
    apply_retention(repository, TEN_DAYS, database=None)
    assert names(repository) == ["days-20"]
    assert repository.backup("latest").good


def test_a_blob_that_all_backups_share_does_not_cost_all_of_them(
    repository: Repository, clock: FakeClock
) -> None:
    manifest = repository.backup("days-0").manifest
    assert manifest
    repository.store.delete(blob_key(manifest.blobs[0].name))
    clock.advance(100 * DAY)
    assert not any(backup.good for backup in list_backups(repository))
    apply_retention(repository, TEN_DAYS, database=None)
    create_backup(repository, FakeDumper(noise(0)), name="heals")
    assert names(repository) == ["heals", "days-0", "days-5", "days-20", "days-30"]
    assert all(backup.good for backup in list_backups(repository))


def test_a_failed_verification_does_not_cost_the_last_good_one(
    repository: Repository, clock: FakeClock
) -> None:
    manifest = repository.backup("days-0").manifest
    assert manifest
    ref = manifest.blobs[3]
    repository.store.put(blob_key(ref.name), b"x" * ref.stored_bytes)
    verify_backup(repository, FakeDumper(), "days-0")
    clock.advance(100 * DAY)
    with pytest.raises(DeletionRefused):
        apply_retention(repository, TEN_DAYS, database=None)
    assert len(names(repository)) == 4
    create_backup(repository, FakeDumper(noise(1)), name="new")
    kept = evolve(TEN_DAYS, keep_min=2, most_deleted_share=1)
    apply_retention(repository, kept, database=None)
    assert names(repository) == ["new", "days-5"]


def test_a_manifest_that_does_not_read_stays_and_nothing_is_swept(repository: Repository) -> None:
    repository.store.put(manifest_key("days-5"), b"{")
    before = {found.key for found in repository.store.list(BLOBS)}
    report = apply_retention(repository, TEN_DAYS, database=None)
    assert set(names(repository)) == {"days-0", "days-5"}
    assert report.notes
    assert {found.key for found in repository.store.list(BLOBS)} == before


@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_fails_the_newest_stays_whole_and_a_repeat_ends_the_work(
    *, after: bool
) -> None:
    position = 0
    while True:
        position += 1
        clock = FakeClock()
        inner = MemoryStore(clock)
        repository = make_repository(inner, clock=clock)
        for age in (30, 0):
            create_backup(repository, FakeDumper(noise(age, 3000)), name=f"days-{age}")
            clock.advance(age * DAY)
        faulty = FaultyStore(inner, fail_at=position, after=after)
        try:
            apply_retention(make_repository(faulty, clock=clock), TEN_DAYS, database=None)
        except StoreUnavailable:
            assert faulty.failed
        backup = repository.backup("latest")
        assert backup.name == "days-0"
        assert read_back(repository, backup) == FakeDumper(noise(0, 3000)).content
        clock.advance(timedelta(hours=1))  # a lease that was left behind has expired
        apply_retention(repository, TEN_DAYS, database=None)
        assert names(repository) == ["days-0"]
        assert len(list(inner.list(BLOBS))) == len({r.name for r in blobs_of(repository)})
        if not faulty.failed:
            break
    assert position > 15


def blobs_of(repository: Repository) -> tuple[BlobRef, ...]:
    manifest = repository.backup("latest").manifest
    assert manifest
    return manifest.blobs


def test_nothing_is_deleted_while_somebody_reads_or_writes(repository: Repository) -> None:
    with repository.shared_lease("restore"):
        with pytest.raises(Busy):
            apply_retention(repository, TEN_DAYS, database=None)
        delete_backup(repository, "days-0")  # its blobs stay, and whoever reads can go on
    with repository.exclusive_lease("cleanup"), pytest.raises(Busy):
        delete_backup(repository, "days-5")
    assert names(repository) == ["days-5", "days-20", "days-30"]


def test_a_deleted_backup_is_gone_at_once_and_its_blobs_with_the_next_cleanup(
    repository: Repository, clock: FakeClock
) -> None:
    verify_backup(repository, FakeDumper(), "days-0")
    blobs = len(list(repository.store.list(BLOBS)))
    delete_backup(repository, "days-0")
    assert "days-0" not in names(repository)
    assert list(repository.store.list(verification_key("days-0"))) == []
    assert len(list(repository.store.list(BLOBS))) == blobs
    clock.advance(2 * DAY)
    assert apply_retention(repository, RetentionPolicy(99 * DAY), database=None).swept_blobs == 10
    assert all(backup.good for backup in list_backups(repository))


def test_a_damaged_backup_can_be_deleted(repository: Repository) -> None:
    repository.store.put(manifest_key("days-5"), b"{")
    delete_backup(repository, "days-5")
    assert "days-5" not in names(repository)


@pytest.mark.parametrize("name", ["latest", "days", "days-", "days-00", "manifests/days-0", ""])
def test_only_a_whole_name_deletes(repository: Repository, name: str) -> None:
    with pytest.raises(BackupNotFound):
        delete_backup(repository, name)
    assert len(names(repository)) == 4


@pytest.mark.parametrize("name", ["../repository", "..", "x/../../days-0"])
def test_no_name_leads_out_of_the_manifests(name: str, tmp_path: object) -> None:
    store = LocalStore(f"{tmp_path}/store")
    repository = make_repository(store)
    create_backup(repository, FakeDumper(), name="days-0")
    with pytest.raises((BackupNotFound, StoreError)):
        delete_backup(repository, name)
    assert list(store.list("repository.json"))
    assert names(repository) == ["days-0"]
