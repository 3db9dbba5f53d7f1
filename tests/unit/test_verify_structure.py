"""Verifying without a key: every blob is there, and is what was stored."""

import secrets
from datetime import timedelta

import pytest
from attrs import frozen
from tests.unit.fakes import FakeDumper, FakeEncryptor, make_repository, noise
from tests.unit.several import named

from brownie_backup import Repository, create_backup, list_backups, sync_backups, verify_backup
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import DamagedError, DecryptionError, KeyMissing
from brownie_backup.format.checksums import Integrity, integrity, with_checksum
from brownie_backup.format.layout import blob_key, manifest_key
from brownie_backup.model import BlobRef, Checked, Part, Verification
from brownie_backup.protocols import Encryptor, Store

pytestmark = pytest.mark.usefixtures("_small_blobs")
HOUR = timedelta(hours=1)


@frozen
class _Salted(FakeEncryptor):
    """Its messages have the packets of one for a public key, and differ each time.

    It skips the checksum, as gpg does.
    """

    method: str = "gpg"

    def identity(self, salt: bytes) -> str:
        return f"public-key:{super().identity(salt)}"

    def encrypt(self, data: bytes) -> bytes:
        salt = secrets.token_bytes(1 + secrets.randbelow(200))
        key_packet = bytes([0x84, len(salt)]) + salt
        return key_packet + b"\xd2" + super().encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        message = data[42:] if data.startswith(b"\xfd\x28brownie1") else data
        return super().decrypt(message[3 + message[1] :])


@frozen
class _PublicKey(_Salted):
    """A host that can only encrypt."""

    def decrypt(self, data: bytes) -> bytes:
        del data
        raise KeyMissing("there is no private key here")


@pytest.fixture
def keyless() -> Repository:
    """Return a repository with two backups that share most blobs, opened without a private key."""
    repository = make_repository(encryptor=_PublicKey())
    create_backup(repository, FakeDumper(), name="one")
    changed = noise()
    changed["archive"] = changed["archive"][:7000] + b"\0" * 3000
    repository.clock.advance(HOUR)  # type: ignore[attr-defined]
    create_backup(repository, FakeDumper(changed), name="two")
    return repository


def with_key(repository: Repository) -> Repository:
    clock = repository.clock
    return make_repository(repository.store, encryptor=_Salted(), clock=clock)


def verify(repository: Repository, name: str, *, structure: bool = False) -> Verification:
    repository.clock.advance(HOUR)  # type: ignore[attr-defined]
    return verify_backup(repository, FakeDumper(), name, structure=structure)


def blobs_of(repository: Repository, name: str) -> tuple[BlobRef, ...]:
    manifest = repository.backup(name).manifest
    assert manifest
    return manifest.blobs


def change(store: Store, ref: BlobRef, how: str) -> None:
    data = bytearray(store.get(blob_key(ref.name)))
    if how == "zeros":
        data = bytearray(len(data))
    elif how == "zeros at the end":
        data[-60:] = bytes(60)
    elif how == "cut":
        del data[-1:]
    elif how == "longer":
        data += b"\0"
    else:
        data[int(how)] ^= 1
    store.put(blob_key(ref.name), bytes(data))


DAMAGE = ("zeros", "zeros at the end", "cut", "longer", "0", "1", "3", "10", "41", "42", "70", "-1")


def test_a_host_with_a_public_key_alone_verifies_and_says_what_it_did_not_read(
    keyless: Repository,
) -> None:
    done = verify(keyless, "two")
    assert (done.good, done.complete, done.checked) == (True, True, Checked.STRUCTURE)
    assert (done.size_only_blobs, done.contents_good_at) == (0, None)
    assert keyless.backup("two").verification == done


