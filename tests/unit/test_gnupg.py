"""What gpg does besides what every encryptor promises."""

import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.keys import PASSPHRASE, plain_pair, protected_pair

from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.keypair import KeyPair, make_key_pair
from brownie_backup.encryptors.keyring import STRONGEST, Keyring, open_gpg
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.hints import KeyHint
from brownie_backup.repository import EncryptorOnDemand
from brownie_backup.secret import Secret

DATA = b"rows\n" * 100


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return plain_pair()


@pytest.fixture(scope="module")
def home(pair: KeyPair) -> Iterator[str]:
    """Return a caller's keyring: the pair's public key, an expired key, one that only signs."""
    keyring = Keyring()
    gpg = open_gpg(keyring.path())
    gpg.import_keys(pair.public)
    for name, expiry, usage in (("expired key", "1d", "encr,sign"), ("signer", "0", "sign")):
        command = ["gpg", "--homedir", keyring.path(), "--batch", "--quiet", "--passphrase", ""]
        if expiry != "0":
            command += ["--faked-system-time", "20200101T000000"]
        algorithm = "rsa2048" if "encr" in usage else "ed25519"
        wanted = [f"{name} <{name[:4]}@x>", algorithm, usage, expiry]
        subprocess.run([*command, "--quick-generate-key", *wanted], check=True, capture_output=True)
    yield keyring.path()
    keyring.close()


def test_without_any_key_nothing_is_encrypted() -> None:
    with GnuPG() as gnupg, pytest.raises(EncryptionError) as caught:
        gnupg.encrypt(DATA)
    assert caught.value.hint == KeyHint.GIVE_ENCRYPTION_KEY()


def test_a_public_key_alone_encrypts_and_does_not_decrypt(pair: KeyPair, home: str) -> None:
    with GnuPG(public_key=pair.public, home=home) as gnupg:
        packed = gnupg.encrypt(DATA)
        with pytest.raises(DecryptionError) as caught:
            gnupg.decrypt(packed)
    assert caught.value.hint == KeyHint.GIVE_PRIVATE_KEY()
    with GnuPG(private_key=pair.private) as gnupg:
        assert gnupg.decrypt(packed) == DATA


def test_a_wrong_passphrase_is_no_damage() -> None:
    with GnuPG(passphrase=Secret("right")) as right, GnuPG(passphrase=Secret("wrong")) as wrong:
        packed = right.encrypt(DATA)
        with pytest.raises(DecryptionError, match="passphrase"):
            wrong.decrypt(packed)
        assert right.decrypt(packed) == DATA


def test_a_wrong_or_missing_passphrase_of_the_private_key_is_said_so() -> None:
    protected = protected_pair()
    with GnuPG(public_key=protected.public) as gnupg:
        packed = gnupg.encrypt(DATA)
    for passphrase in (Secret("wrong"), None):
        with (
            GnuPG(private_key=protected.private, passphrase=passphrase) as gnupg,
            pytest.raises(DecryptionError),
        ):
            gnupg.decrypt(packed)
    with GnuPG(private_key=protected.private, passphrase=Secret(PASSPHRASE)) as gnupg:
        assert gnupg.decrypt(packed) == DATA


def test_no_key_is_told_from_a_wrong_one(pair: KeyPair, home: str) -> None:
    def refused(data: bytes, **given: Any) -> type[Exception]:  # noqa: ANN401 - its parameters
        with GnuPG(home=home, **given) as gnupg, pytest.raises(DecryptionError) as caught:
            gnupg.decrypt(data)
        return caught.type

    with GnuPG(public_key=pair.public) as gnupg:
        for_key = gnupg.encrypt(DATA)
    with GnuPG(passphrase=Secret("open sesame")) as gnupg:
        by_passphrase = gnupg.encrypt(DATA)
    stranger = protected_pair()
    assert refused(for_key) is KeyMissing
    assert refused(for_key, public_key=pair.public) is KeyMissing
    assert refused(by_passphrase) is KeyMissing
    assert refused(by_passphrase, public_key=pair.public) is KeyMissing
    wrong = {"private_key": stranger.private, "passphrase": Secret(PASSPHRASE)}
    assert refused(for_key, **wrong) is DecryptionError
    assert refused(by_passphrase, passphrase=Secret("another")) is DecryptionError


