"""What the store knows of the last runs."""

from contextlib import suppress
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import NOON, FakeClock, FakeDumper, make_repository

from brownie_backup import Repository, create_backup, verify_backup
from brownie_backup.audit.auditor import Auditor
from brownie_backup.audit.operation import Actor
from brownie_backup.errors import BackupError, Busy, DeletionRefused, DumpFailed, StoreUnavailable
from brownie_backup.operations.history import History, read_history
from brownie_backup.testing import FaultyStore

HOUR = timedelta(hours=1)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    return make_repository(clock=clock)


def fail_a_backup(repository: Repository) -> None:
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(fail_after=100))


def clean_up(repository: Repository, error: BackupError | None = None) -> None:
    """Leave the traces of a cleanup."""
    operation = Auditor().operation([repository.store], "cleanup", Actor("scheduler", "tests"))
    with suppress(BackupError), operation as running:
        running.database = "shop"
        if error:
            raise error


def test_of_an_empty_store_nothing_is_known(repository: Repository) -> None:
    assert read_history([repository], "shop") == History()
    assert read_history([repository], None) == History()


def test_a_good_backup_is_a_success(repository: Repository, clock: FakeClock) -> None:
    create_backup(repository, FakeDumper(), name="first")
    clock.advance(HOUR)
    found = read_history([repository], "shop")
    assert found.last_success_at == NOON
    assert found.last_good is not None
    assert (found.last_good.name, found.backup_failed) == ("first", False)
    assert read_history([repository], None).last_success_at == NOON
    assert read_history([repository], "other") == History()


def test_a_failure_is_known_until_the_next_success(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper())
    clock.advance(HOUR)
    fail_a_backup(repository)
    found = read_history([repository], "shop")
    assert found.backup_failed
    assert found.attempt is not None
    assert (found.attempt.started_at, found.last_success_at) == (NOON + HOUR, NOON)
    clock.advance(HOUR)
    create_backup(repository, FakeDumper())
    assert not read_history([repository], "shop").backup_failed


def test_damage_that_a_verification_found_is_known(
    repository: Repository, clock: FakeClock
) -> None:
    create_backup(repository, FakeDumper(), name="first")
    verify_backup(repository, FakeDumper(), "first")
    found = read_history([repository], "shop")
    assert (found.last_verified_at, found.verification_failed) == (NOON, False)
    for stored in list(repository.store.list("blobs/")):
        repository.store.put(stored.key, b"?")
    clock.advance(HOUR)
    verify_backup(repository, FakeDumper(), "first")
    assert read_history([repository], "shop").verification_failed


def test_a_cleanup_that_failed_is_known_until_one_succeeds(repository: Repository) -> None:
    create_backup(repository, FakeDumper())
    clean_up(repository)
    assert not read_history([repository], "shop").retention_failed
    clean_up(repository, DeletionRefused("too many"))
    clean_up(repository, Busy("a backup is running"))  # it was only put off
    assert read_history([repository], "shop").retention_failed
    assert not read_history([repository], "other").retention_failed
    clean_up(repository)
    assert not read_history([repository], "shop").retention_failed


def test_a_copy_answers_for_a_store_that_is_gone(repository: Repository) -> None:
    create_backup(repository, FakeDumper())
    gone = evolve(repository, store=FaultyStore(repository.store, fail_at=1))
    assert read_history([gone, repository], "shop").last_success_at == NOON
    gone = evolve(repository, store=FaultyStore(repository.store, fail_at=1))
    with pytest.raises(StoreUnavailable):
        read_history([gone], "shop")
