"""What of an archive some tables need, by its listing."""

import json

import pytest

from brownie_backup.dumpers.postgres.inventory import parse_inventory
from brownie_backup.dumpers.postgres.restore.choice import choose
from brownie_backup.dumpers.postgres.restore.contents import (
    Contents,
    lines_for,
    parse_contents,
    tables_of,
)
from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.errors import DamagedError

LISTING = """
; Selected TOC Entries:
;
6; 2615 100 SCHEMA - DATA Some One
7; 2615 101 SCHEMA - a b postgres
10; 1247 200 TYPE DATA mood Some One
;\tdepends on: 6
11; 1255 201 FUNCTION public f() postgres
20; 1259 300 TABLE DATA orders Some One
;\tdepends on: 6 10
21; 1259 301 TABLE a b orders more postgres
;\tdepends on: 7
22; 1259 302 SEQUENCE DATA orders_id_seq Some One
;\tdepends on: 20
23; 0 0 SEQUENCE OWNED BY DATA orders_id_seq Some One
;\tdepends on: 22
30; 0 300 TABLE DATA DATA orders Some One
;\tdepends on: 20
31; 0 301 TABLE DATA a b orders more postgres
;\tdepends on: 21
32; 0 0 SEQUENCE SET DATA orders_id_seq Some One
;\tdepends on: 22
40; 2606 400 CONSTRAINT DATA orders orders_pkey Some One
;\tdepends on: 20
41; 1259 401 INDEX DATA by_mood Some One
;\tdepends on: 20 11
42; 0 0 COMMENT DATA INDEX by_mood Some One
;\tdepends on: 41
43; 2606 402 FK CONSTRAINT a b orders more to_orders postgres
;\tdepends on: 21 20 40
44; 826 403 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES postgres
"""
ORDERS, MORE = 20, 21


def numbers(contents: Contents, entries: frozenset[int]) -> list[int]:
    return [int(line.partition(";")[0]) for line in lines_for(contents, entries).splitlines()]


def test_a_listing_is_read() -> None:
    contents = parse_contents(LISTING)
    assert contents[20].kind == "TABLE"
    assert contents[30].kind == "TABLE DATA"
    assert contents[43].needs == {20, 21, 40}
    assert tables_of(contents) == {
        300: TableName("DATA", "orders"),
        301: TableName("a b", "orders more"),
    }


def test_a_table_comes_with_its_own_and_with_what_that_needs() -> None:
    contents = parse_contents(LISTING)
    choice = choose(contents, {ORDERS})
    assert numbers(contents, choice.entries) == [6, 10, 11, 20, 22, 23, 30, 32, 40, 41, 42]
    assert choice.tables == {300}
    assert choice.bare == choice.left_out == ()


def test_a_foreign_key_comes_only_with_both_tables() -> None:
    contents = parse_contents(LISTING)
    alone = choose(contents, {MORE})
    assert numbers(contents, alone.entries) == [7, 21, 31]
    assert [entry.id for entry in alone.left_out] == [43]
    assert 43 in choose(contents, {ORDERS, MORE}).entries


def test_indexes_and_constraints_may_stay_away() -> None:
    contents = parse_contents(LISTING)
    without = choose(contents, {ORDERS, MORE}, indexes=False, constraints=False)
    assert without.entries.isdisjoint({40, 41, 42, 43})
    assert without.left_out == ()


@pytest.mark.parametrize(
    "line", ["9" * 5000 + "; 0 0 TABLE a b c", ";\tdepends on: 1", "1; 2 3 X\n;\tdepends on: no"]
)
def test_a_forged_listing_is_damage(line: str) -> None:
    with pytest.raises(DamagedError, match="the table of contents"):
        parse_contents(line)


RELATION = {"oid": 1, "schema": "public", "name": "t", "columns": ["a"], "format": "text"}
EMPTY: dict[str, list[str]] = {"owners": [], "grantees": [], "needed": [], "tablespaces": []}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "text); DROP TABLE t; --"},
        {"format": "csv"},
        {"name": ""},
        {"name": "a\0b"},
        {"schema": "\ud800"},
        {"columns": []},
        {"columns": ["a", ""]},
    ],
)
def test_a_forged_name_of_a_large_table_is_damage(change: dict[str, object]) -> None:
    whole = {**EMPTY, "extensions": [], "counts": {}, "relations": [RELATION]}
    (found,) = parse_inventory(json.dumps(whole).encode()).relations
    assert found.name == "t"
    forged = {**whole, "relations": [{**RELATION, **change}]}
    with pytest.raises(DamagedError):
        parse_inventory(json.dumps(forged).encode())
