"""Our errors for those of libpq and of the server."""

import re
from typing import TYPE_CHECKING

from brownie_backup.errors import ConnectionFailed, DatabaseError, DatabaseNotFound, redact
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.limits import remedy, shortened

if TYPE_CHECKING:
    from psycopg import Error

_INVALID_CATALOG_NAME = "3D000"
_ATTEMPT = re.compile(
    r"(?:connection failed: )?connection to server (?:at|on socket) (.*?) failed: "
)
_PASSWORD = re.compile("password authentication failed|no password supplied|empty password")
_MISSING = re.compile(r'database "(.*)" does not exist')


def not_connected(said: str) -> ConnectionFailed | DatabaseNotFound:
    """Return the error for a failed connection, for which libpq has words, but no codes."""
    text = redact(said).strip()
    if missing := _MISSING.search(text):
        return _not_found(missing[1])
    hint = remedy(text) or DatabaseHint.CHECK_CONNECTION()
    if "unsupported startup parameter" in text:
        hint = DatabaseHint.NO_POOLER()
    elif _PASSWORD.search(text):
        hint = DatabaseHint.CHECK_PASSWORD()
    text = _ATTEMPT.sub(r"\1: ", text)
    return ConnectionFailed(f"no connection to PostgreSQL: {text}", hint=hint)


def statement_failed(error: "Error") -> DatabaseError | DatabaseNotFound:
    """Return the error for a failed statement."""
    if not error.sqlstate:  # it does not come from the server
        msg = f"the connection to PostgreSQL was lost: {redact(str(error)).strip()}"
        return ConnectionFailed(msg, hint=DatabaseHint.SEE_SERVER_LOG)
    diag = error.diag
    fields = {
        diag.severity: diag.message_primary,
        "DETAIL": diag.message_detail,
        "HINT": diag.message_hint,
        "CONTEXT": diag.context,
    }
    text = redact("\n".join(f"{name}: {said}" for name, said in fields.items() if said))
    if error.sqlstate == _INVALID_CATALOG_NAME and (missing := _MISSING.search(text)):
        return _not_found(missing[1])
    msg = f"PostgreSQL said: {shortened(text)}"
    return DatabaseError(msg, hint=remedy(text), sqlstate=error.sqlstate)


def _not_found(database: str) -> DatabaseNotFound:
    msg = f"there is no database '{database}' on the server"
    return DatabaseNotFound(msg, hint=DatabaseHint.LIST_DATABASES)
