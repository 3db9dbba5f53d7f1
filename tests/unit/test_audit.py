"""The audit trail: what is written, and that each kind of tampering is found."""
# ruff: noqa: D102 - the methods are those of the protocol

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import FakeClock, make_repository
from tests.unit.several import NamedStore, Wrapper

from brownie_backup import Repository
from brownie_backup.audit import query
from brownie_backup.audit.auditor import MOST_REFUSALS, Auditor
from brownie_backup.audit.operation import Actor
from brownie_backup.audit.proof import AuditProof
from brownie_backup.audit.record import AuditRecord, Outcome, id_in
from brownie_backup.audit.writer import AuditWriter
from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    Busy,
    DamagedError,
    LeaseLost,
    RestoreFailed,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.layout import AUDIT
from brownie_backup.protocols import ObjectUse, Store
from brownie_backup.stores import MemoryStore

WHO = Actor("alice", "test here")
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


T = TypeVar("T", bound=Store)


def read_audit(
    repository: Repository, since: datetime | None = None, *, limit: int | None = None
) -> tuple[AuditRecord, ...]:
    """Read the trail of the repository's store, by the repository's clock."""
    return query.read_audit(repository.store, repository.clock(), since, limit=limit)


def prove_audit(repository: Repository, since: datetime | None = None) -> AuditProof:
    """Prove the trail of the repository's store, by the repository's clock."""
    return query.prove_audit(repository.store, repository.clock(), since)


class Refusing(Wrapper):
    """A store that takes no records, until it does."""

    error: BackupError | None = AccessDenied("no right to write there")

    def before(self, method: str, key: str) -> None:
        if method == "put" and self.error:
            raise self.error


def in_use(store: T) -> T:
    """Make it a repository's: elsewhere no trail is begun."""
    make_repository(store).identity()
    return store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MONDAY)


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return in_use(MemoryStore(clock))


@pytest.fixture
def repository(store: MemoryStore, clock: FakeClock) -> Repository:
    return make_repository(store, clock=clock)


@pytest.fixture
def run(store: MemoryStore, clock: FakeClock) -> Callable[..., None]:
    """Run an operation as a process of its own, which takes a minute."""

    def run(action: str = "verify", auditor: Auditor | None = None) -> None:
        auditor = auditor or Auditor(AuditWriter(clock))
        with auditor.operation([store], action, WHO, backup="one"):
            clock.advance(timedelta(minutes=1))
        clock.advance(timedelta(minutes=1))

    return run


def keys(store: MemoryStore) -> list[str]:
    """Return the keys of the records, in the order in which they were put."""
    found = ((json.loads(store.get(f.key))["recorded_at"], f.key) for f in store.list(AUDIT))
    return [key for _, key in sorted(found)]


def problems(repository: Repository, since: datetime | None = None) -> dict[str, str]:
    return {each.key: each.message for each in prove_audit(repository, since).problems}


def test_an_operation_has_two_records(repository: Repository, store: MemoryStore) -> None:
    with Auditor().operation([store], "restore", WHO, backup="one", dry_run=True) as operation:
        operation.database = "shop"
        operation.size_bytes = 12
    begin, end = read_audit(repository)
    assert (begin.phase, end.phase) == ("begin", "end")
    assert begin.operation == end.operation == operation.id
    assert (end.actor, end.origin, end.action) == ("alice", "test here", "restore")
    assert (end.backup, end.database, end.size_bytes) == ("one", "shop", 12)
    assert end.dry_run
    assert begin.outcome is None
    assert end.outcome == Outcome.SUCCESS
    assert end.duration_seconds is not None
    assert end.host


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (Busy("somebody else is at work"), Outcome.REFUSED, "somebody else is at work"),
        (LeaseLost("the lease was lost"), Outcome.FAILURE, "the lease was lost"),
        (StoreUnavailable("no answer"), Outcome.FAILURE, "no answer"),
        (RestoreFailed("Key (mail)=(a@b.c) exists"), Outcome.FAILURE, None),
        (ValueError("a defect, with a value"), Outcome.FAILURE, None),
        (KeyboardInterrupt(), Outcome.FAILURE, None),
    ],
)
def test_how_it_ended(
    repository: Repository, error: BaseException, outcome: Outcome, message: str | None
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)), Auditor().operation([repository.store], "backup", WHO):
        fail()
    _, end = read_audit(repository)
    assert (end.outcome, end.error_type) == (outcome, type(error).__name__)
    assert end.error == message


