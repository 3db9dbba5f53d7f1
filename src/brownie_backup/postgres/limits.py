"""Limits of a server, and damage, by PostgreSQL's words for them. Pure.

Its programs, and refused connections, give no codes.
"""

import re

from brownie_backup.hints import DatabaseHint, Hint

_OF_ROLE = re.compile(r'too many connections for role "(.*?)"(?:\n|$)', re.MULTILINE)
_OF_DATABASE = re.compile(r'too many connections for database "(.*?)"(?:\n|$)', re.MULTILINE)
_CROWDED = re.compile("too many clients|remaining connection slots")
_DAMAGED = re.compile(
    "invalid page in block|could not read block|missing chunk number|unexpected chunk number|"
    "compressed (?:pglz|lz4) data is corrupt"
)
_LONGEST = 400
"""Programs repeat the command that failed, with the names of all tables."""


def remedy(said: str) -> Hint | None:
    """Return the remedy if PostgreSQL's words are about a limit or about damage."""
    if role := _OF_ROLE.search(said):
        return DatabaseHint.ROLE_CONNECTION_LIMIT(role=role[1])
    if database := _OF_DATABASE.search(said):
        return DatabaseHint.DATABASE_CONNECTION_LIMIT(database=database[1])
    if _CROWDED.search(said):
        return DatabaseHint.TOO_MANY_CONNECTIONS()
    # The hint of the error, which names the parameter in every language.
    if "max_locks_per_transaction" in said:
        return DatabaseHint.MAX_LOCKS()
    if "conflict with recovery" in said:
        return DatabaseHint.STANDBY_DELAY()
    return DatabaseHint.DAMAGED_TABLE() if _DAMAGED.search(said) else None


def shortened(said: str) -> str:
    """Return the words of a program, each long line cut."""
    lines = said.split("\n")
    return "\n".join(f"{x[:_LONGEST]} …" if len(x) > _LONGEST else x for x in lines)