def test_only_the_named_keys_of_the_keyring_open(pair: KeyPair) -> None:
    """Anyone can forge a backup for a public key: the keyring's owner has others than ours."""
    other = make_key_pair("of the owner")
    keyring = Keyring()
    open_gpg(keyring.path()).import_keys(pair.private.reveal())
    open_gpg(keyring.path()).import_keys(other.private.reveal())
    home = keyring.path()
    with GnuPG(public_key=other.public) as forger:
        forged = forger.encrypt(DATA)
    with GnuPG(public_key=pair.public) as ours:
        honest = ours.encrypt(DATA)
    settings: list[dict[str, Any]] = [
        {"recipients": [pair.fingerprint]},
        {"public_key": pair.public},
        {"public_key": pair.public, "passphrase": Secret("open sesame")},
    ]
    for given in settings:
        with GnuPG(home=home, **given) as gnupg:
            assert gnupg.decrypt(honest) == DATA
            with pytest.raises(KeyMissing, match="that no setting names"):
                gnupg.decrypt(forged)
    with GnuPG(home=home, passphrase=Secret("open sesame")) as gnupg:
        for data in (honest, forged):
            with pytest.raises(KeyMissing):
                gnupg.decrypt(data)
        by_passphrase = gnupg.encrypt(DATA)
    with GnuPG(
        home=home, recipients=[other.fingerprint], passphrase=Secret("open sesame")
    ) as gnupg:
        assert gnupg.decrypt(by_passphrase) == DATA
        assert gnupg.decrypt(forged) == DATA
    with GnuPG(home=home) as gnupg:
        assert gnupg.decrypt(honest) == DATA
    keyring.close()


def test_an_expired_key_among_the_named_is_no_hindrance_to_opening(
    pair: KeyPair, home: str
) -> None:
    keyring = Keyring()
    gpg = open_gpg(keyring.path())
    gpg.import_keys(pair.private.reveal())
    gpg.import_keys(open_gpg(home).export_keys("expired key"))
    with GnuPG(public_key=pair.public) as gnupg:
        packed = gnupg.encrypt(DATA)
    recipients = ["expired key", pair.fingerprint]
    with GnuPG(home=keyring.path(), recipients=recipients) as gnupg:
        assert gnupg.decrypt(packed) == DATA
    keyring.close()


def test_the_order_of_recipients_does_not_matter(pair: KeyPair, home: str) -> None:
    other = make_key_pair("other key")
    open_gpg(home).import_keys(other.public)
    names = [pair.fingerprint, other.fingerprint]
    with GnuPG(recipients=names, home=home) as one:
        with GnuPG(recipients=names[::-1], home=home) as two:
            assert one.identity(b"") == two.identity(b"")
        packed = one.encrypt(DATA)
    for private in (pair.private, other.private):
        with GnuPG(private_key=private) as gnupg:
            assert gnupg.decrypt(packed) == DATA


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        ("nobody@example.org", "no key for 'nobody@example.org'"),
        ("expired key", "expired"),
        ("signer", "cannot encrypt"),
    ],
)
def test_a_recipient_that_cannot_be_encrypted_for_is_named(
    home: str, recipient: str, said: str
) -> None:
    with (
        GnuPG(recipients=[recipient], home=home) as gnupg,
        pytest.raises(ConfigurationError, match=said),
    ):
        gnupg.encrypt(DATA)