def test_what_came_to_its_end_may_be_a_failure(repository: Repository) -> None:
    with Auditor().operation([repository.store], "verify", WHO) as operation:
        operation.problem = DamagedError("stored data is damaged")
    assert read_audit(repository)[-1].outcome == Outcome.FAILURE


def test_secrets_that_are_no_names_are_not_recorded(
    repository: Repository, store: MemoryStore
) -> None:
    planted = "pl4nted s3cret"
    auditor = Auditor()
    with (
        pytest.raises(StoreError),
        auditor.operation([store], "backup", WHO, backup=planted),
    ):
        raise StoreError(f"postgres://me:{'pl4nted'}@host password='{planted}'")
    assert len(read_audit(repository)) == 2
    assert not [key for key in keys(store) if b"pl4nted" in store.get(key)]


def test_a_secret_of_the_settings_is_not_recorded(store: MemoryStore) -> None:
    secret = "correct-horse"
    auditor = Auditor(redact=lambda text: text.replace(secret, "***"))
    auditor.refuse(
        lambda: [store], "delete", evolve(WHO, name=f"not {secret}"), secret, backup=secret
    )
    with auditor.operation([store], "backup", WHO, backup=secret) as operation:
        operation.database = secret
    assert len(keys(store)) == 3
    assert not [key for key in keys(store) if secret.encode() in store.get(key)]


def test_one_that_died_has_no_end(repository: Repository, store: MemoryStore) -> None:
    running = Auditor().operation([store], "backup", WHO)
    running.__enter__()
    (begin,) = read_audit(repository)
    assert begin.phase == "begin"


def test_refused_attempts_are_recorded_but_not_any_number(
    repository: Repository, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = Auditor()
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    for _ in range(MOST_REFUSALS + 5):
        auditor.refuse(lambda: [store], "delete", WHO, "wrong token", backup="one")
    now += 61
    auditor.refuse(lambda: [store], "delete", WHO, "wrong token")
    records = read_audit(repository)
    assert len(records) == MOST_REFUSALS + 1
    assert {(r.phase, r.outcome, r.error) for r in records} == {("end", "refused", "wrong token")}
    assert [record.unrecorded for record in records] == [0] * MOST_REFUSALS + [5]


def test_a_trail_as_it_was_written_is_good(
    run: Callable[..., None], repository: Repository, clock: FakeClock
) -> None:
    long = Auditor(AuditWriter(clock))
    for _ in range(3):
        run(auditor=long)
        run()
        clock.advance(timedelta(hours=11))
    proof = prove_audit(repository)
    assert proof.good
    assert proof.records == 12


def test_a_changed_record_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    key = keys(store)[0]
    store.put(key, store.get(key).replace(b"alice", b"mallo"))
    assert "it was changed" in problems(repository)[key]


def test_a_record_that_is_changed_with_its_key_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    key = keys(store)[0]
    forged = store.get(key).replace(b"alice", b"mallo")
    store.delete(key)
    other = f"{key[:-69]}{hashlib.sha256(forged).hexdigest()}.json"
    store.put(other, forged)
    assert "it was removed" in problems(repository)[key]


@pytest.mark.parametrize("number", range(6))
def test_a_removed_record_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore, number: int
) -> None:
    """In the middle of a chain, at its beginning, and at its end: by those that saw it."""
    for _ in range(4):
        run()
    key = keys(store)[number]
    store.delete(key)
    assert list(problems(repository)) == [key]


def test_a_removed_chain_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    for _ in range(3):
        run()
    *_, writer = keys(store)[2].split("/")[:-1]
    for key in keys(store):
        if writer in key:
            store.delete(key)
    assert all("removed" in message for message in problems(repository).values())
    assert len(problems(repository)) == 1


def test_a_removed_chain_is_found_after_years_of_silence(
    run: Callable[..., None], repository: Repository, store: MemoryStore, clock: FakeClock
) -> None:
    run()
    clock.advance(timedelta(days=900))
    run()
    assert not problems(repository)
    for key in keys(store)[:2]:
        store.delete(key)
    assert problems(repository)


def test_what_was_cut_off_at_the_very_end_is_found_when_somebody_goes_on(
    run: Callable[..., None], repository: Repository, store: MemoryStore, clock: FakeClock
) -> None:
    long = Auditor(AuditWriter(clock))
    run(auditor=long)
    run(auditor=long)
    store.delete(keys(store)[-1])
    assert not problems(repository)  # nobody knows: docs/explanation/audit.md
    run(auditor=long)
    assert len(problems(repository)) == 1


