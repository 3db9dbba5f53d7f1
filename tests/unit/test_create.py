"""Making backups: what is stored, what is reused, and what is visible when."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta

import pytest
from tests.unit.fakes import (
    NOON,
    FakeClock,
    FakeDumper,
    FakeEncryptor,
    make_repository,
    noise,
    read_back,
)

from brownie_backup import (
    BackupReport,
    Progress,
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    list_backups,
)
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    BackupExists,
    Busy,
    ConfigurationError,
    DumpFailed,
    EncryptionError,
    InvalidName,
    LeaseLost,
)
from brownie_backup.format.layout import BLOBS, LEASES, MANIFESTS, blob_key
from brownie_backup.model import PartKind
from brownie_backup.repository import LeaseRecord
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")
RACERS = 4


@pytest.fixture
def repository() -> Repository:
    return make_repository()


def keys(repository: Repository, prefix: str) -> list[str]:
    return [found.key for found in repository.store.list(prefix)]


def test_a_backup_is_listed_good_and_reads_back_whole(repository: Repository) -> None:
    dumper = FakeDumper()
    report = create_backup(repository, dumper, name="one", labels={"env": "test"})
    (backup,) = list_backups(repository)
    assert backup.good
    assert backup.manifest == report.manifest
    assert report.manifest.labels == {"env": "test"}
    assert report.manifest.notes == ("made up",)
    assert read_back(repository, backup) == dumper.content
    assert keys(repository, LEASES) == []


def test_sizes_add_up(repository: Repository) -> None:
    dumper = FakeDumper()
    report = create_backup(repository, dumper)
    size = sum(map(len, dumper.content.values()))
    stored = sum(found.size_bytes for found in repository.store.list(BLOBS))
    assert report.manifest.size_bytes == size
    assert report.manifest.stored_bytes == stored == report.new_bytes == report.manifest.new_bytes
    assert report.new_blobs == len(keys(repository, BLOBS)) == len(report.manifest.blobs)
    assert (report.reused_blobs, report.reused_bytes) == (0, 0)


@pytest.mark.parametrize("jobs", [-1, 0, 1, 2, 3, 99])
def test_the_number_of_jobs_changes_nothing_of_the_result(jobs: int) -> None:
    repository = make_repository()
    dumper = FakeDumper()
    create_backup(repository, dumper, jobs=jobs)
    (backup,) = list_backups(repository)
    assert read_back(repository, backup) == dumper.content


def test_an_unchanged_database_stores_only_a_manifest(repository: Repository) -> None:
    create_backup(repository, FakeDumper(), name="one")
    store = FaultyStore(repository.store)
    report = create_backup(make_repository(store), FakeDumper(), name="two")
    assert (report.new_blobs, report.new_bytes, report.manifest.new_bytes) == (0, 0, 0)
    assert report.reused_bytes == report.manifest.stored_bytes
    assert [key for method, key in store.calls if method == "put" and key.startswith(BLOBS)] == []


def test_a_change_at_the_end_stores_only_the_end(repository: Repository) -> None:
    content = noise()
    create_backup(repository, FakeDumper(content), name="one")
    content[PartKind.ARCHIVE] = content[PartKind.ARCHIVE][:-10] + b"0123456789"
    report = create_backup(repository, FakeDumper(content), name="two")
    assert report.new_blobs == 1


def test_another_key_shares_no_blob(repository: Repository) -> None:
    create_backup(repository, FakeDumper(), name="one")
    other = make_repository(repository.store, encryptor=FakeEncryptor(b"another"))
    assert create_backup(other, FakeDumper(), name="two").reused_blobs == 0


def test_the_default_name_is_of_the_database_and_the_time(repository: Repository) -> None:
    names = {create_backup(repository, FakeDumper()).manifest.name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("shop-20260301T120000Z-") for name in names)


def test_a_name_that_is_taken_is_refused_before_the_database_is_touched(
    repository: Repository,
) -> None:
    create_backup(repository, FakeDumper(), name="one")
    dumper = FakeDumper(meanwhile=lambda: pytest.fail("it was read"))
    with pytest.raises(BackupExists):
        create_backup(repository, dumper, name="one")


@pytest.mark.parametrize("wrong", [{"name": "a/b"}, {"name": "latest"}, {"labels": {"": "x"}}])
def test_a_wrong_name_or_label_is_refused_before_anything(wrong: dict[str, object]) -> None:
    store = FaultyStore(MemoryStore())
    with pytest.raises(InvalidName):
        create_backup(make_repository(store), FakeDumper(), **wrong)  # type: ignore[arg-type]
    assert store.calls == []


@pytest.mark.parametrize("fail_after", [0, 700, 5000, 9800])
def test_a_dump_that_fails_leaves_nothing_visible_and_costs_the_next_nothing(
    fail_after: int, repository: Repository
) -> None:
    dumper = FakeDumper(fail_after=fail_after)
    with pytest.raises(DumpFailed):
        create_backup(repository, dumper, name="one")
    assert list_backups(repository) == ()
    assert keys(repository, MANIFESTS) == keys(repository, LEASES) == []
    assert dumper.running == set()
    there = len(keys(repository, BLOBS))
    dumper.fail_after = None
    report = create_backup(repository, dumper, name="one")
    assert report.reused_blobs == there
    assert report.new_blobs == len(report.manifest.blobs) - there
    assert read_back(repository, list_backups(repository)[0]) == dumper.content


def test_a_blob_that_cannot_be_encrypted_ends_the_dump(repository: Repository) -> None:
    class Broken(FakeEncryptor):
        def encrypt(self, data: bytes) -> bytes:
            del data
            raise EncryptionError("no key")

    dumper = FakeDumper()
    with pytest.raises(EncryptionError):
        create_backup(make_repository(repository.store, encryptor=Broken()), dumper)
    assert dumper.running == set()
    assert keys(repository, BLOBS) == keys(repository, MANIFESTS) == keys(repository, LEASES) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interruption_leaves_nothing_visible(error: BaseException) -> None:
    repository = make_repository()

    def interrupt() -> None:
        raise error

    dumper = FakeDumper(meanwhile=interrupt)
    with pytest.raises(type(error)):
        create_backup(repository, dumper)
    assert dumper.running == set()
    assert keys(repository, MANIFESTS) == keys(repository, LEASES) == []


def test_a_lease_that_was_lost_meanwhile_makes_nothing_visible(repository: Repository) -> None:
    def remove_lease() -> None:
        for key in keys(repository, LEASES):
            repository.store.delete(key)

    with pytest.raises(LeaseLost):
        create_backup(repository, FakeDumper(meanwhile=remove_lease))
    assert keys(repository, MANIFESTS) == []


def test_a_lease_that_expired_meanwhile_makes_nothing_visible() -> None:
    clock = FakeClock()
    repository = make_repository(clock=clock)
    dumper = FakeDumper(meanwhile=lambda: clock.advance(timedelta(minutes=1)))
    with pytest.raises(LeaseLost):
        create_backup(repository, dumper)
    assert keys(repository, MANIFESTS) == []


def test_no_cleanup_runs_while_a_backup_is_made(repository: Repository) -> None:
    policy = RetentionPolicy(timedelta(days=1))
    refused: list[Busy] = []

    def clean_up() -> None:
        with pytest.raises(Busy) as caught:
            apply_retention(repository, policy, database=None)
        refused.append(caught.value)

    create_backup(repository, FakeDumper(piece=5000, meanwhile=clean_up), name="one")
    assert refused
    assert "backup 'one'" in str(refused[0])
    assert list_backups(repository)[0].good


def test_no_backup_is_made_while_a_cleanup_runs(repository: Repository) -> None:
    with repository.exclusive_lease("cleanup"), pytest.raises(Busy):
        create_backup(repository, FakeDumper())
    assert keys(repository, BLOBS) == []


def race(repository: Repository) -> list[BackupReport]:
    """Make backups of one name at once; return the reports of those that were made."""
    barrier = threading.Barrier(RACERS)

    def create(racer: int) -> BackupReport | None:
        barrier.wait()
        try:
            return create_backup(repository, FakeDumper(noise(racer)), name="daily")
        except (Busy, BackupExists):
            return None

    with ThreadPoolExecutor(RACERS) as pool:
        return [report for report in pool.map(create, range(RACERS)) if report]


@pytest.mark.parametrize("number", range(5))
def test_of_backups_of_the_same_name_at_once_exactly_one_is_made(number: int) -> None:
    repository = make_repository()
    (report,) = race(repository)
    (backup,) = list_backups(repository)
    assert (backup.good, backup.manifest) == (True, report.manifest)
    assert keys(repository, LEASES) == [], number


@pytest.mark.parametrize("number", range(5))
def test_even_without_leases_only_one_of_them_becomes_visible(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LeaseRecord, "excludes", lambda one, other: False)
    repository = make_repository()
    (report,) = race(repository)
    (backup,) = list_backups(repository)
    assert (backup.good, backup.manifest) == (True, report.manifest), number


def test_backups_of_different_names_are_made_at_once(repository: Repository) -> None:
    with ThreadPoolExecutor(RACERS) as pool:
        names = [str(number) for number in range(RACERS)]
        list(
            pool.map(lambda n: create_backup(repository, FakeDumper(noise(int(n))), name=n), names)
        )
    backups = list_backups(repository)
    assert sorted(backup.name for backup in backups) == names
    for backup in backups:
        assert read_back(repository, backup) == FakeDumper(noise(int(backup.name))).content


def test_progress_grows_to_the_size_of_all_parts(repository: Repository) -> None:
    seen: list[Progress] = []
    report = create_backup(repository, FakeDumper(), on_progress=seen.append)
    done = [progress.done_bytes for progress in seen]
    assert done == sorted(done)
    assert done[-1] == report.manifest.size_bytes
    assert {(p.phase, p.total_bytes) for p in seen} == {("backup", None)}  # nobody estimates


def test_times_are_when_it_began_and_ended() -> None:
    clock = FakeClock()
    dumper = FakeDumper(piece=5000, meanwhile=lambda: clock.advance(timedelta(seconds=1)))
    manifest = create_backup(make_repository(clock=clock), dumper).manifest
    assert manifest.started_at == NOON
    assert manifest.duration == timedelta(seconds=4)


def test_a_blob_that_is_shorter_than_a_manifest_says_is_stored_again(
    repository: Repository,
) -> None:
    manifest = create_backup(repository, FakeDumper(), name="one").manifest
    key = blob_key(manifest.blobs[3].name)
    repository.store.put(key, repository.store.get(key)[:100])
    assert not list_backups(repository)[0].good
    create_backup(repository, FakeDumper(), name="two")
    for backup in list_backups(repository):
        assert read_back(repository, backup) == FakeDumper().content


def test_a_pool_that_forks_is_refused(repository: Repository) -> None:
    """Its processes would keep the pipes to our programs open, and these would never end."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    dumper = FakeDumper()
    with pool, pytest.raises(ConfigurationError, match="forks"):
        create_backup(
            repository,
            dumper,
            executor=pool,
            worker_factory=lambda: nullcontext(((repository,), dumper)),
        )
    assert keys(repository, LEASES) == []


def test_another_key_than_that_of_the_last_backup_is_told(clock: FakeClock) -> None:
    store = MemoryStore(clock)

    def backed_up(key: bytes, name: str) -> tuple[str, ...]:
        clock.advance(timedelta(hours=1))
        repository = make_repository(store, encryptor=FakeEncryptor(key), clock=clock)
        return create_backup(repository, FakeDumper(), name=name).warnings

    assert backed_up(b"right", "first") == ()
    assert backed_up(b"right", "second") == ()
    (warning,) = backed_up(b"wrong", "third")
    assert "another key or passphrase than 'second'" in warning
    assert backed_up(b"wrong", "fourth") == ()
    clear = make_repository(store, encryptor=Cleartext(), clock=clock)
    assert create_backup(clear, FakeDumper(), name="fifth").warnings == ()
