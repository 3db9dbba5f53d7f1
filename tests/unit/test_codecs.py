"""Codecs: a backup is read by what its manifest says, whatever new ones are made with."""
# ruff: noqa: D102 - the methods are those of the protocols

import itertools
import json
import threading
from datetime import timedelta
from typing import Self

import pytest
from attrs import evolve, field, frozen
from tests.unit.backups import sealed
from tests.unit.fakes import (
    FakeClock,
    FakeDumper,
    FakeEncryptor,
    make_manifest,
    make_repository,
    make_writer,
    read_back,
    tune,
)
from tests.unit.test_repository import add

from brownie_backup import (
    Encryptor,
    Level,
    Manifest,
    Repository,
    RestoreOptions,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    diagnose,
    hold_backup,
    list_backups,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    ConfigurationError,
    DecryptionError,
    KeyMissing,
    RestoreRefused,
    UnsupportedFormat,
)
from brownie_backup.format.layout import ATTEMPTS, BLOBS, blob_list_key, manifest_key
from brownie_backup.format.mac import with_mac
from brownie_backup.hints import Plain
from brownie_backup.model import Backup, Encryption, Status
from brownie_backup.pipeline.parent import ParentFinder
from brownie_backup.protocols import Store
from brownie_backup.repository import Codecs, EncryptorOnDemand, Tuning
from brownie_backup.repository.catalogue import manifests
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore

pytestmark = pytest.mark.usefixtures("_small_blobs")

OLD, NEW, OTHER = FakeEncryptor(b"old"), FakeEncryptor(b"new"), FakeEncryptor(b"x", "other")
ALL: dict[str, Encryptor] = {"clear": Cleartext(), "old": OLD, "new": NEW, "other": OTHER}


@frozen
class Counted:
    """An encryptor that counts what is asked of it."""

    inner: Encryptor
    calls: list[str] = field(factory=list)

    @property
    def method(self) -> str:
        return self.inner.method

    def identity(self, salt: bytes) -> str:
        self.calls.append("identity")
        return self.inner.identity(salt)

    def encrypt(self, data: bytes) -> bytes:
        self.calls.append("encrypt")
        return self.inner.encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        self.calls.append("decrypt")
        return self.inner.decrypt(data)


def filled(store: Store | None = None) -> Store:
    """Return a store with a backup by each encryptor, named for it."""
    store = store or MemoryStore()
    for name, encryptor in ALL.items():
        small = Repository(store, Uncompressed(), encryptor, tuning=Tuning(blob_bytes=1000))
        create_backup(small, FakeDumper(), name=name)
    return store


def manifest_of(repository: Repository, name: str) -> Manifest:
    manifest = repository.backup(name).manifest
    assert manifest
    return manifest


@pytest.mark.parametrize("order", list(itertools.permutations(ALL)))
def test_each_backup_is_read_by_the_method_and_the_key_that_it_was_made_with(
    order: tuple[str, ...],
) -> None:
    writes, *others = (ALL[name] for name in order)
    repository = Repository(filled(), Zstd(), writes, [Uncompressed()], other_decryptors=others)
    for backup in list_backups(repository):
        assert read_back(repository, backup) == FakeDumper().content
        assert verify_backup(repository, FakeDumper(), backup.name).good


@pytest.mark.parametrize("has", ALL)
def test_without_the_key_it_is_an_error_that_names_method_and_identity(has: str) -> None:
    repository = Repository(filled(), Uncompressed(), ALL[has])
    readable = {"clear", has}
    for name, encryptor in ALL.items():
        if name in readable:
            assert verify_backup(repository, FakeDumper(), name).good
            continue
        same_method = encryptor.method == ALL[has].method
        error = DecryptionError if same_method else UnsupportedFormat
        with pytest.raises(error) as caught:
            verify_backup(repository, FakeDumper(), name)
        assert encryptor.method in caught.value.message
        if same_method:
            assert manifest_of(repository, name).encryption.identity in caught.value.message
        assert repository.backup(name).verification is None


