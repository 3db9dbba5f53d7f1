"""A blob is read only if it is encrypted in the way that its manifest says; with the real gpg."""

import subprocess
from collections.abc import Iterator

import pytest
from tests.unit.fakes import FakeDumper
from tests.unit.keys import plain_pair

from brownie_backup import Repository, RestoreOptions, create_backup, restore, verify_backup
from brownie_backup.compressors import Uncompressed
from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.keyring import Keyring, open_gpg
from brownie_backup.errors import DamagedError
from brownie_backup.format.checksums import with_checksum
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import BLOBS, manifest_key
from brownie_backup.format.openpgp import check_message
from brownie_backup.model import Encryption
from brownie_backup.repository.blobs.transfer import for_store
from brownie_backup.secret import Secret
from brownie_backup.stores import MemoryStore

DATA = b"rows" * 1000
BY_KEY, BY_PASSPHRASE = Encryption("gpg", "public-key:ABC"), Encryption("gpg", "passphrase:ab")


@pytest.fixture
def home() -> Iterator[str]:
    """Return the keyring of a user who has a private key."""
    keyring = Keyring()
    open_gpg(keyring.path()).import_keys(plain_pair().private.reveal())
    yield keyring.path()
    keyring.close()


def fits(data: bytes, encryption: Encryption) -> bool:
    try:
        check_message(data, encryption)
    except DamagedError:
        return False
    return True


def test_a_message_is_for_a_key_or_for_a_passphrase() -> None:
    with (
        GnuPG(public_key=plain_pair().public) as key,
        GnuPG(passphrase=Secret("open sesame")) as word,
    ):
        by_key, by_word = key.encrypt(DATA), word.encrypt(DATA)
    assert (fits(by_key, BY_KEY), fits(by_key, BY_PASSPHRASE)) == (True, False)
    assert (fits(by_word, BY_KEY), fits(by_word, BY_PASSPHRASE)) == (False, True)
    stored = with_checksum(by_word, "aa", "gpg")
    assert (fits(stored, BY_KEY), fits(stored, BY_PASSPHRASE)) == (False, True)
    assert not any(fits(data, Encryption("gpg", "another:1")) for data in (by_key, by_word))
    for cut in (b"", by_key[:1], by_key[:20], by_word[:3]):
        assert not fits(cut, BY_KEY)
        assert not fits(cut, BY_PASSPHRASE)
    assert fits(b"anything", Encryption("none", "none"))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--symmetric", "--encrypt"], id="for both"),
        pytest.param(["--store"], id="for nobody"),
        pytest.param(["--symmetric", "--armor"], id="as text"),
    ],
)
def test_a_message_of_another_form_is_damage(home: str, options: list[str]) -> None:
    fingerprint = plain_pair().fingerprint
    command = ["gpg", "--homedir", home, "--batch", "--quiet", "--trust-model", "always"]
    command += ["--recipient", fingerprint] if "--encrypt" in options else []
    command += ["--pinentry-mode", "loopback", "--passphrase", "x", *options, "--output", "-"]
    packed = subprocess.run(command, input=DATA, check=True, capture_output=True).stdout
    assert packed
    assert not fits(packed, BY_KEY)
    assert not fits(packed, BY_PASSPHRASE)


@pytest.mark.parametrize("length", [100, 5000, 70_000])
def test_all_forms_of_lengths_are_read(length: int) -> None:
    body = bytes(length)
    forms = [b"\xc3\xff" + length.to_bytes(4, "big"), b"\x8e" + length.to_bytes(4, "big")]
    if length < 1 << 16:
        forms.append(b"\x8d" + length.to_bytes(2, "big"))
    if 192 <= length < 8384:
        forms.append(b"\xc3" + (length - 192 + 0xC000).to_bytes(2, "big"))
    if length < 192:
        forms += [b"\xc3" + bytes([length]), b"\x8c" + bytes([length])]
    for form in forms:
        assert fits(form + body + b"\xd2rest", BY_PASSPHRASE)
        assert not fits(form + body + b"\xd3rest", BY_PASSPHRASE)
    assert not fits(b"\x8f" + body + b"\xd2", BY_PASSPHRASE)
    assert not fits(b"\xc3\xe5" + body + b"\xd2", BY_PASSPHRASE)


def test_a_blob_forged_for_the_users_own_key_is_no_part_of_a_passphrases_backup(home: str) -> None:
    store = MemoryStore()
    with GnuPG(passphrase=Secret("open sesame"), home=home) as encryptor:
        repository = Repository(store, Uncompressed(), encryptor)
        create_backup(repository, FakeDumper(), name="one")
        with GnuPG(public_key=plain_pair().public) as forger:
            for found in [*store.list(BLOBS)]:
                plain = encryptor.decrypt(store.get(found.key))
                store.put(found.key, forger.encrypt(plain))
        forged = for_store(repository.manifest("one"), repository.blob_sizes())
        store.put(manifest_key("one"), manifest_to_bytes(forged))
        with pytest.raises(DamagedError, match="not an OpenPGP message for the key"):
            restore(repository, FakeDumper(), "one", options=RestoreOptions(replace=True))
        assert not verify_backup(repository, FakeDumper(), "one").good
