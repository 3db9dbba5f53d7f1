"""Why there is no connection: libpq has words for that, and no codes."""

import pytest

from brownie_backup.errors import ConnectionFailed, DatabaseNotFound
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.errors import not_connected

AT = 'connection failed: connection to server at "127.0.0.1", port 5 failed: '


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("FATAL:  sorry, too many clients already", DatabaseHint.TOO_MANY_CONNECTIONS),
        (
            "FATAL:  remaining connection slots are reserved for superusers",
            DatabaseHint.TOO_MANY_CONNECTIONS,
        ),
        ("FATAL:  unsupported startup parameter in options: a", DatabaseHint.NO_POOLER),
        ("Connection refused", DatabaseHint.CHECK_CONNECTION),
        ('FATAL:  password authentication failed for user "u"', DatabaseHint.CHECK_PASSWORD),
        ("fe_sendauth: no password supplied", DatabaseHint.CHECK_PASSWORD),
    ],
)
def test_what_to_do_about_it(said: str, hint: DatabaseHint) -> None:
    error = not_connected(AT + said)
    assert isinstance(error, ConnectionFailed)
    assert error.message == f'no connection to PostgreSQL: "127.0.0.1", port 5: {said}'
    assert error.hint == hint()


def test_a_database_that_is_not_there_is_named() -> None:
    error = not_connected(AT + 'FATAL:  database "my "shop"" does not exist')
    assert isinstance(error, DatabaseNotFound)
    assert error.message == "there is no database 'my \"shop\"' on the server"


def test_no_password_is_repeated() -> None:
    error = not_connected("invalid: postgresql://u:s3cr3t@h password=s3cr3t")
    assert "s3cr3t" not in str(error)