def test_a_method_that_needs_a_key_of_which_there_is_none_is_a_missing_key() -> None:
    manifest = evolve(make_manifest("one"), encryption=Encryption("gpg", "public-key:ABC"))
    for repository in (Repository(MemoryStore(), Uncompressed(), each) for each in ALL.values()):
        with pytest.raises(KeyMissing, match="'one' is encrypted by gpg for public-key:ABC"):
            repository.reader(manifest)


def test_a_method_of_a_later_version_is_one_backups_problem() -> None:
    store = filled()
    repository = Repository(store, Uncompressed(), NEW, other_decryptors=[OLD, OTHER])
    later = Encryption("rot13", "none")
    repository.add(evolve(manifest_of(repository, "new"), name="later", encryption=later))
    assert {backup.name for backup in list_backups(repository)} == {*ALL, "later"}
    with pytest.raises(UnsupportedFormat, match="'later' has encryption 'rot13'"):
        verify_backup(repository, FakeDumper(), "later")
    with pytest.raises(UnsupportedFormat, match="rot13"):
        restore(repository, FakeDumper(), "later", target_database="x")
    assert all(verify_backup(repository, FakeDumper(), name).good for name in ALL)
    restore(repository, FakeDumper(), "new", target_database="x")


def test_of_several_keys_the_one_that_opened_the_last_blob_is_asked_first() -> None:
    new = Counted(NEW)
    repository = Repository(filled(), Uncompressed(), new, other_decryptors=[OLD])
    reader = repository.reader(manifest_of(repository, "old"))
    refs = manifest_of(repository, "old").blobs
    assert len(refs) > 2
    for ref in refs:
        reader.get(ref)
    assert new.calls == ["decrypt"]


def test_without_codecs_a_repository_reads_catalogues_and_writes_nothing() -> None:
    store = FaultyStore(filled())
    before = {found.key for found in store.list("")}
    repository = Repository(store)
    assert {backup.name for backup in list_backups(repository)} == set(ALL)
    store.calls.clear()
    with pytest.raises(ConfigurationError, match="open for reading only"):
        create_backup(repository, FakeDumper())
    with pytest.raises(ConfigurationError, match="open for reading only"):
        make_writer(repository)
    assert [call for call in store.calls if call[0] == "put"] == []
    assert {found.key for found in store.list("")} == before
    with pytest.raises(ConfigurationError, match="has no encryptor"):
        make_writer(Repository(store, Zstd()))
    (finding,) = [f for f in diagnose(repository, FakeDumper()) if f.subject == "encryption"]
    assert finding.level is Level.WARNING
    with pytest.raises(UnsupportedFormat, match="compressed with none"):
        repository.reader(manifest_of(repository, "clear"))


def test_what_needs_no_key_asks_no_encryptor() -> None:
    encryptor = Counted(NEW)
    one, two = (
        Repository(store, Uncompressed(), encryptor)
        for store in (filled(FaultyStore(MemoryStore())), FaultyStore(MemoryStore()))
    )
    list_backups(one)
    one.backup("latest")
    hold_backup(one, "clear")
    sync_backups([one, two])
    assert len(two.backups()) == len(ALL)
    delete_backup(one, "old", copies=[two])
    policy = RetentionPolicy(keep_within=None, keep_last=1, most_deleted_share=1)
    assert apply_retention(two, policy, database=None, dry_run=True).decisions
    apply_retention(two, policy, database=None)
    assert encryptor.calls == []


@pytest.mark.parametrize("has", [*ALL, None])
def test_a_backup_in_clear_is_read_with_a_warning_unless_new_ones_are_in_clear(
    has: str | None,
) -> None:
    encryptor = ALL[has] if has else None
    repository = Repository(filled(), None, encryptor, [Uncompressed()])
    dumper = FakeDumper()
    verification = verify_backup(repository, dumper, "clear")
    if has != "clear":
        with pytest.raises(RestoreRefused, match="is not encrypted"):
            restore(repository, dumper, "clear", target_database="x")
        assert not dumper.databases
        checked = restore(repository, dumper, "clear", target_database="x", dry_run=True)
        assert Level.ERROR in {finding.level for finding in checked.findings}
    accepting = RestoreOptions(accept_unencrypted=True)
    report = restore(repository, dumper, "clear", target_database="x", options=accepting)
    assert verification.good
    assert dumper.databases["x"] == dumper.content
    if has == "clear":
        assert not verification.warnings
        assert not report.warnings
        return
    (warning,) = report.warnings
    assert (warning.subject, warning.message) == ("encryption", "'clear' is not encrypted")
    assert verification.warnings == (f"{warning.message}. {warning.hint}",)
    recorded = repository.backup("clear").verification
    assert recorded == verification
    if has:
        assert verify_backup(repository, dumper, has).warnings == ()


