"""Names of backups and labels."""

import re
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import NOON

from brownie_backup.errors import InvalidName
from brownie_backup.format.layout import manifest_key, name_in
from brownie_backup.format.names import (
    MAX_LABELS,
    MAX_LENGTH,
    check_labels,
    check_name,
    default_name,
    default_name_time,
)

LETTERS = string.ascii_letters + string.digits
good_names = st.text(LETTERS + "._-", min_size=1, max_size=MAX_LENGTH).filter(
    lambda name: name[0] in LETTERS and name[-1] != "." and name.lower() != "latest"
)


@given(good_names)
def test_a_good_name_is_taken_and_found_again_in_its_key(name: str) -> None:
    assert check_name(name) == name
    assert name_in(manifest_key(name)) == name


@given(st.text())
def test_whatever_is_taken_every_store_can_hold(name: str) -> None:
    try:
        check_name(name)
    except InvalidName:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "_x",
        "a/b",
        "a\\b",
        "a b",
        "ä",
        "a\n",
        "a\0",
        "x" * 129,
        "a.",
        "../a",
        "a*",
        "a'b",
        "a%2F",
        "latest",
        "Latest",
        "LATEST",
        "\u0661",
    ],
)
def test_a_name_that_some_store_could_not_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert caught.value.hint


def test_a_refusal_does_not_repeat_an_endless_name() -> None:
    with pytest.raises(InvalidName) as caught:
        check_name("x" * 100_000)
    assert len(str(caught.value)) < 500


@given(st.text(min_size=1, max_size=200), st.datetimes(timezones=st.just(UTC)))
def test_the_default_name_is_good_whatever_the_database_is_called(
    database: str, now: datetime
) -> None:
    name = default_name(database, now, "3f9a")
    assert check_name(name) == name
    assert name.endswith("-3f9a")


def test_the_default_name_of_a_plain_database_is_readable() -> None:
    now = datetime(2026, 1, 15, 2, tzinfo=UTC)
    assert default_name("shop", now, "3f9a") == "shop-20260115T020000Z-3f9a"
    assert default_name("my_shop-2", now, "3f9a") == "my_shop-2-20260115T020000Z-3f9a"


def test_the_default_name_is_in_utc() -> None:
    eastern = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert default_name("shop", eastern, "x") == default_name("shop", NOON, "x")


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)), min_size=2, max_size=5))  # noqa: DTZ001 - UTC is added below
def test_default_names_of_a_database_sort_by_time(times: list[datetime]) -> None:
    times = sorted({time.replace(microsecond=0, tzinfo=UTC) for time in times})
    names = [default_name("a shop", time, "0000") for time in times]
    assert names == sorted(names)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True))
def test_different_databases_have_different_default_names(databases: list[str]) -> None:
    assert len({default_name(database, NOON, "x") for database in databases}) == len(databases)


def test_databases_that_begin_with_the_same_sixty_letters_stay_apart() -> None:
    names = {default_name("x" * 60 + end, NOON, "t") for end in ("", "1", "2")}
    assert len(names) == 3


def test_a_name_with_bytes_that_are_no_text_gets_a_default_name() -> None:
    assert check_name(default_name("caf\udce9", NOON, "t"))


@pytest.mark.parametrize(
    "labels",
    [{}, {"env": ""}, {"env": "prod"}, {"a.b/c_d-e": "größer = 1"}, {"9": "x" * 128}],
)
def test_good_labels_are_taken(labels: dict[str, str]) -> None:
    assert check_labels(labels) == labels


@pytest.mark.parametrize(
    "labels",
    [
        {"": "x"},
        {"-a": "x"},
        {"a b": "x"},
        {"ä": "x"},
        {"k" * 129: "x"},
        {"a": "x" * 129},
        {"a": "two\nlines"},
        {"a": "\x1b[31m"},
        {"a": "\udce9"},
        {f"k{n}": "" for n in range(MAX_LABELS + 1)},
    ],
    ids=lambda labels: repr(labels)[:20],
)
def test_bad_labels_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(InvalidName):
        check_labels(labels)


def test_as_many_labels_as_allowed_are_taken() -> None:
    labels = {f"k{n}": "" for n in range(MAX_LABELS)}
    assert check_labels(labels) == labels


@given(st.text(min_size=1, max_size=70), st.timedeltas(timedelta(), timedelta(days=9999)))
def test_a_default_name_tells_its_time(database: str, later: timedelta) -> None:
    name = default_name(database, NOON + later, "3f9a")
    assert default_name_time(name) == (NOON + later).replace(microsecond=0)


@pytest.mark.parametrize("name", ["shop", "shop-20260115T020000Z", "shop-20261315T020000Z-3f9a"])
def test_another_name_tells_no_time(name: str) -> None:
    assert default_name_time(name) is None
