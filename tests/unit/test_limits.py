"""Limits of a server and damage are known by PostgreSQL's words, and long words are cut."""

import pytest

from brownie_backup.hints import DatabaseHint, Hint
from brownie_backup.postgres.limits import remedy, shortened


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            'connection to server failed: FATAL:  too many connections for role "the "reader""\n',
            DatabaseHint.ROLE_CONNECTION_LIMIT(role='the "reader"'),
        ),
        (
            'FATAL:  too many connections for database "shop"',
            DatabaseHint.DATABASE_CONNECTION_LIMIT(database="shop"),
        ),
        ("FATAL:  sorry, too many clients already", DatabaseHint.TOO_MANY_CONNECTIONS()),
        (
            "FATAL:  remaining connection slots are reserved for superusers",
            DatabaseHint.TOO_MANY_CONNECTIONS(),
        ),
        ("TIPP:  Sie müssen eventuell max_locks_per_transaction erhöhen", DatabaseHint.MAX_LOCKS()),
        (
            "FATAL:  terminating connection due to conflict with recovery",
            DatabaseHint.STANDBY_DELAY(),
        ),
        (
            "ERROR:  invalid page in block 3 of relation base/5/16384",
            DatabaseHint.DAMAGED_TABLE(),
        ),
        (
            'ERROR:  could not read block 3 in file "base/5/16384": Input/output error',
            DatabaseHint.DAMAGED_TABLE(),
        ),
        (
            "ERROR:  missing chunk number 0 for toast value 16390 in pg_toast_16384",
            DatabaseHint.DAMAGED_TABLE(),
        ),
        ('ERROR:  relation "t" does not exist', None),
    ],
)
def test_each_limit_has_its_remedy(said: str, hint: Hint | None) -> None:
    assert remedy(said) == hint


def test_the_names_of_all_tables_are_not_repeated() -> None:
    query = "LOCK TABLE " + ", ".join(f"public.table_{n}" for n in range(1000))
    said = f"pg_dump: error: query failed: ERROR:  out\npg_dump: detail: Query was: {query}"
    first, second = shortened(said).split("\n")
    assert first == "pg_dump: error: query failed: ERROR:  out"
    assert second.startswith("pg_dump: detail: Query was: LOCK TABLE public.table_0")
    assert len(second) < 500