def test_an_encrypted_backup_uses_nothing_of_one_in_clear() -> None:
    store = MemoryStore()
    clear = Repository(store, Uncompressed(), Cleartext())
    create_backup(clear, FakeDumper(), name="clear")
    secret = Repository(store, Uncompressed(), NEW)
    report = create_backup(secret, FakeDumper(), name="secret")
    assert report.reused_blobs == 0
    named = [{ref.name for ref in manifest_of(secret, name).blobs} for name in ("clear", "secret")]
    assert not named[0] & named[1]
    finder = ParentFinder()
    manifest = with_mac(manifest_of(clear, "clear"), b"secret")
    finder.add(Backup("clear", Status.GOOD, manifest))
    found = finder.find(make_writer(clear), manifest.backup_set, b"secret")
    assert found.manifest == manifest
    found = finder.find(make_writer(secret), manifest.backup_set, b"secret")
    assert found.manifest is None


def test_a_decryptor_that_cannot_be_made_is_the_problem_of_its_backups_alone() -> None:
    def fail() -> Encryptor:
        raise ConfigurationError(["no such program"], hint="Install it")

    broken = EncryptorOnDemand("other", fail)
    repository = Repository(filled(), Uncompressed(), NEW, other_decryptors=[OLD, broken])
    for name in ("clear", "old", "new"):
        assert verify_backup(repository, FakeDumper(), name).good
    with pytest.raises(DecryptionError, match="no such program") as caught:
        verify_backup(repository, FakeDumper(), "other")
    assert caught.value.hint == Plain.TEXT(text="Install it")


def test_any_compressor_that_is_given_reads() -> None:
    store = MemoryStore()
    for compressor in (Zstd(), Gzip(), Uncompressed()):
        create_backup(Repository(store, compressor, NEW), FakeDumper(), name=compressor.name)
    repository = Repository(store, None, NEW, [Gzip(), Zstd(), Uncompressed()])
    for backup in repository.backups():
        assert read_back(repository, backup) == FakeDumper().content
    with pytest.raises(UnsupportedFormat, match="compressed with gzip"):
        Repository(store, Zstd(), NEW).reader(manifest_of(repository, "gzip"))


class Closable(FakeEncryptor):
    """An encryptor that is to be closed."""

    closed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        Closable.closed += 1


