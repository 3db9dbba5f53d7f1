"""What PostgreSQL's programs print, and what it means. Pure."""

import re
from collections.abc import Iterator

_TIMEOUT_UNKNOWN = (
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
    '"transaction_timeout"\nCommand was: SET transaction_timeout = 0;'
)


def lines_of(said: str) -> Iterator[str]:
    """Yield each message that a program said, its continuation lines with it."""
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
    """Return status and messages of pg_restore without the one error that means nothing.

    From 17 on it sets transaction_timeout to 0, which older servers don't have. By its own count
    of errors nothing else may have gone wrong; so it runs without --jobs then, whose processes
    write over each other.
    """
    messages = [message for message in messages if message != "pg_restore: while INITIALIZING:"]
    known = [message for message in messages if message == _TIMEOUT_UNKNOWN]
    counted = [m for m in messages if "errors ignored on restore" in m]
    others = [m for m in messages if m not in known and m not in counted]
    if known and not others and all(m.endswith(f": {len(known)}") for m in counted):
        return 0, []
    return status, others


def is_about_database(line: str) -> bool:
    """Whether a line of ``pg_restore --list`` is about the database as such."""
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