def test_reordered_records_are_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    one, two = keys(store)
    first, second = store.get(one), store.get(two)
    store.put(one, second)
    store.put(two, first)
    assert set(problems(repository)) == {one, two}


def test_records_with_each_others_numbers_are_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    one, two = keys(store)
    for key, number in ((one, 2), (two, 1)):
        data = store.get(key)
        store.delete(key)
        store.put(key.replace(f"/{3 - number:012}-", f"/{number:012}-"), data)
    found = problems(repository)
    assert "it is not a record of that day, writer and number" in found.values()


def test_a_record_in_another_folder_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    key = keys(store)[-1]
    store.put(key.replace("2026-11-23", "2026-11-22"), store.get(key))
    assert len(problems(repository)) == 1


@pytest.mark.parametrize("key", [f"{AUDIT}note.txt", f"{AUDIT}2026-13-45/x.json", f"{AUDIT}a/b/c"])
def test_foreign_objects_are_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore, key: str
) -> None:
    run()
    store.put(key, b"{}")
    assert list(problems(repository)) == [key]
    assert len(read_audit(repository)) == 2


def test_an_invented_record_of_a_writer_is_found(
    run: Callable[..., None], repository: Repository, store: MemoryStore
) -> None:
    run()
    key = keys(store)[-1]
    for change in ({"previous": None}, {"actor": "mallory"}, {"seen": ["nothing"]}):
        data = json.dumps(json.loads(store.get(key)) | change).encode()
        store.put(f"{key[:-69]}{hashlib.sha256(data).hexdigest()}.json", data)
    assert len(problems(repository)) >= 3  # and which of two with one number was first


@given(st.integers(0, 1), st.integers(0, 9_999), st.integers(1, 255))
def test_any_change_of_any_byte_is_found(number: int, at: int, change: int) -> None:
    store = MemoryStore(FakeClock(MONDAY))
    with Auditor().operation([store], "backup", WHO):
        pass
    key = keys(store)[number]
    content = bytearray(store.get(key))
    content[at % len(content)] ^= change
    store.put(key, bytes(content))
    assert key in problems(make_repository(store))


def test_since_looks_at_those_days_alone(
    run: Callable[..., None], repository: Repository, store: MemoryStore, clock: FakeClock
) -> None:
    run()
    later = clock.now + timedelta(days=40)
    clock.now = later
    run()
    assert len(read_audit(repository, later)) == 2
    assert len(read_audit(repository, MONDAY)) == 4
    assert [r.phase for r in read_audit(repository, limit=3)] == ["end", "begin", "end"]
    for key in keys(store)[:2]:
        store.delete(key)
    assert not problems(repository, later)
    assert problems(repository)


def test_a_record_that_a_listing_missed_is_looked_for(
    run: Callable[..., None], store: MemoryStore
) -> None:
    class Hasty(Wrapper):
        """Lists only the last record, as if all others were put while it lists."""

        def list(self, prefix: str) -> Iterator:  # type: ignore[type-arg]
            last = keys(store)[-1]
            return (found for found in self.inner.list(prefix) if found.key == last)

    for _ in range(3):
        run()
    assert prove_audit(make_repository(Hasty(store))).good