def test_what_is_made_on_demand_is_made_once_and_closed_with_the_repository() -> None:
    Closable.closed = 0
    made: list[Encryptor] = []

    def make() -> Encryptor:
        made.append(Closable())
        return made[-1]

    on_demand = EncryptorOnDemand("fake", make)
    with Repository(MemoryStore(), Uncompressed(), on_demand) as repository:
        assert repository.backups() == ()
        assert made == []
        threads = [threading.Thread(target=on_demand.encrypt, args=(b"x",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert on_demand.decrypt(on_demand.encrypt(b"data")) == b"data"
        assert on_demand.identity(b"") == FakeEncryptor().identity(b"")
        assert len(made) == 1
        assert Closable.closed == 0
    assert Closable.closed == 1
    repository.close()
    assert Closable.closed == 1
    add(repository, "one")  # it is of use again
    assert len(made) == 2
    with Repository(MemoryStore(), Uncompressed(), Closable()) as repository:
        add(repository, "one")
    assert Closable.closed == 1  # it is its maker's


def test_what_is_closed_while_it_works_is_made_again_and_nothing_fails() -> None:
    class Closing(FakeEncryptor):
        def decrypt(self, data: bytes) -> bytes:
            if len(made) == 1:
                on_demand.close()  # as another thread does
                raise KeyMissing("the keyring is gone")
            return super().decrypt(data)

    made: list[Encryptor] = []

    def make() -> Encryptor:
        made.append(Closing())
        return made[-1]

    on_demand = EncryptorOnDemand("fake", make)
    assert on_demand.decrypt(on_demand.encrypt(b"data")) == b"data"
    assert len(made) == 2


def test_a_repository_that_is_evolved_has_the_same_codecs_and_all_else() -> None:
    def roots(store: Store, /) -> list[str]:
        return [store.url]

    codecs = Codecs(Zstd(), NEW)
    repository = Repository(MemoryStore(), codecs=codecs, roots=[roots])
    other = evolve(repository, store=MemoryStore(), cache=None)
    assert other.codecs is codecs
    assert (other.clock, other.roots) == (repository.clock, (roots,))
    assert other.store is not repository.store


def test_backups_in_clear_never_push_encrypted_ones_out() -> None:
    """A client that can write to the store, and has no key, can add them."""
    clock = FakeClock()
    store = MemoryStore(clock)
    secret = Repository(store, Uncompressed(), NEW, clock=clock)
    clear = Repository(store, Uncompressed(), Cleartext(), clock=clock)
    for repository, names in ((secret, ("a", "b", "c")), (clear, ("x", "y", "z"))):
        for name in names:
            create_backup(repository, FakeDumper(), name=name)
            clock.advance(timedelta(hours=1))
    for attempt in [*store.list(ATTEMPTS)]:  # one of ours would be a backup that was not made
        store.delete(attempt.key)
    policy = RetentionPolicy(keep_within=None, keep_last=2)
    copy = Repository(MemoryStore(clock), Uncompressed(), NEW, clock=clock)
    _, synced = sync_backups((secret, copy), policies=(policy, policy))
    assert synced.copied == ("z", "y", "c", "b")
    report = apply_retention(secret, policy, database=None, yes_delete_many=True)
    assert [d.backup.name for d in report.decisions] == ["z", "y", "x", "c", "b", "a"]
    assert set(report.deleted) == {"a", "x"}
    assert secret.backup("latest").name == "c"


@pytest.mark.parametrize(
    "rows", [b"5", b"not json", b"[1]", b"[[]]", b'[["a","b","c"]]', b"[[1,2,3]]", b"[" * 5000]
)
def test_a_bad_list_of_blobs_is_one_bad_backup(rows: bytes) -> None:
    tune(inline_blobs=1)
    repository = make_repository(encryptor=NEW)
    create_backup(repository, FakeDumper(), name="bad")
    tune(inline_blobs=10_000)
    create_backup(make_repository(repository.store, encryptor=NEW), FakeDumper(), name="good")
    bad = manifests.read_manifest(repository.store, "bad")
    outline = json.loads(repository.store.get(manifest_key("bad")))
    part = next(part for part in outline["parts"] if part.get("blob_lists"))
    name = manifests._list_name(rows, bad)
    repository.store.put(blob_list_key(name), rows)
    part["blob_lists"] = [name]
    repository.store.put(manifest_key("bad"), sealed(outline))
    found = {backup.name: backup.status for backup in list_backups(repository)}
    assert found == {"bad": Status.DAMAGED, "good": Status.GOOD}
    assert repository.backup("latest").name == "good"


def test_an_object_elsewhere_below_blobs_is_no_blob() -> None:
    one, two = make_repository(encryptor=NEW), make_repository(encryptor=NEW)
    create_backup(one, FakeDumper(), name="a", copies=[two])
    for repository in (one, two):
        for found in [*repository.store.list(BLOBS)]:
            aside = f"{BLOBS}old/{found.key.removeprefix(BLOBS)}"
            repository.store.put(aside, repository.store.get(found.key))
            repository.store.delete(found.key)
    create_backup(one, FakeDumper(), name="b", copies=[two])
    for repository in (one, two):
        assert repository.backup("b").good
        assert read_back(repository, repository.backup("b")) == FakeDumper().content
