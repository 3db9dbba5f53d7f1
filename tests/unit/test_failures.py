"""What pg_restore could not restore, by its messages."""

import pytest

from brownie_backup import Level, RestoreOptions
from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.exclusion import exclude, extension_entries
from brownie_backup.dumpers.postgres.restore.expected import differences, expected_objects
from brownie_backup.dumpers.postgres.restore.failures import (
    Failure,
    Failures,
    is_fatal,
    parse_failures,
)
from brownie_backup.errors import RestoreFailed
from brownie_backup.postgres.output import lines_of

CONTENTS = parse_contents(
    """
2; 3079 100 EXTENSION - hstore BLANK
10; 1259 200 TABLE public orders postgres
20; 1259 201 TABLE public lines postgres
30; 0 200 TABLE DATA public orders postgres
;\tdepends on: 10
31; 0 201 TABLE DATA public lines postgres
;\tdepends on: 20
32; 2606 300 CONSTRAINT public orders orders_pkey postgres
;\tdepends on: 10
33; 2606 301 FK CONSTRAINT public lines to_orders postgres
;\tdepends on: 20 10 32
34; 1259 302 VIEW public of_both postgres
;\tdepends on: 20 10
35; 0 0 COMMENT public VIEW of_both postgres
;\tdepends on: 34
""".replace("BLANK", "")
)
SCRIPT = """
--
-- TOC entry 10 (class 1259 OID 200)
-- Name: orders; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.orders (
    id integer
);

ALTER TABLE public.orders OWNER TO someone;

--
-- TOC entry 33 (class 2606 OID 301)
-- Name: lines to_orders; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.lines
    ADD CONSTRAINT to_orders FOREIGN KEY (id) REFERENCES public.orders(id);
"""
SAID = """
pg_restore: error: could not execute query: ERROR:  role "someone" does not exist
Command was: ALTER TABLE public.orders OWNER TO someone;

pg_restore: error: COPY failed for table "lines": ERROR:  invalid byte sequence
CONTEXT:  COPY lines, line 2
pg_restore: error: could not execute query: ERROR:  relation "public.orders" does not exist
Command was: COPY public.orders (id) FROM stdin;
pg_restore: error: could not execute query: ERROR:  violates foreign key
DETAIL:  Key (id)=(7) is not present.
Command was: ALTER TABLE ONLY public.lines
    ADD CONSTRAINT to_orders FOREIGN KEY (id) REFERENCES public.orders(id);

pg_restore: error: could not execute query: ERROR:  something else
Command was: SELECT 1;
pg_restore: warning: errors ignored on restore: 5"""


def failures() -> list[Failure]:
    return list(parse_failures(list(lines_of(SAID)), CONTENTS, lambda: SCRIPT))


def test_each_error_is_given_to_its_object() -> None:
    assert [(each.kind, each.name, each.entry) for each in failures()] == [
        ("TABLE", "public.orders", 10),
        ("TABLE DATA", "public.lines", 31),
        ("TABLE DATA", "public.orders", 30),
        ("FK CONSTRAINT", "public.lines to_orders", 33),
        ("", "pg_restore", None),
    ]
    assert failures()[3].error == "ERROR: violates foreign key DETAIL: Key (id)=(7) is not present."


def test_a_lost_server_is_no_objects_fault() -> None:
    lines = list(lines_of(SAID))
    assert not is_fatal(lines)
    assert is_fatal(lines[:-1])  # killed, or ended at once
    lost = "pg_restore: error: could not execute query: server closed the connection unexpectedly"
    assert is_fatal([lost, *lines])
    named = lines[0].replace("OWNER TO someone", 'OWNER TO "out of memory"')
    assert not is_fatal([named, *lines])


def test_failures_end_the_restore_at_once_only_if_nothing_is_kept() -> None:
    with pytest.raises(RestoreFailed, match="exclude_table"):
        Failures(RestoreOptions()).add(*failures())
    kept = Failures(RestoreOptions(keep_failed=True))
    kept.add(*failures())
    with pytest.raises(RestoreFailed) as caught:
        list(kept.settle())
    assert len(caught.value.errors) == len(failures())
    accepted = Failures(RestoreOptions(accept_errors=True))
    accepted.add(*failures())
    assert {finding.level for finding in accepted.settle()} == {Level.WARNING}


def test_what_failed_is_not_expected() -> None:
    expected = expected_objects(CONTENTS, frozenset({33}))
    assert expected == {"tables": 2, "keys": 1, "views": 1, "extensions": 1}
    assert differences(expected, {"tables": 3, "keys": 1}) == (
        "extensions: 0 of 1",
        "views: 0 of 1",
    )


def test_what_needs_an_excluded_table_goes_with_it_and_is_named() -> None:
    left = exclude(CONTENTS, {10}, {20})
    assert sorted(left.contents) == [2, 20]
    assert left.unloaded == {200, 201, 302}
    assert [entry.id for entry, _ in left.needing] == [33, 34]
    assert extension_entries(CONTENTS, "hstore") == {2}
