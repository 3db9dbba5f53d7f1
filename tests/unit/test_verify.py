"""Verifying: every blob is read and proven, and the outcome is remembered."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from attrs import field, frozen
from tests.unit.fakes import FakeDumper, FakeEncryptor, make_repository, noise, read_back

from brownie_backup import (
    Progress,
    Repository,
    Verification,
    create_backup,
    list_backups,
    verify_backup,
)
from brownie_backup.errors import (
    BackupNotFound,
    Busy,
    DamagedError,
    DecryptionError,
    StoreUnavailable,
)
from brownie_backup.format.layout import LEASES, blob_key, manifest_key
from brownie_backup.model import BlobRef, Part
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")
SECOND = timedelta(seconds=1)


@pytest.fixture
def repository() -> Repository:
    """Return a repository with two backups that share most blobs: 'one', and the newer 'two'."""
    repository = make_repository()
    create_backup(repository, FakeDumper(), name="one")
    changed = noise()
    changed["archive"] = changed["archive"][:7000] + b"\0" * 3000
    repository.clock.advance(SECOND)  # type: ignore[attr-defined]
    create_backup(repository, FakeDumper(changed), name="two")
    return repository


def blobs_of(repository: Repository, name: str) -> tuple[BlobRef, ...]:
    manifest = repository.backup(name).manifest
    assert manifest
    return manifest.blobs


def flip_bit(repository: Repository, ref: BlobRef) -> None:
    data = bytearray(repository.store.get(blob_key(ref.name)))
    data[-1] ^= 1
    repository.store.put(blob_key(ref.name), bytes(data))


def test_a_whole_backup_is_good_and_that_is_remembered(repository: Repository) -> None:
    verification = verify_backup(repository, FakeDumper(), "two")
    assert verification.good
    assert verification.complete
    assert verification.checked_blobs == len({ref.name for ref in blobs_of(repository, "two")})
    assert repository.backup("two").verification == verification
    assert repository.backup("one").verification is None
    assert list(repository.store.list(LEASES)) == []


def test_latest_is_the_newest(repository: Repository) -> None:
    assert verify_backup(repository, FakeDumper(), "latest").backup == "two"


@pytest.mark.parametrize("position", [0, 1, 5, -1])
def test_a_flipped_bit_in_any_blob_is_found_and_named(
    repository: Repository, position: int
) -> None:
    bad = blobs_of(repository, "two")[position]
    flip_bit(repository, bad)
    verification = verify_backup(repository, FakeDumper(), "two")
    assert not verification.good
    assert verification.complete
    assert verification.damaged_blobs == (bad.name,)
    assert bad.name in verification.problems[0]
    assert not repository.backup("two").good
    assert repository.backup("latest").name == "one"


def test_all_blobs_are_read_even_after_a_bad_one(repository: Repository) -> None:
    bad = [blobs_of(repository, "two")[position] for position in (0, 2, 8)]
    flip_bit(repository, bad[0])
    repository.store.delete(blob_key(bad[1].name))
    repository.store.put(blob_key(bad[2].name), b"")
    verification = verify_backup(repository, FakeDumper(), "two")
    assert verification.damaged_blobs == tuple(sorted(ref.name for ref in bad))
    assert verification.complete
    assert len(verification.problems) == 3


def test_the_next_backup_heals_what_was_found_damaged(repository: Repository) -> None:
    first, second = blobs_of(repository, "one")[1:3]
    flip_bit(repository, first)
    repository.store.delete(blob_key(second.name))
    assert not verify_backup(repository, FakeDumper(), "one").good
    report = create_backup(repository, FakeDumper(), name="three")
    assert report.new_blobs == 2
    for name in ("one", "two", "three"):
        assert verify_backup(repository, FakeDumper(), name).good
    assert all(backup.good for backup in list_backups(repository))


def test_an_archive_that_the_dumper_refuses_is_damaged_although_its_blobs_are_good() -> None:
    class Strict(FakeDumper):
        def check(self, part: Part, chunks: Iterable[bytes]) -> None:
            if part.kind == "archive":
                next(iter(chunks))
                raise DamagedError("no data for one table")

    repository = make_repository()
    create_backup(repository, FakeDumper(), name="one")
    verification = verify_backup(repository, Strict(), "one")
    assert not verification.good
    assert verification.problems == ("no data for one table",)
    assert verification.damaged_blobs == ()
    assert verification.complete


def test_a_part_that_was_cut_before_it_was_stored_is_found(repository: Repository) -> None:
    cut = FakeDumper()
    cut.content["archive"] = cut.content["archive"][:-3]
    create_backup(repository, cut, name="cut")
    verification = verify_backup(repository, FakeDumper(), "cut")
    assert verification.problems == ("the archive does not reach its end",)


def test_a_wrong_key_proves_nothing_and_records_nothing(repository: Repository) -> None:
    stranger = make_repository(repository.store, encryptor=FakeEncryptor(b"another"))
    with pytest.raises(DecryptionError):
        verify_backup(stranger, FakeDumper(), "two")
    assert repository.backup("two").verification is None


def test_one_blob_of_another_key_is_damage(repository: Repository) -> None:
    bad = blobs_of(repository, "two")[3]
    data = repository.store.get(blob_key(bad.name))
    repository.store.put(blob_key(bad.name), b"00000000" + data[8:])
    assert verify_backup(repository, FakeDumper(), "two").damaged_blobs == (bad.name,)


@frozen
class TakenAway(FakeEncryptor):
    """Its key is there for some blobs, like that of a keyring that is closed meanwhile."""

    calls: Iterator[int] = field(factory=itertools.count)

    def decrypt(self, data: bytes) -> bytes:
        """Decrypt, while there is a key."""
        if next(self.calls) >= 4:
            raise DecryptionError("there is no private key here")
        return super().decrypt(data)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_key_that_is_taken_away_meanwhile_is_no_damage(repository: Repository, jobs: int) -> None:
    other = make_repository(repository.store, encryptor=TakenAway(), clock=repository.clock)
    with pytest.raises(DecryptionError):
        verify_backup(other, FakeDumper(), "two", jobs=jobs)
    assert repository.backup("two").verification is None
    assert verify_backup(repository, FakeDumper(), "two").good


def test_a_manifest_that_does_not_read_cannot_be_verified(repository: Repository) -> None:
    repository.store.put(manifest_key("two"), repository.store.get(manifest_key("two"))[:-9])
    with pytest.raises(DamagedError):
        verify_backup(repository, FakeDumper(), "two")
    assert verify_backup(repository, FakeDumper(), "latest").backup == "one"


def test_what_is_not_there_is_not_found(repository: Repository) -> None:
    with pytest.raises(BackupNotFound):
        verify_backup(repository, FakeDumper(), "three")


def test_nothing_is_verified_during_a_cleanup(repository: Repository) -> None:
    with repository.exclusive_lease("cleanup"), pytest.raises(Busy):
        verify_backup(repository, FakeDumper(), "two")


@pytest.mark.parametrize(("percent", "blobs"), [(0.001, 1), (10, 2), (50, 6), (99, 12), (100, 12)])
def test_a_sample_reads_its_share_of_the_blobs(
    repository: Repository, percent: float, blobs: int
) -> None:
    total = len({ref.name for ref in blobs_of(repository, "one")})
    assert total == 12
    store = FaultyStore(repository.store)
    verification = verify_backup(
        make_repository(store), FakeDumper(), "one", sample_percent=percent
    )
    assert (verification.good, verification.checked_blobs) == (True, blobs)
    assert verification.complete is (blobs == total)
    assert sum(call[0] == "get" and call[1].startswith("blobs/") for call in store.calls) == blobs


def test_a_sample_finds_damage_in_what_it_reads(repository: Repository) -> None:
    for ref in blobs_of(repository, "one"):
        flip_bit(repository, ref)
    verification = verify_backup(repository, FakeDumper(), "one", sample_percent=20)
    assert len(verification.damaged_blobs) == 3
    assert not repository.backup("one").good


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_store_that_fails_is_no_damage(repository: Repository, jobs: int) -> None:
    calls = FaultyStore(repository.store)
    verify_backup(make_repository(calls), FakeDumper(), "two", jobs=1)
    reading = [n for n, (_, key) in enumerate(calls.calls, 1) if key.startswith("blobs/")]
    before = repository.backup("two").verification
    for position in reading[1:]:  # the first is the listing
        faulty = make_repository(FaultyStore(repository.store, fail_at=position))
        with pytest.raises(StoreUnavailable):
            verify_backup(faulty, FakeDumper(), "two", jobs=jobs)
        assert repository.backup("two").verification == before
    assert list(repository.store.list(LEASES)) == []


def test_progress_grows_to_the_size_of_the_backup(repository: Repository) -> None:
    seen: list[Progress] = []
    verify_backup(repository, FakeDumper(), "one", on_progress=seen.append)
    assert seen[-1] == Progress("verify", seen[-1].total_bytes or 0, seen[-1].total_bytes)
    assert seen[-1].done_bytes == sum(ref.size_bytes for ref in blobs_of(repository, "one"))


def test_verifying_changes_no_backup(repository: Repository) -> None:
    before = {b.name: read_back(repository, b) for b in list_backups(repository)}
    outcome: Verification = verify_backup(repository, FakeDumper(), "two", jobs=3)
    assert outcome.good
    assert {b.name: read_back(repository, b) for b in list_backups(repository)} == before
