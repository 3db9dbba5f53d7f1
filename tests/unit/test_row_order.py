"""The order in which rows are loaded."""

from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.row_order import RowStep, plan_rows
from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.model import Relation, RowFormat

CONTENTS = parse_contents("""
20; 1259 300 TABLE public a postgres
21; 1259 301 TABLE public c postgres
22; 1259 302 TABLE public e f postgres
23; 1259 303 TABLE public b postgres
24; 1259 304 TABLE public d postgres
30; 0 300 TABLE DATA public a postgres
31; 0 301 TABLE DATA public c postgres
32; 0 302 TABLE DATA public e f postgres
33; 0 900 TABLE DATA topology layer postgres
34; 0 901 TABLE DATA topology topology postgres
35; 0 0 SEQUENCE SET public a_id_seq postgres
40; 2606 400 CONSTRAINT public a a_pkey postgres
""")
LARGE = tuple(
    Relation(oid, "public", name, (), RowFormat.TEXT) for oid, name in ((304, "d"), (303, "b"))
)
DEFINITIONS, ROWS = {20, 21, 22, 23, 24}, {30, 31, 32, 33, 34}


def plan(*dependent: TableName, jobs: int = 4) -> list[RowStep]:
    return [*plan_rows(CONTENTS, CONTENTS.keys(), LARGE, frozenset(dependent), jobs)]


def step(*entries: int, tables: tuple[int, ...] = (), jobs: int = 1) -> RowStep:
    return RowStep(frozenset(entries), tables, jobs)


def test_one_job_keeps_the_order_of_the_archive_and_large_tables_have_their_place_in_it() -> None:
    assert plan(TableName("public", "a"), jobs=1) == [
        step(*DEFINITIONS, 30),
        step(tables=(303,)),
        step(31),
        step(tables=(304,)),
        step(32, 33, 34, 35, 40),
    ]


def test_tables_that_read_others_come_last_one_after_the_other() -> None:
    names = [TableName("public", name) for name in ("a", "d", "e f", "gone")]
    assert plan(*names) == [
        step(33, 34),
        step(*DEFINITIONS, 31, 35, 40, tables=(303,), jobs=4),
        step(30),
        step(tables=(304,)),
        step(32),
    ]


def test_tables_of_an_extension_come_first_unless_they_read_others() -> None:
    assert plan(TableName("topology", "layer"), TableName("public", "a")) == [
        step(34),
        step(*DEFINITIONS, 31, 32, 35, 40, tables=(304, 303), jobs=4),
        step(33),
        step(30),
    ]


def test_a_name_that_a_listing_cannot_show_is_found() -> None:
    contents = parse_contents(
        "20; 1259 300 TABLE public a b x\n30; 0 300 TABLE DATA public a \u4e00b x"
    )
    steps = plan_rows(contents, {20, 30}, (), {TableName("public", "a\n\u4e00b")}, 4)
    assert [*steps] == [step(20, jobs=4), step(30)]
