"""The doctor: what would hurt is found, and nothing is left behind."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve
from tests.unit.fakes import DATABASE, FakeClock, FakeDumper, FakeEncryptor, make_repository
from tests.unit.several import AwayStore, named, repositories

from brownie_backup import Finding, Level, Repository, create_backup, diagnose
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    ConnectionFailed,
    DecryptionError,
    EncryptionError,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import DatabaseHint, KeyHint
from brownie_backup.protocols import ObjectUse
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore


def levels(repository: Repository) -> dict[str, Level]:
    """Return the worst level for each subject."""
    order = list(Level)
    worst: dict[str, Level] = {}
    for finding in diagnose(repository, FakeDumper()):
        before = worst.get(finding.subject, Level.OK)
        worst[finding.subject] = max(before, finding.level, key=order.index)
        assert finding.hint or finding.level is Level.OK
    return worst


def test_a_good_setup_has_nothing_but_good_findings() -> None:
    store = MemoryStore(FakeClock())
    found = levels(make_repository(store))
    expected = {"connection", "store", "clock", "repository", "encryption", "decryption"}
    assert set(found) == expected
    assert set(found.values()) == {Level.OK}
    assert list(store.list("")) == []


def test_a_store_that_was_never_used_is_said_to_be_so() -> None:
    repository = make_repository()
    said = f"{repository.store.url} has never been used"
    assert any(said in each.message for each in diagnose(repository, FakeDumper()))
    create_backup(repository, FakeDumper())
    assert not any(said in each.message for each in diagnose(repository, FakeDumper()))


def test_a_key_that_is_not_that_of_the_last_good_backup_is_a_warning() -> None:
    store = MemoryStore(FakeClock())
    create_backup(make_repository(store), FakeDumper(), name="one")
    assert levels(make_repository(store))["encryption"] is Level.OK
    mistyped = make_repository(store, encryptor=FakeEncryptor(b"kay"))
    found = list(diagnose(mistyped, FakeDumper()))
    (warning,) = (each for each in found if each.level is Level.WARNING)
    assert "the last good backup of the database, 'one', has another key" in warning.message
    assert warning.hint == KeyHint.CHECK_KEYS()
    other = FakeDumper(database=evolve(DATABASE, name="tills"))
    assert all(each.level is Level.OK for each in diagnose(mistyped, other))


def test_each_store_is_looked_at_and_one_that_is_away_hides_no_other() -> None:
    one, two, three = named("one", "two", "three")
    first, *copies = repositories(one, AwayStore(two), three)
    found = list(diagnose(first, FakeDumper(), copies=copies))
    said = {(finding.level, finding.message) for finding in found}
    for url in (one.url, three.url):
        assert (Level.OK, f"{url} is writable and readable") in said
        assert (Level.OK, f"this host and {url} agree on the time") in said
    assert (Level.ERROR, "memory:two is out of reach") in said
    assert [finding.subject for finding in found].count("encryption") == 1


@pytest.mark.parametrize("fail_at", range(1, 6))
def test_a_store_that_fails_is_an_error_and_not_an_exception(fail_at: int) -> None:
    store = FaultyStore(MemoryStore(FakeClock()), fail_at, AccessDenied("no", hint="Give rights"))
    assert levels(make_repository(store))["store"] is Level.ERROR
    assert store.failed


def test_a_store_that_ignores_create_if_absent_is_found_out() -> None:
    class Careless(MemoryStore):
        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            del if_absent
            super().put(key, data)

    assert levels(make_repository(Careless(FakeClock())))["store"] is Level.WARNING


def test_a_store_that_gives_other_bytes_back_is_found_out() -> None:
    class Liar(MemoryStore):
        def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
            return super().get(key, most_bytes)[:-1]

    assert levels(make_repository(Liar(FakeClock())))["store"] is Level.ERROR


@pytest.mark.parametrize(("minutes", "level"), [(-3, "error"), (1, "ok"), (3, "error")])
def test_clocks_that_are_apart_are_found_out(minutes: int, level: str) -> None:
    there, here = FakeClock(), FakeClock()
    here.advance(timedelta(minutes=minutes))
    assert levels(make_repository(MemoryStore(there), clock=here))["clock"] == level


def test_no_encryption_is_a_warning() -> None:
    found = levels(make_repository(encryptor=Cleartext()))
    assert found["encryption"] is Level.WARNING
    assert "decryption" not in found


def test_a_key_that_only_encrypts_is_a_warning_and_one_that_does_not_an_error() -> None:
    class OneWay(FakeEncryptor):
        def decrypt(self, data: bytes) -> bytes:
            raise DecryptionError(f"no key for {len(data)} bytes", hint="Give one")

    class Broken(FakeEncryptor):
        def encrypt(self, data: bytes) -> bytes:
            raise EncryptionError(f"no key for {len(data)} bytes", hint="Give one")

    found = levels(make_repository(encryptor=OneWay()))
    assert (found["encryption"], found["decryption"]) == (Level.OK, Level.WARNING)
    assert levels(make_repository(encryptor=Broken()))["encryption"] is Level.ERROR


class Sized(FakeDumper):
    """A database that knows its size, and whose connection may fail."""

    size_bytes = 400 << 20
    broken_by: BackupError | None = None

    def database_size_bytes(self) -> int:
        """Return the size."""
        return self.size_bytes

    def diagnose(self, *, jobs: int = 1) -> Iterator[Finding]:
        """Yield what the connection gives."""
        if self.broken_by:
            yield Finding(Level.ERROR, "connection", self.broken_by.message, self.broken_by.hint)


class Room(MemoryStore):
    """A store that can fill up."""

    free = 0

    def free_bytes(self) -> int:
        """Return how much is free."""
        return self.free


@pytest.mark.parametrize(
    ("free", "size", "level", "said"),
    [
        (2 << 20, 7 << 20, Level.WARNING, "2 MiB free, which a few blobs fill"),
        (99 << 20, 400 << 20, Level.WARNING, "less than a quarter of the database's size"),
        (101 << 20, 400 << 20, Level.OK, "101 MiB free"),
    ],
)
def test_a_store_too_small_for_the_first_backup_is_not_fine(
    free: int, size: int, level: Level, said: str
) -> None:
    store, dumper = Room(FakeClock()), Sized()
    store.free, dumper.size_bytes = free, size
    found = [f for f in diagnose(make_repository(store), dumper) if f.subject == "space"]
    assert [each.level for each in found] == [level]
    assert said in found[0].message


def test_the_doctor_does_not_send_to_the_doctor() -> None:
    dumper = Sized()
    dumper.broken_by = ConnectionFailed("no", hint=DatabaseHint.CHECK_CONNECTION)

    class Broken(FakeEncryptor):
        def encrypt(self, data: bytes) -> bytes:
            raise EncryptionError(f"no key for {len(data)} bytes", hint=KeyHint.NOTHING_STORED)

    repository = make_repository(encryptor=Broken())
    hints = [finding.hint for finding in diagnose(repository, dumper) if finding.hint]
    assert [hint.code for hint in hints] == [
        DatabaseHint.CHECK_DATABASE_ADDRESS,
        KeyHint.CHECK_KEYS,
    ]
    assert not any("{verb:doctor}" in hint.code.sentence for hint in hints)
