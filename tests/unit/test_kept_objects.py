"""Stores that keep what is stored: a retention policy, an immutable container, a WORM folder."""
# ruff: noqa: D102 - the methods are those of the protocol

import contextlib
import logging
from collections.abc import Iterator

import pytest
from tests.unit.fakes import DAY, FakeClock, FakeDumper, make_repository, noise
from tests.unit.test_leadership import PAUSE, Seconds, candidate

from brownie_backup import (
    Level,
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    diagnose,
    list_backups,
    restore,
    verify_backup,
)
from brownie_backup.errors import AccessDenied, ObjectLocked
from brownie_backup.format.layout import MANIFESTS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import ObjectUse, StoredObject
from brownie_backup.repository.coordination.leadership import LOOKS
from brownie_backup.stores import MemoryStore


class KeepingStore:
    """Refuses to replace objects, to delete them, or both."""

    def __init__(self, inner: MemoryStore, *, replaces: bool = False, deletes: bool = True) -> None:
        self.url = inner.url
        self.inner = inner
        self.replaces = replaces
        self.deletes = deletes

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        if not (self.replaces or if_absent) and any(f.key == key for f in self.inner.list(key)):
            raise AccessDenied(f"'{key}' is under a retention policy", hint=StoreHint.S3_RIGHTS)
        self.inner.put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        return self.inner.get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        if not self.deletes:
            raise ObjectLocked(f"'{key}' is kept for 30 days", hint=StoreHint.LOCKED_OR_HELD)
        self.inner.delete(key)


def refused(repository: Repository, name: str) -> ObjectLocked:
    with pytest.raises(ObjectLocked, match="does not let objects be replaced") as caught:
        create_backup(repository, FakeDumper(), name=name)
    assert caught.value.hint is not None
    assert caught.value.hint.code is StoreHint.REPLACING_REFUSED
    return caught.value


@pytest.mark.parametrize("deletes", [True, False])
def test_the_first_backup_into_a_store_that_replaces_nothing_is_refused(*, deletes: bool) -> None:
    store = KeepingStore(MemoryStore(FakeClock()), deletes=deletes)
    error = refused(make_repository(store), "first")
    assert "under a retention policy" in error.message
    assert not list(store.list(MANIFESTS))
    assert not list(store.list("blobs/"))


def test_a_policy_that_came_later_refuses_further_backups_and_nothing_that_reads() -> None:
    clock = FakeClock()
    store = KeepingStore(MemoryStore(clock), replaces=True)
    repository, dumper = make_repository(store, clock=clock), FakeDumper()
    create_backup(repository, dumper, name="first")
    assert not verify_backup(repository, dumper, "first").warnings
    store.replaces = store.deletes = False
    refused(repository, "second")
    assert [(backup.name, backup.good) for backup in list_backups(repository)] == [("first", True)]
    again = verify_backup(repository, dumper, "first")
    assert again.good
    restore(repository, dumper, "first", target_database="copy")
    assert dumper.databases["copy"]


def test_an_outcome_that_cannot_be_recorded_is_said(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    store = KeepingStore(MemoryStore(clock), replaces=True)
    repository, dumper = make_repository(store, clock=clock), FakeDumper()
    create_backup(repository, dumper, name="first")
    verify_backup(repository, dumper, "first")
    clock.advance(DAY)
    store.replaces = store.deletes = False
    (warning,) = verify_backup(repository, dumper, "first").warnings
    assert warning.startswith("the outcome is not recorded: ")
    assert "no cleanup can start until it expires" in caplog.text


def test_a_store_that_deletes_nothing_takes_backups_and_says_what_does_not_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    store = KeepingStore(MemoryStore(clock), replaces=True, deletes=False)
    repository = make_repository(store, clock=clock)
    for number in range(2):
        create_backup(repository, FakeDumper(noise(number)), name=f"number-{number}")
        clock.advance(30 * DAY)
    warned = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == len(list_backups(repository)) == 2
    assert "is kept for 30 days" in warned[0]
    report = apply_retention(repository, RetentionPolicy(keep_within=DAY), database=None)
    assert report.deleted == ()
    assert len(list_backups(repository)) == 2


@pytest.mark.parametrize("deletes", [True, False])
def test_one_of_two_runners_leads_though_no_term_can_be_renewed(*, deletes: bool) -> None:
    store, seconds = KeepingStore(MemoryStore(), deletes=deletes), Seconds()
    both = candidate(store, seconds), candidate(store, seconds)
    led = 0
    for _ in range(8 * LOOKS):
        for each in both:
            with contextlib.suppress(AccessDenied):
                each.look()
        assert sum(each.leads for each in both) <= 1
        led += any(each.leads for each in both)
        seconds.now += PAUSE
    assert led > 4 * LOOKS


@pytest.mark.parametrize(
    ("replaces", "deletes", "said"),
    [
        (False, True, ["does not let objects be replaced"]),
        (True, False, ["does not let objects be deleted"]),
        (False, False, ["does not let objects be replaced", "does not let objects be deleted"]),
    ],
)
def test_the_doctor_finds_it(*, replaces: bool, deletes: bool, said: list[str]) -> None:
    store = KeepingStore(MemoryStore(FakeClock()), replaces=replaces, deletes=deletes)
    errors = [
        finding.message
        for finding in diagnose(make_repository(store), FakeDumper())
        if finding.level is Level.ERROR
    ]
    assert [text for text in said if any(text in error for error in errors)] == said
    assert len(errors) == len(said)
