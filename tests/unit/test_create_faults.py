"""A store that fails once, at any call: only good backups are listed, and a repeat is cheap."""

from collections.abc import Iterator

import pytest
from tests.unit.fakes import FakeDumper, make_repository, noise, read_back

from brownie_backup import Repository, create_backup, list_backups
from brownie_backup.errors import AccessDenied, StoreError, StoreFull, StoreUnavailable
from brownie_backup.format.layout import BLOBS, manifest_key
from brownie_backup.protocols import ObjectUse
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = [pytest.mark.usefixtures("_small_blobs"), pytest.mark.once]

OLD, NEW = noise(), noise()
NEW["archive"] = NEW["archive"][:4000] + noise(2)["archive"][:5000]
WANTED = {"old": FakeDumper(OLD).content, "new": FakeDumper(NEW).content}


def prepared() -> MemoryStore:
    """Return a store with a backup in it."""
    store = MemoryStore()
    create_backup(make_repository(store), FakeDumper(OLD), name="old", jobs=1)
    return store


def blobs_in(store: MemoryStore) -> dict[str, int]:
    return {found.key: found.size_bytes for found in store.list(BLOBS)}


def without_a_fault() -> FaultyStore:
    store = FaultyStore(prepared())
    create_backup(make_repository(store), FakeDumper(NEW), name="new", jobs=1)
    return store


def only_good_backups_are_listed(repository: Repository) -> set[str]:
    backups = list_backups(repository)
    for backup in backups:
        assert backup.good, backup.problem
        assert read_back(repository, backup) == WANTED[backup.name.split("-")[0]]
    return {backup.name for backup in backups}


def every_position() -> Iterator[int]:
    calls = len(without_a_fault().calls)
    assert calls > 25
    yield from range(1, calls + 1)


@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_fails_only_good_backups_are_listed_and_a_repeat_stores_the_rest(
    *, after: bool
) -> None:
    clean_bytes = sum(blobs_in(without_a_fault()._inner).values())  # type: ignore[arg-type]
    outcomes = set()
    for position in every_position():
        inner = prepared()
        faulty = FaultyStore(inner, fail_at=position, after=after)
        try:
            create_backup(make_repository(faulty), FakeDumper(NEW), name="new", jobs=1)
            raised = False
        except StoreUnavailable:
            raised = True
        listed = only_good_backups_are_listed(make_repository(inner))
        assert faulty.failed or not raised
        assert raised or "new" in listed  # success is never said without a backup
        outcomes.add((raised, "new" in listed))

        there = blobs_in(inner)
        again = FaultyStore(inner)
        report = create_backup(make_repository(again), FakeDumper(NEW), name="new-again", jobs=1)
        assert "new-again" in only_good_backups_are_listed(make_repository(inner))
        sent = [key for method, key in again.calls if method == "put" and key.startswith(BLOBS)]
        assert not there.keys() & set(sent)
        assert report.new_bytes == clean_bytes - sum(there.values())
        manifest_bytes = len(inner.get(manifest_key("new-again")))
        assert again.put_bytes < report.new_bytes + manifest_bytes + 1000  # and a lease
    # A failure; a failure after the backup was there; and a lease that could not be released.
    assert outcomes == {(True, False), (True, True), (False, True)}


@pytest.mark.parametrize("after", [False, True])
def test_the_first_backup_of_a_store_is_no_different(*, after: bool) -> None:
    store = FaultyStore(MemoryStore())
    create_backup(make_repository(store), FakeDumper(NEW), name="new", jobs=1)
    for position in range(1, len(store.calls) + 1):
        inner = MemoryStore()
        faulty = FaultyStore(inner, fail_at=position, after=after)
        try:
            create_backup(make_repository(faulty), FakeDumper(NEW), name="new", jobs=1)
        except StoreUnavailable:
            assert faulty.failed
        else:
            assert only_good_backups_are_listed(make_repository(inner)) == {"new"}
        only_good_backups_are_listed(make_repository(inner))
        create_backup(make_repository(inner), FakeDumper(NEW), name="new-again")
        assert "new-again" in only_good_backups_are_listed(make_repository(inner))


@pytest.mark.parametrize("position", range(5, 25, 3))
def test_with_several_jobs_too(position: int) -> None:
    inner = prepared()
    dumper = FakeDumper(NEW)
    with pytest.raises(StoreUnavailable):
        create_backup(
            make_repository(FaultyStore(inner, fail_at=position)), dumper, name="new", jobs=3
        )
    assert dumper.running == set()
    assert only_good_backups_are_listed(make_repository(inner)) == {"old"}


@pytest.mark.parametrize(
    "error", [StoreFull("no space"), AccessDenied("no right"), KeyboardInterrupt(), MemoryError()]
)
def test_the_error_arrives_as_it_was(error: BaseException) -> None:
    inner = prepared()
    with pytest.raises(type(error)) as caught:
        create_backup(make_repository(FaultyStore(inner, 20, error)), FakeDumper(NEW), name="new")
    assert caught.value is error
    assert only_good_backups_are_listed(make_repository(inner)) == {"old"}


def test_a_store_that_stays_away_ends_the_backup() -> None:
    class Gone(FaultyStore):
        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            if key.startswith(BLOBS) and self.put_bytes > 3000:
                raise StoreUnavailable("gone")
            super().put(key, data, if_absent=if_absent, use=use)

    inner = prepared()
    dumper = FakeDumper(NEW)
    with pytest.raises(StoreError):
        create_backup(make_repository(Gone(inner)), dumper, name="new", jobs=3)
    assert dumper.running == set()
    assert only_good_backups_are_listed(make_repository(inner)) == {"old"}
