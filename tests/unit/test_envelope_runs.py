"""Backups whose blobs are encrypted by a data key of the run."""

import pickle
from collections.abc import Sequence

import pytest
from attrs import evolve
from tests.unit.fakes import FakeClock, FakeDumper, FakeEncryptor
from tests.unit.several import AwayStore, named
from tests.unit.toys import Toy, given

from brownie_backup import Level, Repository, create_backup, diagnose, verify_backup
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors.wrapping.passphrase import PassphraseSource
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.format.envelope import METHOD, is_whole, open_, read_header
from brownie_backup.format.layout import KEY_RINGS, KEYS, blob_in
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyRing
from brownie_backup.operations.sync import sync_backups
from brownie_backup.protocols import KeySource, Store
from brownie_backup.repository import Codecs
from brownie_backup.repository.keys.envelope import Envelope, make_run_key
from brownie_backup.repository.keys.ring import read_ring
from brownie_backup.secret import Secret
from brownie_backup.stores import MemoryStore
from brownie_backup.stores.memory import MemoryStore as Memory

HERE = FakeEncryptor(b"of format 1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


def opened(store: Store, *wrappers: Toy, clock: FakeClock | None = None) -> Repository:
    return by(store, given(*wrappers), clock)


def by(store: Store, sources: Sequence[KeySource], clock: FakeClock | None = None) -> Repository:
    codecs = Codecs(Zstd(), HERE, envelope=Envelope(tuple(sources)))
    return Repository(store, codecs=codecs, clock=clock or FakeClock())


def blobs(store: Store) -> dict[str, bytes]:
    found = {name: store.get(f.key) for f in store.list("blobs/") if (name := blob_in(f.key))}
    assert found
    return found


def good(repository: Repository, name: str = "latest") -> bool:
    return verify_backup(repository, FakeDumper(), name).good


# --- one store -----------------------------------------------------------------------------------


def test_each_blob_is_of_format_2_and_names_the_runs_key(store: MemoryStore) -> None:
    repository = opened(store, Toy("one"), Toy("two"))
    manifest = create_backup(repository, FakeDumper(), name="a").manifest
    ring = read_ring(store)
    assert ring is not None
    assert (manifest.encryption.method, manifest.encryption.identity) == (METHOD, f"ring:{ring.id}")
    (key,) = store.list(KEYS)
    for name, data in blobs(store).items():
        assert is_whole(data, name)
        assert read_header(data).key_id.hex() == key.key.split("/")[1]
    assert good(repository)


def test_any_recipient_opens_every_blob_and_no_other(store: MemoryStore) -> None:
    one, two = Toy("one"), Toy("two", b"another")
    create_backup(opened(store, one, two), FakeDumper())
    assert good(opened(store, Toy("one")))
    assert good(opened(store, Toy("two", b"another")))
    with pytest.raises(KeyMissing, match="toy:one, toy:two"):
        opened_blob(opened(store, Toy("one", kind="other")))
    with pytest.raises(DecryptionError, match="wrong key"):
        opened_blob(opened(store, Toy("one", b"mistyped")))


def opened_blob(repository: Repository, name: str = "latest") -> bytes:
    manifest = repository.backup(name).manifest
    assert manifest is not None
    return repository.reader(manifest).get(manifest.parts[-1].blobs[-1])


def test_what_cannot_wrap_does_not_enter_the_key_ring(store: MemoryStore) -> None:
    """A ring with it would refuse the right recipients, too."""
    with pytest.raises(EncryptionError):
        create_backup(opened(store, Toy("misspelt", wraps=False)), FakeDumper())
    assert [*store.list(KEY_RINGS), *store.list(KEYS)] == []
    create_backup(opened(store, Toy("right")), FakeDumper())


def test_a_host_that_cannot_decrypt_makes_backups_that_share_blobs(store: MemoryStore) -> None:
    """Each run has a key of its own. A reader unwraps each key once."""
    host = Toy("one", unwraps=False)
    for number in range(5):
        content = {"inventory": b"{}", "archive": bytes([number]) * 3000, "globals": b"the same"}
        create_backup(opened(store, host), FakeDumper(content), name=f"backup-{number}")
    assert host.calls == []
    assert len([*store.list(KEYS)]) == 5
    assert len({read_header(data).key_id for data in blobs(store).values()}) == 5
    reader = Toy("one")
    for number in range(5):
        assert good(opened(store, reader), f"backup-{number}")
    assert len(reader.calls) <= 2 * 5  # two keys a backup: that of the first, and its own


def test_an_unchanged_database_stores_nothing_again(store: MemoryStore) -> None:
    create_backup(opened(store, Toy("one")), FakeDumper())
    before = blobs(store)
    report = create_backup(opened(store, Toy("one", unwraps=False)), FakeDumper())
    assert report.new_blobs == 0
    assert blobs(store) == before
    assert good(opened(store, Toy("one")))


def test_other_recipients_are_refused_before_anything_is_stored(store: MemoryStore) -> None:
    create_backup(opened(store, Toy("one")), FakeDumper(), name="a")
    before = {found.key for found in store.list("")}
    with pytest.raises(ConfigurationError, match="lacks the recipient toy:two"):
        create_backup(opened(store, Toy("one"), Toy("two")), FakeDumper(), name="b")
    assert {f.key for f in store.list("blobs/")} <= before
    assert [backup.name for backup in opened(store, Toy("one")).backups()] == ["a"]


def test_a_key_that_cannot_be_wrapped_for_all_makes_no_backup(store: MemoryStore) -> None:
    with pytest.raises(EncryptionError, match="it was refused"):
        create_backup(opened(store, Toy("one"), Toy("two", wraps=False)), FakeDumper())
    assert [*store.list("blobs/")] == [*store.list(KEYS)] == []


def test_a_mistyped_passphrase_is_refused(store: MemoryStore) -> None:
    right = by(store, [PassphraseSource(Secret("correct horse"))])
    create_backup(right, FakeDumper(), name="a")
    assert good(by(store, [PassphraseSource(Secret("correct horse"))]))
    wrong = by(store, [PassphraseSource(Secret("correct house"))])
    with pytest.raises(ConfigurationError, match="the passphrase is not the one") as caught:
        create_backup(wrong, FakeDumper(), name="b")
    assert caught.value.hint == KeyHint.CHECK_PASSPHRASE()
    with pytest.raises(DecryptionError, match="the passphrase is not the one"):
        opened_blob(wrong)
    assert "horse" not in repr(right)
    more: list[KeySource] = [PassphraseSource(Secret("correct horse")), *given(Toy("one"))]
    both = by(store, more)
    with pytest.raises(ConfigurationError, match="lacks the recipient toy:one"):
        create_backup(both, FakeDumper(), name="c")


def test_backups_of_format_1_stay_readable(store: MemoryStore) -> None:
    old = Repository(store, Zstd(), HERE, clock=FakeClock())
    create_backup(old, FakeDumper(), name="old")
    new = opened(store, Toy("one"))
    report = create_backup(new, FakeDumper(), name="new")
    assert report.reused_blobs == 0
    assert good(new, "old")
    assert good(new, "new")
    with pytest.raises(KeyMissing, match="no key for that method is here"):
        opened_blob(evolve_codecs(new), "new")


def evolve_codecs(repository: Repository) -> Repository:
    """Return the repository for a host that knows nothing of data keys."""
    return evolve(repository, codecs=Codecs(Zstd(), HERE))


def test_a_changed_or_moved_blob_is_found_with_and_without_a_key(store: MemoryStore) -> None:
    repository = opened(store, Toy("one"))
    content = {"inventory": b"{}", "archive": b"a" * 3000, "globals": b"b" * 3000}
    create_backup(repository, FakeDumper(content), name="a")
    for structure in (True, False):
        assert verify_backup(repository, FakeDumper(), "a", structure=structure).good
    first, second, *_ = blobs(store)
    keys = {f.key.rpartition("/")[2]: f.key for f in store.list("blobs/")}
    right = store.get(keys[first])
    flipped = right[:80] + bytes([right[80] ^ 1]) + right[81:]
    for wrong in (flipped, store.get(keys[second]), right[:-1]):
        store.put(keys[first], wrong)
        for reader in (repository, opened(store, Toy("one", kind="of another"))):
            structure = reader is not repository
            assert not verify_backup(reader, FakeDumper(), "a", structure=structure).good
        store.put(keys[first], right)


def test_a_lost_data_key_is_damage_that_the_next_backup_heals(store: MemoryStore) -> None:
    """Without a record of it, the next backup would reuse blobs that nothing opens."""
    repository = opened(store, Toy("one"))
    create_backup(repository, FakeDumper(), name="a")
    (key,) = store.list(KEYS)
    store.delete(key.key)
    with pytest.raises(DamagedError, match="missing or damaged in every store"):
        opened_blob(repository)
    for reader in (repository, opened(store, Toy("one", kind="of another"))):
        assert not good(reader, "a")
    create_backup(repository, FakeDumper(), name="healed")
    assert good(repository, "healed")


# --- several stores ------------------------------------------------------------------------------


def test_all_stores_get_ring_and_keys_before_blobs() -> None:
    one, two = named("one", "two")
    create_backup(opened(one, Toy("one")), FakeDumper(), copies=[opened(two, Toy("one"))])
    assert read_ring(one) == read_ring(two)
    assert [f.key for f in one.list(KEYS)] == [f.key for f in two.list(KEYS)]
    assert blobs(one) == blobs(two)
    assert good(opened(two, Toy("one")))


def test_a_store_that_was_away_gets_the_keys_with_the_blobs() -> None:
    one, two = named("one", "two")
    away = AwayStore(two)
    create_backup(opened(one, Toy("one")), FakeDumper(), copies=[opened(away, Toy("one"))])
    assert [*two.list("")] == []
    sync_backups([opened(one, Toy("one")), opened(two, Toy("one"))])
    assert blobs(one) == blobs(two)
    assert good(opened(two, Toy("one")))
    assert read_ring(one) == read_ring(two)
    assert create_backup(opened(two, Toy("one")), FakeDumper(), name="on").new_blobs == 0


def test_a_copy_keeps_its_own_ring_and_gets_the_backup_by_copying() -> None:
    """Other hosts make their backups to it, for other recipients."""
    one, two = named("one", "two")
    theirs = Toy("of another host")
    create_backup(opened(two, theirs), FakeDumper(), name="theirs")
    ring = read_ring(two)
    copies = [opened(two, Toy("one"))]
    report = create_backup(opened(one, Toy("one")), FakeDumper(), name="ours", copies=copies)
    assert [outcome.problem for outcome in report.stores] == [None, None]
    assert read_ring(two) == ring
    assert good(opened(two, Toy("one")), "ours")
    assert good(opened(two, theirs), "theirs")
    create_backup(opened(two, theirs), FakeDumper(), name="later")


def test_a_copy_alone_goes_on_with_the_ring() -> None:
    one, two = named("one", "two")
    create_backup(opened(one, Toy("one")), FakeDumper(), copies=[opened(two, Toy("one"))])
    report = create_backup(opened(two, Toy("one")), FakeDumper(), name="alone")
    assert report.new_blobs == 0
    assert len([*two.list(KEY_RINGS)]) == 1


# --- secrets -------------------------------------------------------------------------------------


def test_a_data_key_is_neither_shown_nor_pickled() -> None:
    store = Memory(FakeClock())
    ring = KeyRing(1, "ab" * 16, (Toy("one").recipient,))
    run_key = make_run_key(ring, [Toy("one")], "a-repository")
    name = "ab" * 32
    data_key = run_key._data_key
    assert open_(run_key.seal(b"rows", name), data_key, name) == b"rows"
    assert data_key.hex() not in repr(run_key)
    assert repr(data_key) not in repr(run_key)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(run_key)
    assert [*store.list("")] == []


# --- the doctor ----------------------------------------------------------------------------------


def said(repository: Repository) -> dict[str, tuple[str, str]]:
    """Return the worst finding about keys for each subject."""
    found = [f for f in diagnose(repository, FakeDumper()) if f.subject in SUBJECTS]
    order = list(Level)
    return {
        f.subject: (f.level, f.message) for f in sorted(found, key=lambda f: order.index(f.level))
    }


SUBJECTS = {"encryption", "decryption", "recipients"}


def test_the_doctor_says_who_can_open_backups_and_what_this_host_can(store: MemoryStore) -> None:
    assert said(opened(store, Toy("one"), Toy("two", unwraps=False))) == {
        "encryption": ("ok", "encrypts for toy:two"),
        "decryption": ("ok", "decrypts as toy:one"),
    }
    assert [*store.list("")] == []
    found = said(opened(store, Toy("one", unwraps=False)))
    assert found["recipients"][0] == "warning"
    assert "only one recipient" in found["recipients"][1]
    assert found["decryption"][0] == "warning"
    assert "fine if it only makes backups" in found["decryption"][1]
    found = said(opened(store, Toy("one"), Toy("two", wraps=False)))
    assert found["encryption"] == ("error", "it was refused")


def test_the_doctor_compares_the_recipients_with_the_key_ring(store: MemoryStore) -> None:
    create_backup(opened(store, Toy("one"), Toy("two")), FakeDumper())
    assert said(opened(store, Toy("two"), Toy("one")))["decryption"][0] == "ok"
    level, message = said(opened(store, Toy("one"), Toy("three")))["recipients"]
    assert level == "error"
    assert "toy:two" in message
    assert "toy:three" in message


# --- lost keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["lost", "damaged"])
def test_a_key_that_is_gone_is_found_without_a_key_and_healed(
    store: MemoryStore, change: str
) -> None:
    host = Toy("one", unwraps=False)
    create_backup(opened(store, host), FakeDumper(), name="a")
    (key,) = store.list(KEYS)
    if change == "lost":
        store.delete(key.key)
    else:
        store.put(key.key, store.get(key.key).replace(b"toy", b"tOy"))
    assert not verify_backup(opened(store, host), FakeDumper(), "a", structure=True).good
    report = create_backup(opened(store, host), FakeDumper(), name="b")
    assert report.new_blobs == len(blobs(store))
    assert good(opened(store, Toy("one")), "a")
    assert good(opened(store, Toy("one")), "b")


def test_a_sync_gives_a_copy_the_keys_that_it_lost() -> None:
    one, two = named("one", "two")
    create_backup(opened(one, Toy("one")), FakeDumper(), copies=[opened(two, Toy("one"))])
    (key,) = two.list(KEYS)
    two.put(key.key, b"{")
    sync_backups([opened(one, Toy("one")), opened(two, Toy("one"))])
    assert good(opened(two, Toy("one")))
