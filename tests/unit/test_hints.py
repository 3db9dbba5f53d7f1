"""A hint is a code with data, and each interface words it."""

import pickle

import pytest
from tests.hints import shown

from brownie_backup.errors import DeletionRefused, StoreError
from brownie_backup.hints import CODES, LIBRARY, BackupHint, Hint, HintCode, Plain, as_hint


def test_the_library_words_a_hint_with_its_functions() -> None:
    error = DeletionRefused("'b0' is held", hint=BackupHint.RELEASE_FIRST(name="b0"))
    assert str(error) == "'b0' is held. Release it first: release_backup(…, 'b0')"
    assert error.message == "'b0' is held"
    assert error.hint == Hint(BackupHint.RELEASE_FIRST, {"name": "b0"})


def test_an_interface_words_it_in_its_own_terms() -> None:
    error = DeletionRefused("'b0' is held", hint=BackupHint.RELEASE_FIRST(name="b0"))
    words = {"verb:release": "'backups release {name}'"}
    assert error.worded(words) == "'b0' is held. Release it first: 'backups release b0'"


def test_an_interface_may_have_a_sentence_of_its_own() -> None:
    hint = BackupHint.RELEASE_FIRST(name="b0")
    assert hint.worded({"hint:release_first": "Ask its holder for {name}"}) == (
        "Ask its holder for b0"
    )


def test_data_is_never_read_as_a_reference() -> None:
    hint = BackupHint.RELEASE_FIRST(name="{verb:list}{x}")
    assert "'{verb:list}{x}'" in str(hint)


def test_a_text_is_a_hint_too() -> None:
    error = StoreError("it broke", hint="Mend it {now}")
    assert error.hint == Plain.TEXT(text="Mend it {now}")
    assert str(error) == "it broke. Mend it {now}"


@pytest.mark.parametrize("nothing", [None, ""])
def test_there_may_be_no_hint(nothing: str | None) -> None:
    assert as_hint(nothing) is None
    assert str(StoreError("it broke", hint=nothing)) == "it broke"


def test_a_hint_survives_the_way_from_another_process() -> None:
    hint = BackupHint.RELEASE_FIRST(name="b0")
    assert pickle.loads(pickle.dumps(hint)) == hint  # noqa: S301 - our own bytes


def test_codes_are_stable_names_that_no_two_hints_share() -> None:
    assert len({str(code) for code in CODES}) == len(CODES)
    for code in CODES:
        assert code == code.name.lower()


@pytest.mark.parametrize("code", CODES)
def test_the_library_words_every_code(code: HintCode) -> None:
    sentence = code(**shown(code)).worded(LIBRARY)
    assert sentence
    assert "{" not in sentence
    assert not sentence.endswith(".")
