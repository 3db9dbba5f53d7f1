"""Every key wrapper keeps the promises of `brownie_backup.protocols.KeyWrapper`."""
# ruff: noqa: D101, D102 - the classes are named for what they test

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.keys import PASSPHRASE, plain_pair, protected_pair

from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper
from brownie_backup.encryptors.wrapping.passphrase import PassphraseWrapper
from brownie_backup.secret import Secret
from brownie_backup.testing import KeyWrapperContract

SALT = bytes(range(32))


@pytest.fixture(scope="module")
def with_private_key() -> Iterator[GnuPG]:
    pair = plain_pair()
    with GnuPG(public_key=pair.public, private_key=pair.private) as gnupg:
        yield gnupg


class TestPassphrase(KeyWrapperContract):
    @pytest.fixture
    def wrapper(self) -> PassphraseWrapper:
        return PassphraseWrapper(Secret(PASSPHRASE), SALT)

    @pytest.fixture
    def twin(self) -> PassphraseWrapper:
        return PassphraseWrapper(Secret(PASSPHRASE), SALT)

    @pytest.fixture
    def stranger(self) -> PassphraseWrapper:
        return PassphraseWrapper(Secret(PASSPHRASE + " "), SALT)

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return [PASSPHRASE]


class TestAnotherRing(TestPassphrase):
    """The same passphrase, in another key ring."""

    @pytest.fixture
    def stranger(self) -> PassphraseWrapper:
        return PassphraseWrapper(Secret(PASSPHRASE), SALT[::-1])


class TestOpenPGP(KeyWrapperContract):
    """An armoured public key wraps; the private one, as text too, unwraps."""

    wraps_alone = True
    flips = 9  # each starts gpg

    @pytest.fixture
    def wrapper(self, with_private_key: GnuPG) -> OpenPGPWrapper:
        return OpenPGPWrapper(with_private_key)

    @pytest.fixture
    def twin(self) -> Iterator[OpenPGPWrapper]:
        with GnuPG(private_key=plain_pair().private) as gnupg:
            yield OpenPGPWrapper(gnupg)

    @pytest.fixture
    def stranger(self) -> Iterator[OpenPGPWrapper]:
        pair = protected_pair()
        with GnuPG(private_key=pair.private, passphrase=Secret(PASSPHRASE)) as gnupg:
            yield OpenPGPWrapper(gnupg)

    @pytest.fixture
    def only_wraps(self) -> Iterator[OpenPGPWrapper]:
        with TemporaryDirectory(prefix="bb-") as empty:
            Path(empty).chmod(0o700)
            with GnuPG(public_key=plain_pair().public, home=empty) as gnupg:
                yield OpenPGPWrapper(gnupg)

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        text = plain_pair().private.reveal()
        return [text, text.splitlines()[2]]
