"""Secrets do not show."""

import copy
import json
import logging
import pickle

import pytest

from brownie_backup.format.converter import to_json
from brownie_backup.secret import Secret

PLANTED = "s3cr3t-Pl4nted"
SECRET = Secret(PLANTED)


def test_only_reveal_gives_it_away() -> None:
    assert SECRET.reveal() == PLANTED
    shown = [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r:>20}", str([SECRET, {1: SECRET}])]
    assert not any(PLANTED in text for text in shown)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps({"a": SECRET}, protocol)
    assert PLANTED not in str(caught.value)


def test_it_cannot_be_written_or_copied_by_accident() -> None:
    for write in (json.dumps, to_json, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            write({"a": SECRET}) if write is not copy.copy else write(SECRET)
        assert PLANTED not in str(caught.value)


def test_a_log_shows_stars(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("the passphrase is %s", SECRET)
    assert "********" in caplog.text
    assert PLANTED not in caplog.text


def test_it_has_no_attributes_to_dump() -> None:
    assert not hasattr(SECRET, "__dict__")


def test_equal_secrets_are_equal_and_nothing_else_is() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert hash(Secret("a")) != hash("a")


def test_an_empty_one_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


def test_secrets_that_are_no_text_can_be_compared() -> None:
    assert Secret("caf\udce9") != Secret("x")  # as os.environ gives a variable in Latin-1
