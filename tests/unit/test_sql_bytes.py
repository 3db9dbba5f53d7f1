"""SQL in bytes that mean the same in every encoding."""

import pytest

from brownie_backup.postgres.client import quote_name, quote_text
from brownie_backup.postgres.encoding import sql_bytes


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT "a b" FROM "c""d"', b'SELECT "a b" FROM "c""d"'),
        ('SELECT "ä"', rb'SELECT U&"\+0000e4"'),
        ('SELECT "ä""\\", "b"', rb'SELECT U&"\+0000e4""\\", "b"'),
        ('SELECT "🙂", "ok"', rb'SELECT U&"\+01f642", "ok"'),
        (f"SELECT {quote_text('ä')}", rb"SELECT E'\U000000e4'"),
        (f"SELECT {quote_text(quote_name('ä'))}", rb"""SELECT E'"\U000000e4"'"""),
        (
            """SELECT E'it''s \\' "ä' || "ö" """,
            rb"""SELECT E'it''s \' "\U000000e4' || U&"\+0000f6" """,
        ),
        ("""SELECT "E'ä" """, rb"""SELECT U&"E'\+0000e4" """),
        ("ctid < '(0,0)'::tid", b"ctid < '(0,0)'::tid"),
    ],
)
def test_what_is_not_ascii_is_escaped(sql: str, expected: bytes) -> None:
    assert sql_bytes(sql, "EUC_JP") == expected


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    name = b'"\xff\xc3\xa9"'
    assert sql_bytes(name.decode("utf-8", "surrogateescape"), "SQL_ASCII") == name
