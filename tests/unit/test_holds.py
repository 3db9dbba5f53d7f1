"""Holds: what somebody holds stays, until a date or until it is released."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DAY, NOON, FakeClock, FakeDumper, make_repository

from brownie_backup import (
    Hold,
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    release_backup,
)
from brownie_backup.errors import (
    BackupNotFound,
    Busy,
    ConfigurationError,
    DamagedError,
    DeletionRefused,
    StoreUnavailable,
)
from brownie_backup.format.layout import HOLDS, LEASES, hold_key, manifest_key
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import BackupHint
from brownie_backup.operations.sync import sync_backups
from brownie_backup.protocols import ObjectUse, StoredObject
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

LAST_ONE = RetentionPolicy(None, keep_last=1)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    """Return a repository with backups `b0`, `b1` and `b2`, the newest."""
    repository = make_repository(clock=clock)
    for number in range(3):
        create_backup(repository, FakeDumper(), name=f"b{number}")
        clock.advance(timedelta(minutes=1))
    return repository


def names(repository: Repository) -> set[str]:
    return {backup.name for backup in list_backups(repository)}


def held(repository: Repository) -> dict[str, datetime | None]:
    return {b.name: b.hold.until for b in list_backups(repository) if b.hold}


def clean_up(repository: Repository) -> None:
    apply_retention(repository, LAST_ONE, database=None)


def test_what_is_held_stays_and_what_is_released_goes(repository: Repository) -> None:
    hold = hold_backup(repository, "b0")
    assert (hold.backup, hold.until) == ("b0", None)
    assert hold.by
    assert held(repository) == {"b0": None}
    clean_up(repository)
    assert names(repository) == {"b0", "b2"}
    assert release_backup(repository, "b0")
    assert not release_backup(repository, "b0")
    assert held(repository) == {}
    clean_up(repository)
    assert names(repository) == {"b2"}
    assert list(repository.store.list(LEASES)) == []


def test_a_hold_ends_at_its_date(repository: Repository, clock: FakeClock) -> None:
    until = clock.now + DAY
    hold_backup(repository, "b0", until=until)
    assert held(repository) == {"b0": until}
    clock.now = until - timedelta(seconds=1)
    clean_up(repository)
    assert names(repository) == {"b0", "b2"}
    clock.now = until
    assert held(repository) == {}
    clean_up(repository)
    assert names(repository) == {"b2"}
    assert list(repository.store.list(HOLDS)) == []


def test_a_later_hold_takes_the_place_of_an_earlier_one(repository: Repository) -> None:
    hold_backup(repository, "b0", until=NOON + DAY)
    hold_backup(repository, "b0")
    assert held(repository) == {"b0": None}
    hold_backup(repository, "b0", until=NOON + 2 * DAY)
    assert held(repository) == {"b0": NOON + 2 * DAY}


@pytest.mark.parametrize("until", [NOON - DAY, NOON])
def test_a_hold_that_would_be_over_is_refused(
    repository: Repository, clock: FakeClock, until: datetime
) -> None:
    clock.now = NOON
    with pytest.raises(ConfigurationError, match="would be over already"):
        hold_backup(repository, "b0", until=until)
    assert held(repository) == {}


def test_latest_is_the_newest_good_one(repository: Repository) -> None:
    assert hold_backup(repository, "latest").backup == "b2"


@pytest.mark.parametrize("name", ["b", "b9", "", "../repository", "manifests/b0"])
def test_only_what_exists_is_held_or_released(repository: Repository, name: str) -> None:
    with pytest.raises(BackupNotFound):
        hold_backup(repository, name)
    with pytest.raises(BackupNotFound):
        release_backup(repository, name)
    assert list(repository.store.list(HOLDS)) == []


def test_a_backup_without_a_manifest_that_reads_is_not_held(repository: Repository) -> None:
    repository.store.put(manifest_key("b0"), b"{")
    with pytest.raises(DamagedError):
        hold_backup(repository, "b0")
    with pytest.raises(BackupNotFound):
        hold_backup(repository, "b9")


# --- deletion by name ----------------------------------------------------------------------------


def test_what_is_held_is_not_deleted_by_name_either(
    repository: Repository, clock: FakeClock
) -> None:
    hold_backup(repository, "b0", until=clock.now + DAY)
    with pytest.raises(DeletionRefused) as caught:
        delete_backup(repository, "b0")
    assert "held until" in caught.value.message
    assert caught.value.hint == BackupHint.RELEASE_FIRST(name="b0")
    assert names(repository) == {"b0", "b1", "b2"}
    clock.advance(DAY)
    delete_backup(repository, "b0")
    assert names(repository) == {"b1", "b2"}


def test_a_clock_that_is_ahead_does_not_end_a_hold(
    repository: Repository, clock: FakeClock
) -> None:
    hold_backup(repository, "b0", until=clock.now + DAY)
    ahead = make_repository(repository.store, clock=FakeClock(clock.now + 9 * DAY))
    with pytest.raises(DeletionRefused):
        delete_backup(ahead, "b0")


def test_a_hold_that_cannot_be_read_counts(repository: Repository) -> None:
    hold_backup(repository, "b0", until=NOON + DAY)
    repository.store.put(hold_key("b0"), b"{")
    assert held(repository) == {"b0": None}
    with pytest.raises(DeletionRefused, match="cannot be read"):
        delete_backup(repository, "b0")
    clean_up(repository)
    assert "b0" in names(repository)
    assert release_backup(repository, "b0")
    delete_backup(repository, "b0")


def test_a_hold_under_another_name_than_its_own_counts_as_unreadable(
    repository: Repository,
) -> None:
    hold_backup(repository, "b0", until=NOON + DAY)
    repository.store.put(hold_key("b1"), repository.store.get(hold_key("b0")))
    assert held(repository) == {"b0": NOON + DAY, "b1": None}


def test_a_hold_is_of_one_backup_not_of_its_name(repository: Repository) -> None:
    hold_backup(repository, "b0")
    repository.store.delete(manifest_key("b0"))  # as another tool would
    create_backup(repository, FakeDumper(), name="b0")
    assert held(repository) == {}
    delete_backup(repository, "b0")


def test_a_backup_whose_manifest_is_damaged_stays_held(repository: Repository) -> None:
    hold_backup(repository, "b0")
    repository.store.put(manifest_key("b0"), b"{")
    with pytest.raises(DeletionRefused):
        delete_backup(repository, "b0")
    release_backup(repository, "b0")
    delete_backup(repository, "b0")
    assert names(repository) == {"b1", "b2"}


def test_a_hold_of_a_backup_that_is_gone_can_be_released(repository: Repository) -> None:
    hold_backup(repository, "b0")
    repository.store.delete(manifest_key("b0"))
    assert release_backup(repository, "b0")
    assert list(repository.store.list(HOLDS)) == []


# --- at the same time ----------------------------------------------------------------------------


def test_nothing_is_held_or_released_while_a_cleanup_runs(repository: Repository) -> None:
    hold_backup(repository, "b1")
    with repository.exclusive_lease("cleanup"):
        with pytest.raises(Busy):
            hold_backup(repository, "b0")
        with pytest.raises(Busy):
            release_backup(repository, "b1")
    assert held(repository) == {"b1": None}


@pytest.mark.parametrize("earlier", [True, False])
def test_whichever_call_fails_a_hold_is_there_or_not_and_an_earlier_one_stays(
    *, earlier: bool
) -> None:
    position = 0
    while True:
        position += 1
        clock = FakeClock()
        inner = MemoryStore(clock)
        repository = make_repository(inner, clock=clock)
        create_backup(repository, FakeDumper(), name="b0")
        before: dict[str, datetime | None] = {"b0": NOON + 9 * DAY} if earlier else {}
        if earlier:
            hold_backup(repository, "b0", until=NOON + 9 * DAY)
        faulty = FaultyStore(inner, fail_at=position)
        failed = False
        try:
            hold_backup(make_repository(faulty, clock=clock), "b0")
        except StoreUnavailable:
            failed = True
        assert held(repository) == (before if failed else {"b0": None})
        if not faulty.failed:
            break
    assert position > 8


class Interrupted(MemoryStore):
    """A store that does something right after a call, as another client may."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.after: dict[tuple[str, str], tuple[threading.Event, threading.Event]] = {}

    def interrupt(self, method: str, prefix: str) -> tuple[threading.Event, threading.Event]:
        """Let the next such call of any thread stop after it took effect; return: at it, go on."""
        events = threading.Event(), threading.Event()
        self.after[method, prefix] = events
        return events

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store, then stop if told to."""
        super().put(key, data, if_absent=if_absent, use=use)
        self._stop("put", key)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Read, then stop if told to."""
        data = super().get(key, most_bytes)
        self._stop("get", key)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List, then stop if told to."""
        found = tuple(super().list(prefix))
        self._stop("list", prefix)
        yield from found

    def _stop(self, method: str, key: str) -> None:
        for (wanted, prefix), (reached, go_on) in tuple(self.after.items()):
            if method == wanted and key.startswith(prefix):
                del self.after[wanted, prefix]
                reached.set()
                assert go_on.wait(20)


@pytest.mark.parametrize("seconds", [-1, 1])
@pytest.mark.parametrize(
    ("method", "prefix"),
    [("put", LEASES), ("list", LEASES), ("get", manifest_key("b0")), ("list", HOLDS)],
)
def test_a_deletion_and_a_hold_at_once_never_both_succeed(
    method: str, prefix: str, seconds: int
) -> None:
    """Whichever of the two leases counts as the earlier one."""
    clock = FakeClock()
    store = Interrupted(clock)
    repository = make_repository(store, clock=clock)
    create_backup(repository, FakeDumper(), name="b0")
    reached, go_on = store.interrupt(method, prefix)
    errors: list[Exception] = []

    def delete() -> None:
        try:
            delete_backup(repository, "b0")
        except (Busy, DeletionRefused) as error:
            errors.append(error)

    thread = threading.Thread(target=delete)
    thread.start()
    assert reached.wait(20)  # the deletion is somewhere in its middle
    holder = make_repository(store, clock=FakeClock(clock.now + timedelta(seconds=seconds)))
    try:
        hold_backup(holder, "b0")
    except (Busy, BackupNotFound) as error:
        errors.append(error)
    go_on.set()
    thread.join(20)
    assert not thread.is_alive()
    assert errors
    if not any(isinstance(error, Busy | BackupNotFound) for error in errors):
        assert held(repository) == {"b0": None}
    assert list(store.list(LEASES)) == []


# --- several stores ------------------------------------------------------------------------------


def test_a_copy_of_a_held_backup_is_held_too(repository: Repository, clock: FakeClock) -> None:
    hold_backup(repository, "b0", until=NOON + 9 * DAY)
    copy = make_repository(clock=clock)
    for _ in range(2):
        sync_backups([repository, copy], policies=[RetentionPolicy(), LAST_ONE])
        clean_up(copy)
        assert names(copy) == {"b0", "b2"}
    assert held(copy) == {"b0": NOON + 9 * DAY}


def test_a_hold_reads_for_people(repository: Repository, clock: FakeClock) -> None:
    hold = Hold("b0", "id", NOON, "ada on host")
    assert str(hold) == "held, by ada on host"
    assert str(evolve(hold, until=NOON)) == "held until 2026-03-01 12:00:00 UTC, by ada on host"
