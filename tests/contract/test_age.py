"""age: the real library, and what each failure becomes."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import base64
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyrage
import pytest
from attrs import frozen

from brownie_backup.encryptors.wrapping.age import Age
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.hints import KeyHint, SetupHint, StoreHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.testing import KeyWrapperContract

CONTEXT = KeyContext(
    "repository-1", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
KEY = bytes(range(32))
TEXT = (
    f"brownie-backup/wrapped-key/1\nrepository repository-1\nkey {CONTEXT.key_id}\n"
    f"data-key {KEY.hex()}\n"
)
BY_PASSPHRASE = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBCV0U2SGVUOHlTNGxVTDE1UFBPN3d3IDIwClRH"
    "V0lYbzk1WnU0NHBucUFaMWdEWm04ZThTeVNkNlU4M2NiZFA4ZzRpUVEKLS0tIG5qSUlZTkdlSllIdFpq"
    "Y0E2Ym5rbW1sM083UUJURDQ5NHBpZTV0Y0ZtSVUKD5nrSdlBV3kVItqcmTVgPbefa9osNeVT93qFDLmw"
    "sR54"
)
"""An age file that the passphrase ``hunter2`` opens: to make one takes seconds."""


@frozen
class Pair:
    """An identity in a file, and its recipient."""

    recipient: str
    identity: str
    file: str

    @classmethod
    def in_folder(cls, folder: Path) -> "Pair":
        made = pyrage.x25519.Identity.generate()
        recipient = str(made.to_public())
        file = folder / f"{recipient}.txt"
        text = f"# created: 2026-11-30T20:00:00Z\n# public key: {recipient}\n{made}\n"
        file.write_text(text, encoding="utf-8")
        return cls(recipient, str(made), str(file))

    def age(self, *others: str) -> Age:
        return Age([self.recipient, *others], identity_file=self.file)


@pytest.fixture
def ours(tmp_path: Path) -> Pair:
    return Pair.in_folder(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Pair:
    return Pair.in_folder(tmp_path)


class TestAge(KeyWrapperContract):
    wraps_alone = True

    @pytest.fixture
    def wrapper(self, ours: Pair) -> Age:
        return ours.age()

    @pytest.fixture
    def twin(self, ours: Pair) -> Age:
        return ours.age()

    @pytest.fixture
    def only_wraps(self, ours: Pair) -> Age:
        return Age([ours.recipient])

    @pytest.fixture
    def stranger(self, other: Pair) -> Age:
        return other.age()

    @pytest.fixture
    def secrets(self, ours: Pair) -> Sequence[str]:
        return [ours.identity]


def test_the_identity_of_any_recipient_opens(ours: Pair, other: Pair) -> None:
    both = Age([other.recipient, ours.recipient, ours.recipient])
    wrapped = both.wrap(KEY, CONTEXT)
    expected = ",".join(sorted([ours.recipient, other.recipient]))
    assert both.recipient == ours.age(other.recipient).recipient == Recipient("age", expected)
    for pair in (ours, other):
        assert pair.age().unwrap(wrapped, CONTEXT) == KEY


def test_what_is_stored_is_opened_by_hand(ours: Pair) -> None:
    """As the documentation of the module says, with the library in place of the program."""
    wrapped = ours.age().wrap(KEY, CONTEXT)
    identity = pyrage.x25519.Identity.from_str(ours.identity)
    assert pyrage.decrypt(wrapped, [identity]).decode() == TEXT


def test_a_host_that_has_only_recipients_cannot_open(ours: Pair) -> None:
    host = Age([ours.recipient])
    wrapped = host.wrap(KEY, CONTEXT)
    assert ours.age().unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(KeyMissing, match="no file of age identities") as caught:
        host.unwrap(wrapped, CONTEXT)
    assert caught.value.hint == KeyHint.GIVE_AGE_IDENTITY()


def test_an_identity_of_somebody_else_is_told_from_damage(ours: Pair, other: Pair) -> None:
    wrapped = ours.age().wrap(KEY, CONTEXT)
    with pytest.raises(KeyMissing, match=r"none of the recipients.*\.txt'") as caught:
        Age([ours.recipient], identity_file=other.file).unwrap(wrapped, CONTEXT)
    assert caught.value.hint == KeyHint.GIVE_AGE_IDENTITY()
    with pytest.raises(DamagedError, match="other recipients"):
        ours.age().unwrap(other.age().wrap(KEY, CONTEXT), CONTEXT)


def test_the_file_of_identities_is_read_for_each_call(ours: Pair, other: Pair) -> None:
    wrapper = ours.age()
    wrapped = wrapper.wrap(KEY, CONTEXT)
    file = Path(ours.file)
    file.write_text(f"{other.identity}\r\n\n  {ours.identity}  \n", encoding="utf-8")
    assert wrapper.unwrap(wrapped, CONTEXT) == KEY
    for data, hint in (
        (b"", KeyHint.GIVE_AGE_IDENTITY),
        (b"age-encryption.org/v1\n", KeyHint.GIVE_AGE_IDENTITY),
        (ours.identity[:-1].encode(), KeyHint.GIVE_AGE_IDENTITY),
        (ours.identity.replace("-1", "-1QQ")[:-2].encode(), KeyHint.GIVE_AGE_IDENTITY),
        (b"\xff\xfe", StoreHint.READ_FILE),
        (None, StoreHint.READ_FILE),
    ):
        if data is None:
            file.unlink()
        else:
            file.write_bytes(data)
        with pytest.raises(DecryptionError) as caught:
            wrapper.unwrap(wrapped, CONTEXT)
        assert type(caught.value) is DecryptionError
        assert caught.value.hint
        assert caught.value.hint.code is hint
        assert ours.file in caught.value.message
        assert ours.identity[16:-2] not in f"{caught.value}"
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT + "more",
        TEXT[:-1],
        TEXT.replace("data-key", "data_key"),
        TEXT.replace("repository-1", "repository-2"),
        TEXT.replace(KEY.hex(), KEY.hex().upper()),
        TEXT.replace(KEY.hex(), KEY.hex()[:-1]),
        TEXT.replace(KEY.hex(), ""),
        f"x{TEXT}",
    ],
)
def test_another_content_is_refused(ours: Pair, text: str) -> None:
    """Anyone can write an age file for a recipient."""
    recipient = pyrage.x25519.Recipient.from_str(ours.recipient)
    with pytest.raises(DamagedError) as caught:
        ours.age().unwrap(pyrage.encrypt(text.encode(), [recipient]), CONTEXT)
    assert caught.value.hint == KeyHint.COMPARE_KEY_OBJECT()
    assert KEY.hex() not in str(caught.value)


def test_a_file_that_a_passphrase_opens_and_a_huge_one_are_refused(ours: Pair) -> None:
    for wrapped in (BY_PASSPHRASE, b"x" * (1 << 17)):
        with pytest.raises(DamagedError):
            ours.age().unwrap(wrapped, CONTEXT)


def test_a_recipient_that_is_misspelt_is_told(ours: Pair) -> None:
    last = "q" if ours.recipient[-1] != "q" else "p"
    wrapper = Age([ours.recipient[:-1] + last])
    with pytest.raises(EncryptionError, match="misspelt") as caught:
        wrapper.wrap(KEY, CONTEXT)
    assert caught.value.hint == KeyHint.GIVE_AGE_RECIPIENTS()
    assert caught.value.__context__ is None


def test_what_is_no_recipient_is_refused_without_showing_it(ours: Pair) -> None:
    """A secret identity may be given by mistake."""
    for recipients in (
        *([], [""], ["age1"], [ours.recipient.upper()], [f"{ours.recipient}\n"]),
        *(["ssh-ed25519 AAAA"], [ours.recipient, ours.identity]),
    ):
        with pytest.raises(ConfigurationError) as caught:
            Age(recipients)
        assert caught.value.hint == KeyHint.GIVE_AGE_RECIPIENTS()
        assert ours.identity not in f"{caught.value}{vars(caught.value)}"


def test_the_library_is_imported_when_it_is_used(ours: Pair) -> None:
    program = (
        "import sys, brownie_backup.encryptors.wrapping.age as m; "
        f"m.Age(['{ours.recipient}']); print('pyrage' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_a_missing_library_is_told(ours: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = ours.age().wrap(KEY, CONTEXT)
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(EncryptionError) as cannot_write:
        ours.age().wrap(KEY, CONTEXT)
    with pytest.raises(DecryptionError) as cannot_read:
        ours.age().unwrap(wrapped, CONTEXT)
    for error in (cannot_write.value, cannot_read.value):
        assert "brownie-backup[age]" in error.message
        assert error.hint
        assert error.hint.code is SetupHint.INSTALL_PACKAGE
        assert error.__context__ is None