@pytest.mark.parametrize("how", DAMAGE)
def test_a_rotten_blob_is_found_without_a_key_and_stored_again(
    keyless: Repository, how: str
) -> None:
    bad = blobs_of(keyless, "two")[2]
    change(keyless.store, bad, how)
    done = verify(keyless, "two")
    assert (done.good, done.damaged_blobs) == (False, (bad.name,))
    assert not keyless.backup("two").good
    # the next backup stores it again, with other bytes, and older backups are whole again
    create_backup(keyless, FakeDumper(), name="three")
    for name in ("one", "two", "three"):
        assert verify(keyless, name).good, name
        assert verify(with_key(keyless), name).checked == Checked.CONTENT
    assert all(backup.good for backup in list_backups(keyless))


@pytest.mark.parametrize("how", ["missing", "another's"])
def test_a_blob_that_is_missing_or_anothers_is_found_without_a_key(
    keyless: Repository, how: str
) -> None:
    bad, other = blobs_of(keyless, "two")[2:4]
    if how == "missing":
        keyless.store.delete(blob_key(bad.name))
    else:
        keyless.store.put(blob_key(bad.name), keyless.store.get(blob_key(other.name)))
    assert verify(keyless, "two").damaged_blobs == (bad.name,)


def test_damage_beside_a_missing_key_is_damage(keyless: Repository) -> None:
    for ref in blobs_of(keyless, "two")[:3]:
        change(keyless.store, ref, "-1")
    assert len(verify(keyless, "two").damaged_blobs) == 3


def test_a_wrong_key_is_an_error_and_no_reason_to_check_less(keyless: Repository) -> None:
    stranger = make_repository(keyless.store, encryptor=_Salted(b"another"), clock=keyless.clock)
    change(keyless.store, blobs_of(keyless, "two")[0], "-1")
    with pytest.raises(DecryptionError):
        verify(stranger, "two")
    assert keyless.backup("two").verification is None


def test_whole_bytes_that_do_not_decrypt_are_no_damage(keyless: Repository) -> None:
    ref = blobs_of(keyless, "two")[0]
    message = _Salted().encrypt(b"something")[:-1] + b"\0"
    keyless.store.put(blob_key(ref.name), with_checksum(message, ref.name, "gpg"))
    reader = with_key(keyless).reader(keyless.manifest("two"))
    with pytest.raises(DecryptionError, match="the bytes were changed"):
        reader.get(ref)
    change(keyless.store, ref, "-1")
    with pytest.raises(DamagedError):
        reader.get(ref)


def test_bytes_that_rot_are_damage_even_without_a_key(keyless: Repository) -> None:
    ref = blobs_of(keyless, "two")[0]
    reader = keyless.reader(keyless.manifest("two"))
    with pytest.raises(KeyMissing, match=ref.name):
        reader.get(ref)
    change(keyless.store, ref, "-1")
    with pytest.raises(DamagedError, match="its bytes were changed since they were stored"):
        reader.get(ref)


def test_what_the_contents_showed_is_not_forgotten(keyless: Repository) -> None:
    read = verify(with_key(keyless), "two")
    assert read.checked == Checked.CONTENT
    done = verify(with_key(keyless), "two", structure=True)
    again = verify(keyless, "two")
    assert done.checked == again.checked == Checked.STRUCTURE
    assert done.contents_good_at == again.contents_good_at == read.verified_at
    recorded = keyless.backup("two").verification
    assert recorded
    assert recorded.verified_at == again.verified_at


class _Strict(FakeDumper):
    """Refuses the archive, whose blobs are good."""

    def check(self, part: Part, chunks: object) -> None:
        if part.kind == "archive":
            raise DamagedError("no data for one table")


def test_a_good_structure_does_not_clear_a_failure_in_the_contents(keyless: Repository) -> None:
    failed = verify_backup(with_key(keyless), _Strict(), "two")
    assert failed.problems == ("no data for one table",)
    assert verify(keyless, "two").good
    assert not keyless.backup("two").good
    # nor do damage, and its repair
    bad = blobs_of(keyless, "two")[1]
    change(keyless.store, bad, "-1")
    assert not verify(keyless, "two").good
    create_backup(keyless, FakeDumper(), name="three")
    assert verify(keyless, "two").good
    assert not keyless.backup("two").good
    assert verify(with_key(keyless), "two").good
    assert keyless.backup("two").good


