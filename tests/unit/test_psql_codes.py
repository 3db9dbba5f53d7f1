"""The code of an error: the same in whatever language the server speaks."""

import pytest

from brownie_backup.postgres.output import split_code

ENGLISH = """\
psql:<stdin>:1: WARNING:  01000: careful
LOCATION:  exec_stmt_raise, pl_exec.c:3909
psql:<stdin>:2: ERROR:  42P01: relation "x" does not exist
LINE 1: SELECT * FROM x;
                      ^
LOCATION:  parserOpenTable, parse_relation.c:1498
"""
PLAIN = """\
psql:<stdin>:1: WARNING:  careful
psql:<stdin>:2: ERROR:  relation "x" does not exist
LINE 1: SELECT * FROM x;
                      ^"""
GERMAN = """\
psql:<stdin>:3: FEHLER:  55P03: konnte Sperre für Relation »a« nicht setzen
ORT:  RangeVarGetRelidExtended, namespace.c:427
"""


@pytest.mark.parametrize(
    ("said", "code", "plain"),
    [
        (
            ENGLISH,
            "42P01",
            PLAIN,
        ),
        (
            GERMAN,
            "55P03",
            "psql:<stdin>:3: FEHLER:  konnte Sperre für Relation »a« nicht setzen",
        ),
        ("psql: error: connection failed", "", "psql: error: connection failed"),
        ("", "", ""),
    ],
)
def test_the_last_code_is_taken_out(said: str, code: str, plain: str) -> None:
    assert split_code(said) == (plain, code)
