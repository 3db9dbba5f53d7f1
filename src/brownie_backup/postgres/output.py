"""The output of PostgreSQL's programs, and its meaning. Pure."""

import re
from collections.abc import Iterator

_TIMEOUT_UNKNOWN = (
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
    '"transaction_timeout"\nCommand was: SET transaction_timeout = 0;'
)


def lines_of(said: str) -> Iterator[str]:
    """Yield each message of a program, with its continuation lines."""
    message = ""
    for line in said.split("\n"):
        if message and not re.match(r"(pg_\w+|psql)\b.*?: ", line):
            message += "\n" + line
        else:
            if message:
                yield message
            message = line
    if message:
        yield message


def forgive(status: int, messages: list[str]) -> tuple[int, list[str]]:
    """Return status and messages of pg_restore without the one harmless error.

    Since version 17 it sets transaction_timeout to 0, which older servers don't have. Its own count
    of errors must show no other error. So it then runs without --jobs, whose processes overwrite
    each other's messages.
    """
    messages = [message for message in messages if message != "pg_restore: while INITIALIZING:"]
    known = [message for message in messages if message == _TIMEOUT_UNKNOWN]
    counted = [m for m in messages if "errors ignored on restore" in m]
    others = [m for m in messages if m not in known and m not in counted]
    if known and not others and all(m.endswith(f": {len(known)}") for m in counted):
        return 0, []
    return status, others


def is_about_database(line: str) -> bool:
    """Whether a line of ``pg_restore --list`` is about the database itself."""
    if line.startswith(";"):
        return False
    fields = line.split(" ", 3)[-1]
    return fields.startswith(
        (
            "DATABASE - ",
            "DATABASE PROPERTIES - ",
            "ACL - DATABASE ",
            "COMMENT - DATABASE ",
            "SECURITY LABEL - DATABASE ",
        )
    )