def test_blobs_without_a_checksum_are_checked_by_size_and_counted(keyless: Repository) -> None:
    refs = {ref.name: ref for ref in blobs_of(keyless, "one")}
    old = list(refs.values())[:2]
    for ref in old:
        stored = keyless.store.get(blob_key(ref.name))
        keyless.store.put(blob_key(ref.name), b"\x85" + bytes(len(stored) - 1))
    done = verify(keyless, "one")
    assert (done.good, done.size_only_blobs) == (True, 2)
    keyless.store.put(blob_key(old[0].name), b"\x85" + bytes(9))
    assert verify(keyless, "one").damaged_blobs == (old[0].name,)


def test_encryption_that_has_no_place_for_a_checksum_is_checked_by_size() -> None:
    repository = make_repository()
    create_backup(repository, FakeDumper(), name="one")
    done = verify(repository, "one", structure=True)
    assert done.good
    assert done.size_only_blobs == done.total_blobs


def test_what_is_not_encrypted_needs_no_key_for_its_checks() -> None:
    repository = make_repository(encryptor=Cleartext())
    create_backup(repository, FakeDumper(), name="one")
    assert verify(repository, "one", structure=True).size_only_blobs == 0
    bad = blobs_of(repository, "one")[1]
    change(repository.store, bad, "-1")
    assert verify(repository, "one", structure=True).damaged_blobs == (bad.name,)


def test_a_sample_without_a_key_is_a_sample(keyless: Repository) -> None:
    done = verify_backup(keyless, FakeDumper(), "two", sample_percent=30)
    assert done.checked == Checked.STRUCTURE
    assert not done.complete
    whole = verify(keyless, "two")
    verify_backup(keyless, FakeDumper(), "two", sample_percent=30)
    assert keyless.backup("two").verification == whole


@pytest.mark.parametrize("encryptor", [_PublicKey(), Cleartext()], ids=lambda e: e.method)
def test_a_sync_copies_no_rot_but_another_stores_blob(encryptor: Encryptor) -> None:
    stores = named("one", "two", "three")
    one, two, three = (make_repository(store, encryptor=encryptor) for store in stores)
    create_backup(one, FakeDumper(), name="one", jobs=1)
    bad = blobs_of(one, "one")[2]
    sync_backups((one, two))
    change(stores[0], bad, "-1")
    reports = sync_backups((one, two, three))
    assert reports[2].copied == ("one",)
    (problem,) = reports[2].problems
    assert f"blob {bad.name} in memory:one is damaged" in problem.message
    assert stores[2].get(blob_key(bad.name)) == stores[1].get(blob_key(bad.name))
    # where no store has it whole, nothing is copied
    change(stores[1], bad, "-1")
    stores[2].delete(manifest_key("one"))
    stores[2].delete(blob_key(bad.name))
    report = sync_backups((one, two, three))[2]
    assert report.copied == ()
    assert "could not be read in full" in report.problems[-1].message


def test_a_verification_without_a_key_lets_a_sync_repair(keyless: Repository) -> None:
    copy = make_repository(named("copy")[0], encryptor=_PublicKey(), clock=keyless.clock)
    sync_backups((keyless, copy))
    bad = blobs_of(keyless, "two")[2]
    change(keyless.store, bad, "-1")
    assert not verify(keyless, "two").good
    assert sync_backups((keyless, copy))[0].mended == ("two",)
    assert verify(keyless, "two").good


def test_a_checksum_holds_for_one_name_and_one_method() -> None:
    stored = with_checksum(b"\x85message", "a", "gpg")
    assert integrity(stored, "a", "gpg") is Integrity.INTACT
    assert integrity(stored, "b", "gpg") is Integrity.DAMAGED
    assert integrity(b"", "a", "gpg") is Integrity.DAMAGED
    assert integrity(b"\x85message", "a", "gpg") is Integrity.UNKNOWN
    assert with_checksum(b"message", "a", "none") == b"message"
    assert integrity(b"message", "a", "none") is Integrity.UNKNOWN
