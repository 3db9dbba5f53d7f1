"""The remedies for errors of a dump, by PostgreSQL's words for them, or its codes. Pure."""

from brownie_backup.hints import DatabaseHint, Hint
from brownie_backup.postgres.limits import remedy

_LOCK_NOT_AVAILABLE = "55P03"
_HINTS = {
    "row-level security": DatabaseHint.BYPASS_OR_OWN,
    "permission denied for large object": DatabaseHint.GRANT_LARGE_OBJECTS,
    "permission denied": DatabaseHint.GRANT_READ_TO_BACKUP_ROLE,
    "lock timeout": DatabaseHint.LOCKED_TABLE,
    "invalid snapshot identifier": DatabaseHint.SNAPSHOT_ELSEWHERE,
    'snapshot "': DatabaseHint.SNAPSHOT_ELSEWHERE,
    # pg_dumpall reports nothing more
    "could not connect to database": DatabaseHint.TOO_MANY_CONNECTIONS,
}


def dump_hint(said: str, sqlstate: str = "") -> Hint:
    """Return the remedy for an error, by the first known words that a program says, or its code."""
    if sqlstate == _LOCK_NOT_AVAILABLE:
        return DatabaseHint.LOCKED_TABLE()
    if found := remedy(said):
        return found
    for words, hint in _HINTS.items():
        if words in said:
            return hint()
    return DatabaseHint.NOTHING_KEPT()
