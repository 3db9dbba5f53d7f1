"""One bad object costs that object: every verb goes on with the others, and none hangs or crashes.

By default 60 changed objects are tried, in some seconds of processor time. With
``BROWNIE_TEST_OBJECTS``, as many others as it says; ``BROWNIE_TEST_SEED`` repeats them.
"""

import contextlib
import json
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from attrs import frozen
from tests.unit.backups import KEEP_30
from tests.unit.fakes import FakeClock, FakeDumper, make_repository
from tests.unit.hostile import changed

from brownie_backup import (
    Repository,
    apply_retention,
    create_backup,
    hold_backup,
    list_backups,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.audit.auditor import Auditor
from brownie_backup.audit.operation import Actor
from brownie_backup.audit.query import prove_audit
from brownie_backup.audit.reader import RecordCache, read_trail
from brownie_backup.errors import BackupError
from brownie_backup.format.layout import BLOBS, LEASES, MANIFESTS, blob_key
from brownie_backup.hints import LIBRARY
from brownie_backup.operations.status import report_status
from brownie_backup.repository.coordination.leadership import Leadership
from brownie_backup.repository.coordination.leases import hold
from brownie_backup.repository.coordination.operations import OperationLog, OperationRecord
from brownie_backup.schedule import Schedule
from brownie_backup.service.documents import backup_document, status_document
from brownie_backup.stores import MemoryStore
from brownie_backup.wording import as_unicode

CASES = int(os.environ.get("BROWNIE_TEST_OBJECTS") or 60)
SEED = int(
    os.environ.get("BROWNIE_TEST_SEED")
    or (random.SystemRandom().randrange(1 << 32) if "BROWNIE_TEST_OBJECTS" in os.environ else 0)
)
MOST_MEMORY = 300 << 20
GOOD, BAD = "good", "bad"

pytestmark = pytest.mark.usefixtures("_small_blobs")


@frozen
class Stored:
    """A store's objects, of all kinds."""

    objects: dict[str, bytes]
    clock: FakeClock

    def repository(self) -> Repository:
        """Return a repository of its own, with copies of all objects."""
        store = MemoryStore(self.clock)
        for key, data in self.objects.items():
            store.put(key, data)
        return make_repository(store, clock=self.clock)


@pytest.fixture
def stored(clock: FakeClock, request: pytest.FixtureRequest) -> Stored:
    request.getfixturevalue("_small_blobs")
    store = MemoryStore(clock)
    repository = make_repository(store, clock=clock)
    create_backup(repository, FakeDumper(), name=GOOD)
    clock.advance(timedelta(hours=1))
    other = FakeDumper({"inventory": b"{}" * 600, "archive": bytes(range(256)) * 10})
    create_backup(repository, other, name=BAD)
    verify_backup(repository, other, BAD)
    hold_backup(repository, BAD)
    with Auditor().operation([store], "backup", Actor("ann", "tests")):
        pass
    log = OperationLog(store, clock)
    record = OperationRecord("one", "backup", "ann", clock(), clock(), database="shop")
    log.claim(log.enter(record))
    log.ask_to_cancel("one", "ann")
    Leadership(store, "runner", elapsed=lambda: 0.0).look()
    with hold(store, "a backup", clock=clock, identifier="ab" * 8):
        objects = {found.key: store.get(found.key) for found in store.list("")}
    return Stored(objects, clock)


def verbs(repository: Repository) -> Iterator[Callable[[], object]]:
    """Yield what is done with the store, in order."""
    store, clock = repository.store, repository.clock
    log = OperationLog(store, clock)
    schedule = Schedule("@daily", "UTC")

    def status() -> None:
        report = report_status([repository], schedule, clock(), policies=[KEEP_30])
        printed(status_document(report, LIBRARY))

    def listing() -> None:
        printed([backup_document(each) for each in list_backups(repository)])

    yield listing
    yield status
    yield lambda: read_trail(store, clock(), remembered=RecordCache())
    yield lambda: prove_audit(store, clock())
    yield lambda: log.recent(10)
    yield lambda: log.get("one")
    yield lambda: log.asked_to_cancel("one")
    yield lambda: log.claim(
        OperationRecord("two", "backup", "b", clock(), clock(), database="shop")
    )
    yield lambda: Leadership(store, "runner", elapsed=lambda: 0.0).look()
    yield lambda: verify_backup(repository, FakeDumper(), BAD)
    yield lambda: restore(repository, FakeDumper(), BAD)
    yield lambda: sync_backups([repository, make_repository(clock=clock)])
    yield lambda: apply_retention(repository, KEEP_30, database=None, dry_run=True)
    yield lambda: create_backup(repository, FakeDumper())
    yield lambda: apply_retention(repository, KEEP_30, database=None)


def printed(document: object) -> None:
    """Write a document as the interfaces do."""
    as_unicode(json.dumps(document, allow_nan=False, ensure_ascii=False)).encode()


def is_of_good(key: str, good: frozenset[str]) -> bool:
    return key == f"{MANIFESTS}{GOOD}.json" or (key.startswith(BLOBS) and key in good)


def test_one_bad_object_costs_that_object(stored: Stored) -> None:
    manifest = stored.repository().backup(GOOD).manifest
    assert manifest
    good = frozenset(blob_key(blob.name) for blob in manifest.blobs)
    keys = sorted(key for key in stored.objects if not is_of_good(key, good))
    folders = sorted({key.partition("/")[0] for key in keys})
    tracemalloc.start()
    try:
        for case in range(CASES):
            by = random.Random(f"{SEED}-{case}")  # noqa: S311 - can be repeated
            folder = by.choice(folders)
            key = by.choice([key for key in keys if key.startswith(folder)])
            repository = stored.repository()
            new_key, data = changed(key, stored.objects[key], by)
            repository.store.delete(key)
            repository.store.put(new_key, data)
            what = f"BROWNIE_TEST_SEED={SEED}, case {case}: {new_key} = {data[:300]!r}"
            check(repository, what)
            _, peak = tracemalloc.get_traced_memory()
            assert peak < MOST_MEMORY, what
    finally:
        tracemalloc.stop()


def check(repository: Repository, what: str) -> None:
    """Do everything, and see that the good backup comes through it."""
    for number, verb in enumerate(verbs(repository)):
        try:
            with contextlib.suppress(BackupError):
                verb()
        except Exception as error:
            msg = f"{what}: verb {number}"
            raise AssertionError(msg) from error
    listed = {backup.name: backup for backup in list_backups(repository)}
    assert listed[GOOD].good, what
    for found in tuple(repository.store.list(LEASES)):  # one may exclude others for its lifetime
        repository.store.delete(found.key)
    assert verify_backup(repository, FakeDumper(), GOOD).good, what
    server = FakeDumper()
    restore(repository, server, GOOD)
    assert server.databases == {"shop": server.content}, what
