"""The errors: one tree, drawn where they are, and no secret in what they say."""

import inspect
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup import errors
from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    RestoreFailed,
    StoreUnavailable,
    redact,
)
from brownie_backup.hints import Plain

CLASSES: dict[str, type[BackupError]] = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BackupError)
}
PLANTED = "s3cr3t-Pl4nted"


def drawn() -> dict[str, str | None]:
    """Return each class in the tree of the docstring, with what is drawn above it."""
    tree: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"    ([│ ]*)([├└]── )?([A-Z]\w+)", line)
        if branch:
            depth = len(branch[1]) // 4 + bool(branch[2])
            tree[branch[3]] = above[depth - 1] if depth else None
            above[depth:] = [branch[3]]
    return tree


def test_every_error_is_exported() -> None:
    assert set(errors.__all__) == set(CLASSES) | {"redact"}
    assert errors.__all__ == sorted(errors.__all__)


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    real = {name: kind.__base__ and kind.__base__.__name__ for name, kind in CLASSES.items()}
    assert drawn() == real | {"BackupError": None}


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_says_what_happened_and_what_to_do(name: str) -> None:
    said: Any = ["it broke"] if name == "ConfigurationError" else "it broke"
    error = CLASSES[name](said, hint="Mend it")
    assert isinstance(error, BackupError)
    assert error.hint == Plain.TEXT(text="Mend it")
    assert (error.message, str(error)) == ("it broke", "it broke. Mend it")
    assert str(CLASSES[name](said)) == "it broke"
    assert CLASSES[name].__doc__


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_survives_the_way_from_another_process(name: str) -> None:
    said: Any = ["a", "b"] if name == "ConfigurationError" else "a"
    error = CLASSES[name](said, hint="Mend it")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert vars(again) == vars(error)
    assert (type(again), str(again)) == (type(error), str(error))


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError(["a is wrong", "b is wrong"]),
        StoreUnavailable("it broke", retry_after_seconds=2.5),
        RestoreFailed("it broke", errors=["one", "two"]),
    ],
)
def test_details_survive_too(error: BackupError) -> None:
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)  # noqa: S301 - our own bytes


def test_details_are_kept() -> None:
    error = ConfigurationError(["a is wrong", "b is wrong"])
    assert error.problems == ("a is wrong", "b is wrong")
    assert str(error) == "a is wrong; b is wrong"
    assert RestoreFailed("it broke", errors=["one", "two"]).errors == ("one", "two")


@pytest.mark.parametrize(
    "text",
    [
        "connection to postgresql://u:{}@h/db failed",
        "POSTGRES://u:{}@h",
        "s3://key:{}@bucket",
        "password={} host=x",
        "host=x password='{} it''s'",
        r"password='{}\' {}'",
        "PGPASSWORD={}",
        "sslpassword = {}",
        "passphrase={}",
        "secret_key={}",
    ],
)
def test_what_looks_like_a_password_is_redacted(text: str) -> None:
    assert PLANTED not in redact(text.replace("{}", PLANTED))
    assert "********" in redact(text.replace("{}", PLANTED))


def test_a_password_with_an_at_sign_is_redacted_whole() -> None:
    assert PLANTED not in redact(f"postgresql://u:p@{PLANTED}@h/db")


@pytest.mark.parametrize(
    "text",
    [
        "pg_dump: error: query failed: ERROR:  permission denied for table secrets",
        'FATAL:  password authentication failed for user "boss"',
        "see https://www.postgresql.org/docs/18/ for more",
        "connection to server at 10.0.0.1, port 5432 failed",
        "",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@given(st.text(), st.text(), st.text(min_size=4).filter(lambda s: "*" not in s))
def test_given_secrets_never_remain(before: str, after: str, secret: str) -> None:
    assert secret not in redact(before + secret + after, [secret, ""])


@given(st.text("u:p@/='\\ password secret\n"))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_short_secret_hides_no_part_of_a_word() -> None:
    assert redact("it does not exist", ["x"]) == "it does not exist"
    assert redact("the token abc of abcd", ["abc"]) == "the token ******** of abcd"
    assert redact("longer: xxs3cr3txx", ["s3cr3t"]) == "longer: xx********xx"
