"""Machines and stores that stand still at the wrong moment: what others did meanwhile counts."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import FakeClock, FakeDumper, make_repository, noise
from tests.unit.test_leases import SECOND, leave, record

from brownie_backup import (
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    release_backup,
)
from brownie_backup.errors import Busy, LeaseLost, StoreUnavailable
from brownie_backup.format.layout import BLOB_LISTS, BLOBS, HOLDS, LEASES, MANIFESTS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, StoredObject
from brownie_backup.repository import Tuning
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN
from brownie_backup.repository.coordination.leases import EXPIRY_MARGIN, LIFETIME, RENEWAL
from brownie_backup.stores import MemoryStore

pytestmark = [pytest.mark.usefixtures("_small_blobs"), pytest.mark.once]
GONE = LIFETIME + EXPIRY_MARGIN + SECOND
"""After so long without a renewal a lease keeps nobody away."""


class Stopping(MemoryStore):
    """A store in which one call takes long, and much happens before it has an effect."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.calls = 0
        self._stop: tuple[str, str, Callable[[], None]] | None = None

    def stop(self, method: str, prefix: str, meanwhile: Callable[[], None]) -> None:
        """Do something before the next such call."""
        self._stop = (method, prefix, meanwhile)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data`."""
        self._call("put", key)
        super().put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes."""
        self._call("get", key)
        return super().get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield what there was when it was called."""
        self._call("list", prefix)
        return iter([*super().list(prefix)])

    def delete(self, key: str) -> None:
        """Remove the object."""
        self._call("delete", key)
        super().delete(key)

    def _call(self, method: str, key: str) -> None:
        self.calls += 1
        if self._stop and self._stop[0] == method and key.startswith(self._stop[1]):
            meanwhile, self._stop = self._stop[2], None
            meanwhile()


@pytest.fixture
def store(clock: FakeClock) -> Stopping:
    return Stopping(clock)


@pytest.fixture
def repository(store: Stopping, clock: FakeClock) -> Repository:
    """Return a repository with blobs that no backup names, from days ago."""
    repository = make_repository(store, clock=clock)
    create_backup(repository, FakeDumper(), name="old")
    repository.remove("old")
    clock.advance(2 * SWEEP_MARGIN)
    return repository


def clean_up(repository: Repository) -> None:
    apply_retention(repository, RetentionPolicy(), database=None)


# --- leases --------------------------------------------------------------------------------------


def test_a_lease_that_ran_out_while_it_was_renewed_is_lost(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    with repository.shared_lease("backup") as lease:
        clock.advance(LIFETIME - RENEWAL - SECOND)
        store.stop("get", LEASES, lambda: clock.advance(EXPIRY_MARGIN + RENEWAL + 2 * SECOND))
        with pytest.raises(LeaseLost):
            lease._extend()
        with pytest.raises(LeaseLost):
            lease.ensure_held()


def test_what_is_renewed_while_we_list_slowly_has_not_expired(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    leave(repository, record())
    clock.advance(LIFETIME + EXPIRY_MARGIN - SECOND)
    store.stop("get", LEASES, lambda: clock.advance(2 * SECOND))
    with pytest.raises(Busy, match="work of other"):
        repository.exclusive_lease("cleanup").__enter__()


def test_nor_while_we_look_again(
    repository: Repository,
    store: Stopping,
    clock: FakeClock,
) -> None:
    repository = evolve(repository, tuning=Tuning(lease_passing=SECOND))

    def renew() -> None:
        clock.advance(2 * SECOND)
        leave(repository, record())

    with repository.exclusive_lease("cleanup") as lease:
        leave(repository, record())
        clock.advance(LIFETIME / 2)
        lease._extend()
        clock.advance(LIFETIME / 2 + EXPIRY_MARGIN - SECOND)
        store.stop("get", LEASES, renew)
        with pytest.raises(LeaseLost):
            lease.ensure_held()


@pytest.mark.parametrize(("error", "stays"), [(StoreUnavailable, True), (ValueError, False)])
def test_a_lease_outlasts_a_write_without_an_answer(
    repository: Repository, clock: FakeClock, error: type[Exception], *, stays: bool
) -> None:
    with (
        pytest.raises(error),
        repository.exclusive_lease("cleanup") as lease,
        lease.outlasting(),
    ):
        raise error("no answer")
    assert bool(repository.leases()) is stays
    clock.advance(GONE)
    with repository.shared_lease("backup"):
        pass


# --- backups -------------------------------------------------------------------------------------


def test_a_backup_takes_a_second_look_only_when_it_was_late(
    repository: Repository, store: Stopping
) -> None:
    create_backup(repository, FakeDumper(), name="one", jobs=1)
    calls = store.calls
    seen: list[int] = []
    store.stop("delete", LEASES, lambda: seen.append(store.calls))
    store.stop("put", MANIFESTS, lambda: seen.append(store.calls))
    create_backup(repository, FakeDumper(), name="two", jobs=1)
    assert store.calls - seen[0] == 2  # it is read back, and the lease ends
    assert seen[0] > calls


def test_a_backup_whose_blobs_were_swept_at_the_last_moment_does_not_exist(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    def sleep() -> None:
        clock.advance(GONE)
        clean_up(repository)

    store.stop("put", MANIFESTS, sleep)
    with pytest.raises(LeaseLost, match="it was removed") as caught:
        create_backup(repository, FakeDumper(), name="new")
    assert "Run it again" in str(caught.value.hint)
    assert list_backups(repository) == ()
    create_backup(repository, FakeDumper(), name="new")
    assert repository.backup("new").good


def test_so_it_is_when_lists_of_its_blobs_were_swept_too(
    repository: Repository,
    store: Stopping,
    clock: FakeClock,
) -> None:
    repository = evolve(repository, tuning=Tuning(inline_blobs=2))

    def sleep() -> None:
        clock.advance(2 * SWEEP_MARGIN)
        clean_up(repository)
        assert [*store.list(BLOB_LISTS)] == []

    store.stop("put", MANIFESTS, sleep)
    with pytest.raises(LeaseLost, match="it was removed"):
        create_backup(repository, FakeDumper(), name="new")
    assert list_backups(repository) == ()


def test_a_backup_that_was_late_and_lost_nothing_is_good(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    store.stop("put", MANIFESTS, lambda: clock.advance(GONE))
    create_backup(repository, FakeDumper(), name="new")
    assert repository.backup("new").good
    assert repository.leases() == ()


def test_a_backup_that_was_late_and_is_deleted_already_was_made_all_the_same(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    def sleep() -> None:
        clock.advance(GONE)
        store.stop("list", LEASES, lambda: delete_backup(repository, "new"))

    store.stop("put", MANIFESTS, sleep)
    create_backup(repository, FakeDumper(), name="new")
    assert list_backups(repository) == ()


def test_nobody_says_that_a_backup_is_good_while_somebody_may_sweep_it(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    def sleep() -> None:
        clock.advance(GONE)
        leave(repository, record(exclusive=True))

    store.stop("put", MANIFESTS, sleep)
    with pytest.raises(LeaseLost, match="it exists, but"):
        create_backup(repository, FakeDumper(), name="new")
    assert repository.backup("new").good  # this time


# --- deletions -----------------------------------------------------------------------------------


def test_a_backup_that_was_held_while_its_deletion_slept_stays(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="one")

    def sleep() -> None:
        clock.advance(GONE)
        hold_backup(repository, "one")

    # The deletion has found no hold, and looks at its lease.
    store.stop("list", "holds/", lambda: store.stop("list", LEASES, sleep))
    with pytest.raises(LeaseLost):
        delete_backup(repository, "one")
    assert repository.backup("one").hold


@pytest.mark.parametrize("held", [True, False])
def test_a_hold_that_was_released_while_it_was_made_is_none(
    repository: Repository, store: Stopping, clock: FakeClock, *, held: bool
) -> None:
    """By somebody whose lease counts as the earlier one."""
    create_backup(repository, FakeDumper(), name="one")
    if held:
        hold_backup(repository, "one")

    def release() -> None:
        release_backup(repository, "one")

    ahead = make_repository(store, clock=FakeClock(clock.now + SECOND))
    store.stop("put", HOLDS, lambda: store.stop("list", LEASES, release))
    with pytest.raises(Busy, match="another process"):
        hold_backup(ahead, "one")
    assert repository.backup("one").hold is None


def test_a_hold_that_was_made_while_a_release_slept_stays(
    repository: Repository, store: Stopping, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="one")
    hold_backup(repository, "one")

    def sleep() -> None:
        clock.advance(GONE)
        hold_backup(repository, "one", until=clock.now + SWEEP_MARGIN)

    store.stop("put", LEASES, lambda: store.stop("list", LEASES, sleep))
    with pytest.raises(Busy):
        release_backup(repository, "one")
    assert repository.backup("one").hold


@pytest.mark.parametrize(
    ("verb", "prefix"),
    [
        (clean_up, MANIFESTS),
        (clean_up, BLOBS),
        (lambda repository: delete_backup(repository, "one"), MANIFESTS),
    ],
)
def test_who_deletes_and_gets_no_answer_keeps_others_away_until_it_is_over(
    repository: Repository,
    store: Stopping,
    clock: FakeClock,
    verb: Callable[[Repository], None],
    prefix: str,
) -> None:
    for name in ("one", "two"):
        create_backup(repository, FakeDumper(noise(len(name))), name=name)
        clock.advance(timedelta(days=40))

    def fail() -> None:
        raise StoreUnavailable("no answer")

    store.stop("delete", prefix, fail)
    with pytest.raises(StoreUnavailable):
        verb(repository)
    with pytest.raises(Busy):
        clean_up(repository)
    clock.advance(GONE)
    clean_up(repository)
