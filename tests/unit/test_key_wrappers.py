"""What only one kind of key wrapper does, or refuses."""

import hashlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
from tests.unit.keys import PASSPHRASE, plain_pair

from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.keyring import Keyring, open_gpg
from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper
from brownie_backup.encryptors.wrapping.passphrase import N, P, PassphraseWrapper, R
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.format.envelope import key_id, seal
from brownie_backup.format.wrapped_key import context_text
from brownie_backup.model.keys import KeyContext
from brownie_backup.secret import Secret

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
CONTEXT = KeyContext("6a1f0d9e-4a51-4b5e-8a39-0c2f3b1d7e55", key_id(KEY).hex())
SCRYPT = "brownie_backup.encryptors.wrapping.passphrase.hashlib.scrypt"


@pytest.fixture
def salt(request: pytest.FixtureRequest) -> bytes:
    """Return a salt that no other test uses: stretched passphrases are remembered."""
    return hashlib.sha256(request.node.nodeid.encode()).digest()


# --- passphrase ----------------------------------------------------------------------------------


def test_a_passphrase_is_stretched_once_in_a_process(salt: bytes) -> None:
    with patch(SCRYPT, wraps=hashlib.scrypt) as scrypt:
        for _ in range(2):
            wrapper = PassphraseWrapper(Secret(PASSPHRASE), salt)
            for _ in range(2):
                assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY
        assert scrypt.call_count == 1
    (call,) = scrypt.call_args_list
    assert (call.kwargs["n"], call.kwargs["r"], call.kwargs["p"]) == (2**17, 8, 1)


def test_threads_stretch_a_passphrase_once(salt: bytes) -> None:
    """Each time takes 128 MiB."""

    def slowly(text: bytes, **_: object) -> bytes:
        time.sleep(0.1)
        return hashlib.sha256(text).digest()

    wrapper = PassphraseWrapper(Secret(PASSPHRASE), salt)
    with patch(SCRYPT, side_effect=slowly) as scrypt, ThreadPoolExecutor(4) as pool:
        assert len([*pool.map(lambda _: wrapper.wrap(KEY, CONTEXT), range(4))]) == 4
        assert scrypt.call_count == 1


def test_another_key_in_the_place_of_a_wrapped_one_is_refused(salt: bytes) -> None:
    """Although the passphrase has wrapped it, for that very context."""
    wrapper = PassphraseWrapper(Secret(PASSPHRASE), salt)
    wrapping_key = hashlib.scrypt(
        PASSPHRASE.encode(), salt=salt, n=N, r=R, p=P, maxmem=192 << 20, dklen=32
    )
    for key in (OTHER_KEY, KEY[:-1], b""):
        with pytest.raises(DamagedError):
            wrapper.unwrap(seal(key, wrapping_key, context_text(CONTEXT)), CONTEXT)
    assert wrapper.unwrap(seal(KEY, wrapping_key, context_text(CONTEXT)), CONTEXT) == KEY


def test_few_stretched_passphrases_are_remembered(salt: bytes) -> None:
    with patch(SCRYPT, side_effect=lambda text, **_: hashlib.sha256(text).digest()) as scrypt:
        for number in (*range(20), 19, 0):
            PassphraseWrapper(Secret(f"passphrase {number}"), salt).wrap(KEY, CONTEXT)
        assert scrypt.call_count == 21


@pytest.mark.parametrize("passphrase", ["", "two\nlines", "nul\0", "not UTF-8: \udce4"])
def test_a_passphrase_that_cannot_be_used_is_refused(passphrase: str, salt: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PassphraseWrapper(Secret(passphrase), salt)
    assert caught.value.hint
    assert not passphrase or passphrase not in str(caught.value)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(DamagedError, match="the salt of the key ring has 15 bytes"):
        PassphraseWrapper(Secret(PASSPHRASE), bytes(15))


@pytest.mark.parametrize("error", [MemoryError(), ValueError("malloc failure")])
def test_too_little_memory_is_named(error: Exception, salt: bytes) -> None:
    other = PassphraseWrapper(Secret(PASSPHRASE), hashlib.sha256(salt).digest())
    wrapped = other.wrap(KEY, CONTEXT)
    wrapper = PassphraseWrapper(Secret(PASSPHRASE), salt)
    with patch(SCRYPT, side_effect=error):
        with pytest.raises(EncryptionError, match="needs 128 MiB of memory"):
            wrapper.wrap(KEY, CONTEXT)
        with pytest.raises(DecryptionError, match="needs 128 MiB of memory"):
            wrapper.unwrap(wrapped, CONTEXT)


# --- OpenPGP -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair_of_keys() -> Iterator[GnuPG]:
    """Return a GnuPG with both keys."""
    pair = plain_pair()
    with GnuPG(public_key=pair.public, private_key=pair.private) as gnupg:
        yield gnupg


def test_a_host_without_a_private_key_says_so(tmp_path: Path) -> None:
    with GnuPG(public_key=plain_pair().public, home=str(tmp_path)) as gnupg:
        wrapper = OpenPGPWrapper(gnupg)
        assert re.fullmatch("[0-9A-F]{40}", wrapper.recipient.ref)
        wrapped = wrapper.wrap(KEY, CONTEXT)
        with pytest.raises(KeyMissing):
            wrapper.unwrap(wrapped, CONTEXT)


def test_a_private_key_in_the_keyring_unwraps(pair_of_keys: GnuPG) -> None:
    keyring = Keyring()
    try:
        open_gpg(keyring.path()).import_keys(plain_pair().private.reveal())
        wrapped = OpenPGPWrapper(pair_of_keys).wrap(KEY, CONTEXT)
        with GnuPG(home=keyring.path()) as gnupg:
            wrapper = OpenPGPWrapper(gnupg)
            assert wrapper.unwrap(wrapped, CONTEXT) == KEY
            with pytest.raises(ConfigurationError):
                _ = wrapper.recipient
    finally:
        keyring.close()


def test_a_passphrase_alone_wraps_for_no_public_key() -> None:
    """Else the data key would be in a message that the passphrase opens."""
    with GnuPG(passphrase=Secret(PASSPHRASE)) as gnupg:
        wrapper = OpenPGPWrapper(gnupg)
        with pytest.raises(EncryptionError):
            wrapper.wrap(KEY, CONTEXT)
        message = gnupg.encrypt(f"{context_text(CONTEXT)}data-key {KEY.hex()}\n".encode())
        with pytest.raises(DamagedError):
            wrapper.unwrap(message, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY.hex(),
        f"{context_text(CONTEXT)}data-key {OTHER_KEY.hex()}\n",
        f"{context_text(CONTEXT)}data-key {KEY.hex()}",
        f"{context_text(CONTEXT)}data-key {KEY.hex().upper()}\n",
        f"{context_text(CONTEXT)}data-key {KEY.hex()}\n\n",
        f"{context_text(CONTEXT)}\ndata-key {KEY.hex()}\n",
        f"\n{context_text(CONTEXT)}data-key {KEY.hex()}\n",
        f"{context_text(CONTEXT)}data-key {KEY.hex()[:-2]}\n",
    ],
)
def test_a_message_that_anyone_could_write_is_refused(pair_of_keys: GnuPG, text: str) -> None:
    """Such as one with another key, which could open blobs that were put in the place of ours."""
    message = pair_of_keys.encrypt(text.encode())
    with pytest.raises(DamagedError):
        OpenPGPWrapper(pair_of_keys).unwrap(message, CONTEXT)
