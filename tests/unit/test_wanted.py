"""Names of tables, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup import RestoreOptions
from brownie_backup.dumpers.postgres.wanted import TableName, Wanted, parse_table, parse_wanted
from brownie_backup.errors import ConfigurationError

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("public.orders", "public", "orders"),
        ("Public.Ör ders", "Public", "Ör ders"),
        ('public."a.b"', "public", "a.b"),
        ('"a.""b".c', 'a."b', "c"),
    ],
)
def test_a_name_is_taken_as_it_is_written(text: str, schema: str, name: str) -> None:
    assert parse_table(text) == TableName(schema, name)


@pytest.mark.parametrize(
    "text", ["", "orders", ".orders", "public.", "a.b.c", 'a."b', 'a.""', 'a.b"c']
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name a table"):
        parse_table(text)


@given(names, names)
def test_a_name_that_is_shown_can_be_given_back(schema: str, name: str) -> None:
    table = TableName(schema, name)
    assert parse_table(str(table)) == table


def test_nothing_wanted_is_everything() -> None:
    assert not parse_wanted(RestoreOptions())
    wanted = parse_wanted(RestoreOptions(tables=("a.b", "a.b"), into="c.d"))
    assert wanted == Wanted((TableName("a", "b"),), (), TableName("c", "d"))


@pytest.mark.parametrize(
    "options",
    [
        RestoreOptions(tables=("orders",)),
        RestoreOptions(tables=("a.b",), replace=True),
        RestoreOptions(tables=("a.b", "a.c"), into="a.d"),
        RestoreOptions(tables=("a.b",), schemas=("a",), into="a.d"),
        RestoreOptions(schemas=("a",), into="a.b"),
        RestoreOptions(into="a.b"),
        RestoreOptions(indexes=False),
        RestoreOptions(constraints=False),
    ],
)
def test_what_makes_no_sense_is_refused(options: RestoreOptions) -> None:
    with pytest.raises(ConfigurationError):
        parse_wanted(options)
