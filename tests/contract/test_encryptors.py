"""Every encryptor keeps the promises of `brownie_backup.protocols.Encryptor`."""
# ruff: noqa: D101, D102 - the classes are named for what they test

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.keys import PASSPHRASE, plain_pair, protected_pair

from brownie_backup.encryptors import Cleartext, GnuPG
from brownie_backup.encryptors.keypair import KeyPair
from brownie_backup.encryptors.keyring import Keyring, open_gpg
from brownie_backup.secret import Secret
from brownie_backup.testing import EncryptorContract


@pytest.fixture(scope="module")
def keys() -> tuple[KeyPair, KeyPair]:
    """Return two key pairs, the second protected by the passphrase."""
    return plain_pair(), protected_pair()


@pytest.fixture(scope="module")
def by_passphrase() -> Iterator[GnuPG]:
    with GnuPG(passphrase=Secret(PASSPHRASE)) as gnupg:
        yield gnupg


@pytest.fixture(scope="module")
def by_public_key(keys: tuple[KeyPair, KeyPair]) -> Iterator[GnuPG]:
    with GnuPG(public_key=keys[0].public, private_key=keys[0].private) as gnupg:
        yield gnupg


@pytest.fixture(scope="module")
def home(keys: tuple[KeyPair, KeyPair]) -> Iterator[str]:
    """Return a caller's keyring with both keys."""
    keyring = Keyring()
    gpg = open_gpg(keyring.path())
    for pair in keys:
        gpg.import_keys(pair.private.reveal(), passphrase=PASSPHRASE)
    yield keyring.path()
    keyring.close()


class TestCleartext(EncryptorContract):
    protects = False

    @pytest.fixture
    def encryptor(self) -> Cleartext:
        return Cleartext()

    @pytest.fixture
    def twin(self) -> Cleartext:
        return Cleartext()


class TestByPassphrase(EncryptorContract):
    flips = 9  # each takes the quarter of a second, on purpose

    @pytest.fixture
    def encryptor(self, by_passphrase: GnuPG) -> GnuPG:
        return by_passphrase

    @pytest.fixture
    def twin(self) -> Iterator[GnuPG]:
        with GnuPG(passphrase=Secret(PASSPHRASE)) as gnupg:
            yield gnupg

    @pytest.fixture
    def stranger(self) -> Iterator[GnuPG]:
        with GnuPG(passphrase=Secret(PASSPHRASE + " ")) as gnupg:
            yield gnupg

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [PASSPHRASE]


class TestByPublicKey(EncryptorContract):
    """An armoured public key encrypts; the private one, as text too, decrypts."""

    @pytest.fixture
    def encryptor(self, by_public_key: GnuPG) -> GnuPG:
        return by_public_key

    @pytest.fixture
    def twin(self, keys: tuple[KeyPair, KeyPair]) -> Iterator[GnuPG]:
        with GnuPG(private_key=keys[0].private) as gnupg:
            yield gnupg

    @pytest.fixture
    def stranger(self, keys: tuple[KeyPair, KeyPair]) -> Iterator[GnuPG]:
        with GnuPG(private_key=keys[1].private, passphrase=Secret(PASSPHRASE)) as gnupg:
            yield gnupg

    @pytest.fixture
    def secrets(self, keys: tuple[KeyPair, KeyPair]) -> list[str]:
        return [keys[0].private.reveal(), keys[0].private.reveal().splitlines()[2]]


class TestByRecipient(EncryptorContract):
    """The keys are in the caller's keyring, the private one protected by a passphrase."""

    flips = 6  # each takes the tenth of a second

    @pytest.fixture
    def encryptor(self, home: str, keys: tuple[KeyPair, KeyPair]) -> Iterator[GnuPG]:
        recipients = [keys[1].fingerprint]
        with GnuPG(recipients=recipients, passphrase=Secret(PASSPHRASE), home=home) as gnupg:
            yield gnupg

    @pytest.fixture
    def twin(self, home: str) -> Iterator[GnuPG]:
        name = "protected key <backup@localhost>"
        with GnuPG(recipients=[name], passphrase=Secret(PASSPHRASE), home=home) as gnupg:
            yield gnupg

    @pytest.fixture
    def stranger(self, keys: tuple[KeyPair, KeyPair]) -> Iterator[GnuPG]:
        with TemporaryDirectory(prefix="bb-") as empty:
            Path(empty).chmod(0o700)
            with GnuPG(public_key=keys[0].public, home=empty) as gnupg:
                yield gnupg

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [PASSPHRASE]