def test_a_store_out_of_reach_gets_its_records_with_the_next(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    good, away = NamedStore("good", clock), Refusing(NamedStore("away", clock))
    auditor = Auditor(AuditWriter(clock))
    with auditor.operation([good, away], "backup", WHO):
        pass
    assert "backup is not yet in the audit trail of memory:away: no right to write" in caplog.text
    assert len(read_audit(make_repository(good))) == 2
    assert not read_audit(make_repository(away))
    away.error = None
    with auditor.operation([good, away], "verify", WHO):
        pass
    assert [r.action for r in read_audit(make_repository(away))] == ["backup"] * 2 + ["verify"] * 2
    assert prove_audit(make_repository(away)).good
    assert prove_audit(make_repository(good)).good


def test_an_answer_that_was_lost_makes_no_false_alarm(clock: FakeClock) -> None:
    class Lossy(Wrapper):
        """Takes what it is given, and says that it does not answer."""

        lossy = True

        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            self.inner.put(key, data, if_absent=if_absent, use=use)
            if self.lossy:
                raise StoreUnavailable("no answer")

    store = Lossy(MemoryStore(clock))
    auditor = Auditor(AuditWriter(clock))
    with auditor.operation([store], "backup", WHO):
        clock.advance(timedelta(seconds=1))
        store.lossy = False
    repository = make_repository(store)
    assert prove_audit(repository).good
    assert [r.phase for r in read_audit(repository)] == ["begin", "begin", "end"]


def test_a_store_that_hangs_keeps_nobody(clock: FakeClock) -> None:
    free = threading.Event()

    class Hanging(Wrapper):
        def before(self, method: str, key: str) -> None:
            free.wait()

    good, hanging = NamedStore("good", clock), Hanging(NamedStore("hanging", clock))
    trail = AuditWriter(clock, others_seconds=0.05)
    record = AuditRecord(clock(), "end", "id", "backup", "alice", "test", "here")
    assert list(trail.record([hanging, good], record)) == ["memory:hanging"]
    assert list(trail.record([hanging], record, within_seconds=0.05)) == ["memory:hanging"]
    free.set()
    assert not trail.record([hanging, good], record)
    assert len(read_audit(make_repository(hanging))) == 3


@pytest.mark.parametrize("action", ["restore", "delete", "verify", "hold"])
def test_a_wrong_destination_gets_no_trail(clock: FakeClock, action: str) -> None:
    store = MemoryStore(clock)
    with Auditor().operation([store], action, WHO):
        pass
    assert not [*store.list("")]
    with Auditor().operation([store], "backup", WHO):
        pass
    with Auditor().operation([store], action, WHO):
        pass
    assert len(keys(store)) == 4


def test_nothing_is_deleted_without_a_record(store: MemoryStore) -> None:
    refusing = Refusing(store)
    done = []
    with (
        pytest.raises(StoreError, match="nothing was done"),
        Auditor().operation([refusing], "delete", WHO, backup="one"),
    ):
        done.append("deleted")
    assert not done


@pytest.mark.parametrize("action", ["backup", "restore", "verify"])
def test_all_else_is_done_without_one(
    store: MemoryStore, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = []
    with Auditor().operation([Refusing(store)], action, WHO):
        done.append(action)
    assert done == [action]
    assert f"{action} is not yet in the audit trail of" in caplog.text


def test_many_threads_make_one_chain(store: MemoryStore, repository: Repository) -> None:
    auditor = Auditor()

    def work() -> None:
        for _ in range(5):
            with auditor.operation([store], "verify", WHO):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read_audit(repository)
    assert sorted(record.sequence for record in records) == list(range(1, 41))
    assert len({record.writer for record in records}) == 1
    assert prove_audit(repository).good


def test_each_record_is_logged(
    run: Callable[..., None], store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="brownie_backup.audit"):
        run()
    lines = [r.getMessage() for r in caplog.records if r.name.endswith(".audit")]
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["phase"] for line in told] == ["begin", "end"]
    assert told[1]["actor"] == "alice"
    # Elsewhere than in the store, so that whoever can change that can't change them too.
    assert [line.split()[1] for line in lines if line.startswith("record")] == [
        str(id_in(key)) for key in keys(store)
    ]


def test_few_requests_are_made(store: MemoryStore, run: Callable[..., None]) -> None:
    calls: list[str] = []

    class Counting(Wrapper):
        def before(self, method: str, key: str) -> None:
            calls.append(method)

    run()
    with Auditor(AuditWriter(lambda: MONDAY)).operation([Counting(store)], "verify", WHO):
        pass
    assert calls == ["list", "put"] * 2


def test_a_record_is_read_once(store: MemoryStore, run: Callable[..., None]) -> None:
    calls: list[str] = []

    class Counting(Wrapper):
        def before(self, method: str, key: str) -> None:
            calls.append(method)

    run()
    repository = make_repository(Counting(store))
    assert read_audit(repository) == read_audit(repository)
    assert calls.count("get") == 2


def test_a_record_of_a_newer_version_is_read(store: MemoryStore, run: Callable[..., None]) -> None:
    run()
    record = json.loads(store.get(keys(store)[-1])) | {"mood": "good", "format": 1}
    data = json.dumps(record | {"writer": "0" * 16, "sequence": 1, "previous": None}).encode()
    digest = hashlib.sha256(data).hexdigest()
    store.put(f"{AUDIT}2026-11-23/{'0' * 16}/{1:012}-{digest}.json", data)
    repository = make_repository(store)
    assert prove_audit(repository).good
    assert len(read_audit(repository)) == 3


def test_a_key_says_what_it_says() -> None:
    key = f"{AUDIT}2026-11-23/{'a' * 16}/{7:012}-{'b' * 64}.json"
    name = id_in(key)
    assert name
    assert name.key == key
    assert evolve(name, sequence=8).key != key
    assert id_in(key.replace("2026-11-23", "2026-99-23")) is None
