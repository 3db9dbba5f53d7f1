"""What only some roles may restore, and grants to roles that are gone. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from brownie_backup.dumpers.postgres.restore.contents import Entry
from brownie_backup.dumpers.postgres.restore.statements import to_dropped_roles
from brownie_backup.hints import HintCode, RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.wording import counted

# By the OID of the system catalogue, which is the same in all versions.
_ONLY_SUPERUSERS: Mapping[int, tuple[str, HintCode]] = {
    2328: ("foreign-data wrappers", RestoreHint.AS_SUPERUSER),
    2601: ("access methods", RestoreHint.AS_SUPERUSER),
    2616: ("operator classes", RestoreHint.AS_SUPERUSER),
    2753: ("operator families", RestoreHint.AS_SUPERUSER),
    3466: ("event triggers", RestoreHint.EXCLUDE_EVENT_TRIGGERS),
    3601: ("text search parsers", RestoreHint.AS_SUPERUSER),
    3764: ("text search templates", RestoreHint.AS_SUPERUSER),
    6237: ("publications of schemas", RestoreHint.AS_SUPERUSER),
}
_BY_STATEMENT = {
    "publications of all tables": re.compile("(CREATE PUBLICATION .*) FOR ALL TABLES"),
    "functions in C": re.compile(
        r"(CREATE (?:FUNCTION|PROCEDURE) .*)\n    LANGUAGE (?:c|internal)\b"
    ),
}
SUBJECTS = frozenset({what for what, _ in _ONLY_SUPERUSERS.values()} | _BY_STATEMENT.keys())
"""What findings about rights are about."""
_SHOWN = 5


def level_of(server: Mapping[str, Any]) -> Level:
    """Return how bad it is if only superusers may do something.

    Managed services let some of their own roles do what PostgreSQL reserves for superusers.
    """
    return Level.WARNING if server["managed"] else Level.ERROR


def check_superuser(server: Mapping[str, Any], entries: Iterable[Entry]) -> Iterator[Finding]:
    """Yield the objects that this role may not create because it is not a superuser."""
    found: dict[int, list[str]] = {}
    for entry in () if server["superuser"] else entries:
        if entry.catalog in _ONLY_SUPERUSERS:
            found.setdefault(entry.catalog, []).append(entry.title)
    for catalog, titles in sorted(found.items()):
        yield _denied(server, *_ONLY_SUPERUSERS[catalog], titles)


def check_statements(server: Mapping[str, Any], statements: Iterable[str]) -> Iterator[Finding]:
    """Yield which of these statements this role may not run because it is not a superuser."""
    statements = () if server["superuser"] else tuple(statements)
    for what, pattern in _BY_STATEMENT.items():
        found = [match[1] for match in map(pattern.match, statements) if match]
        if found:
            yield _denied(server, what, RestoreHint.AS_SUPERUSER, found)


def _denied(server: Mapping[str, Any], what: str, hint: HintCode, names: Sequence[str]) -> Finding:
    msg = f"only a superuser may create {what}, and '{server['me']}' is none: {some(names)}"
    return Finding(level_of(server), what, msg, hint)


def check_grants(statements: Iterable[str], roles: AbstractSet[str]) -> Iterator[Finding]:
    """Yield the roles that were dropped, and still have privileges.

    Args:
        statements: the grants of the archive.
        roles: the names of the roles that will be there.
    """
    found: dict[str, list[str]] = {}
    for statement, number in to_dropped_roles(statements):
        if number not in roles:
            found.setdefault(number, []).append(statement)
    for number, grants in found.items():
        msg = (
            f"{counted(len(grants), 'grant')} to a role that was dropped, of which only its OID "
            f"{number} is left: {grants[0]}"
        )
        yield Finding(Level.ERROR, "grants", msg, RestoreHint.DROPPED_ROLE(role=number))


def some(names: Iterable[str]) -> str:
    """Return the first names."""
    first = [*names]
    more = f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
    return f"{', '.join(first[:_SHOWN])}{more}"