@pytest.mark.parametrize("text", ["n0 k3y", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"])
def test_text_that_is_no_key_is_said_so(text: str) -> None:
    with GnuPG(public_key=text) as gnupg, pytest.raises(ConfigurationError, match="no OpenPGP key"):
        gnupg.encrypt(DATA)
    with (
        GnuPG(private_key=Secret(text)) as gnupg,
        pytest.raises((DecryptionError, ConfigurationError)) as caught,
    ):
        gnupg.decrypt(b"x")
    assert text not in str(caught.value)


def test_a_passphrase_is_named_by_a_slow_salted_hash() -> None:
    with GnuPG(passphrase=Secret("a")) as one, GnuPG(passphrase=Secret("b")) as two:
        names = {gnupg.identity(salt) for gnupg in (one, two) for salt in (b"1" * 16, b"2" * 16)}
    assert len(names) == 4
    assert all(len(name.removeprefix("passphrase:")) == 32 for name in names)


def test_only_a_passphrase_authenticates_manifests(pair: KeyPair) -> None:
    """Anyone may have the public key."""
    salt = b"1" * 16
    with GnuPG(passphrase=Secret("a")) as one:
        again = EncryptorOnDemand("gpg", lambda: one)
        key = one.mac_key(salt)
        assert key == again.mac_key(salt)
        assert key != one.mac_key(b"2" * 16)
        assert key
        assert key.hex() not in one.identity(salt)
    with GnuPG(passphrase=Secret("b")) as other:
        assert other.mac_key(salt) not in {key, None}
    with GnuPG(public_key=pair.public) as public:
        assert public.mac_key(salt) is None


@pytest.mark.parametrize("passphrase", ["caf\udce9", "two\nlines", "return\r", "null\0"])
def test_a_passphrase_that_gpg_could_not_be_told_is_refused(passphrase: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GnuPG(passphrase=Secret(passphrase))
    assert passphrase[:3] not in caught.value.message
    assert caught.value.hint


def test_plain_gpg_reads_what_is_stored(tmp_path: Path) -> None:
    with GnuPG(passphrase=Secret("open sesame")) as gnupg:
        packed = gnupg.encrypt(DATA)
    command = ["gpg", "--homedir", str(tmp_path), "--batch", "--quiet", "--pinentry-mode"]
    tmp_path.chmod(0o700)
    (tmp_path / "blob.gpg").write_bytes(packed)
    done = subprocess.run(
        [*command, "loopback", "--passphrase-fd", "0", "--decrypt", str(tmp_path / "blob.gpg")],
        input=b"open sesame\n",
        capture_output=True,
        check=True,
    )
    assert done.stdout == DATA
    subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "all"], check=False)


def test_the_private_keyring_is_only_ours_and_goes(pair: KeyPair) -> None:
    gnupg = GnuPG(private_key=pair.private)
    with gnupg:
        gnupg.decrypt(gnupg.encrypt(DATA))
        folder = gnupg._keyring.path()
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        assert len(folder) < 80
    assert not Path(folder).exists()


def test_a_forgotten_keyring_goes_too() -> None:
    keyring = Keyring()
    folder = keyring.path()
    del keyring
    assert not Path(folder).exists()


def test_gpg_gets_none_of_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BACKUP_PASSPHRASE", "s3cr3t-Pl4nted")
    real = shutil.which("gpg")
    spy = tmp_path / "gpg"
    spy.write_text(f'#!/bin/sh\nenv >> "{tmp_path}/env"\nexec {real} "$@"\n', encoding="utf-8")
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with GnuPG(passphrase=Secret("s3cr3t-Pl4nted")) as gnupg:
        assert gnupg.decrypt(gnupg.encrypt(DATA)) == DATA
    seen = (tmp_path / "env").read_text(encoding="utf-8")
    assert "PATH=" in seen
    assert "s3cr3t-Pl4nted" not in seen


def test_what_gpg_says_of_damaged_bytes_need_not_be_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # It shows a user id that it takes for one: packets that a changed byte made.
    says = r"printf 'gpg: DBG: type=user-id \"\037\356\343\"\n[GNUPG:] BADMDC\n' >&2; exit 2"
    spy = tmp_path / "gpg"
    spy.write_text(
        f'#!/bin/sh\ncase "$*" in *--decrypt*) cat > /dev/null; {says};; esac\n'
        f'exec {shutil.which("gpg")} "$@"\n',
        encoding="utf-8",
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with GnuPG(passphrase=Secret("x")) as gnupg:
        packed = gnupg.encrypt(DATA)
        with pytest.raises(DamagedError):
            gnupg.decrypt(packed)


def test_a_missing_gpg_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        GnuPG(passphrase=Secret("x")) as gnupg,
        pytest.raises(ConfigurationError, match="gpg program cannot be run") as caught,
    ):
        gnupg.encrypt(DATA)
    assert "Install GnuPG" in str(caught.value.hint)


def seconds_to_decrypt(encryptor: GnuPG, packed: bytes) -> float:
    """Return the quickest of some tries, after one that may prepare something."""
    assert encryptor.decrypt(packed) == DATA
    tries = []
    for _ in range(5):
        began = time.perf_counter()
        encryptor.decrypt(packed)
        tries.append(time.perf_counter() - began)
    return min(tries)


def test_a_private_keys_passphrase_costs_little_for_each_blob(pair: KeyPair) -> None:
    protected = protected_pair()
    with GnuPG(private_key=pair.private) as gnupg:
        plain = seconds_to_decrypt(gnupg, gnupg.encrypt(DATA))
    with GnuPG(private_key=protected.private, passphrase=Secret(PASSPHRASE)) as gnupg:
        assert seconds_to_decrypt(gnupg, gnupg.encrypt(DATA)) < 8 * plain  # 40 with gpg's default


def test_a_private_key_that_is_given_away_is_slow_to_guess() -> None:
    listed = subprocess.run(
        ["gpg", "--batch", "--list-packets"],
        input=protected_pair().private.reveal().encode(),
        check=True,
        capture_output=True,
    ).stdout.decode()
    counts = re.findall(r"protect count: (\d+)", listed)
    assert counts == [str(STRONGEST)] * 2
