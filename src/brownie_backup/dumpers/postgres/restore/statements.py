"""SQL scripts of pg_dump and pg_dumpall, split into statements, and partly parsed. Pure.

Only the output of these programs is supported: standard_conforming_strings is on, relevant
statements begin a line, and lines of psql's own commands begin with a backslash.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from brownie_backup.dumpers.postgres.restore.reachable import reachable
from brownie_backup.errors import DamagedError
from brownie_backup.hints import RestoreHint

_NAME = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<text>    [eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*' | '[^']*(?:''[^']*)*' )
    | (?P<name>    "[^"]*(?:""[^"]*)*" )
    | (?P<body>    \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<open>    \$(?:[^\W\d]\w*)?\$ )
    | (?P<meta>    ^\\[^\n]*$ )
    | (?P<end>     ; )
    | (?P<other>   [^-eE'"$\\;]+ | . )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_HARMLESS = re.compile(r"\\(?:(?:un)?restrict [^\\]*$|encoding \w+$|connect )")
_ABOUT_DATABASE = (
    r"(?:CREATE|ALTER|COMMENT ON) DATABASE ",
    rf"ALTER ROLE {_NAME} IN DATABASE ",
    r"(?:GRANT|REVOKE) [A-Z, ]+ ON DATABASE ",
    rf"SECURITY LABEL FOR {_NAME} ON DATABASE ",
)
_DATABASE = re.compile(rf"({'|'.join(_ABOUT_DATABASE)}){_NAME}")
_OWNER = re.compile(rf"ALTER DATABASE {_NAME} OWNER TO ")
_SETTING = re.compile(rf"ALTER (?:ROLE {_NAME} IN )?DATABASE {_NAME} SET ")
_LOCALE = re.compile(
    r" (?:LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|ICU_RULES|BUILTIN_LOCALE"
    r"|COLLATION_VERSION) = (?:'(?:[^']|'')*'|\w+)"
)
_TABLESPACE = re.compile(rf" TABLESPACE = {_NAME}")
_ROLE_SETTING = re.compile(rf"ALTER ROLE ({_NAME}) IN DATABASE {_NAME} SET ")
_GRANTS = ("GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES ", "SET SESSION AUTHORIZATION ")
_TO_NUMBER = re.compile(r'(?: (?:TO|FROM|ROLE)| AUTHORIZATION) "(\d+)"')
_COLLATION = re.compile(rf"CREATE COLLATION ({_NAME}\.{_NAME}) ")
_FUNCTION = re.compile(
    r"(CREATE (?:FUNCTION|PROCEDURE) [^\n]*)\n.*?\n    (?:AS|RETURN|BEGIN) ", re.DOTALL
)
_OF_FUNCTION = re.compile(r"^    SET (.* TO .*)$", re.MULTILINE)
_LEFT_OUT = (
    "SET transaction_timeout",  # servers before 17 don't have it; it is written as 0, the default
    # the archive's encoding; we send UTF-8, with the other database's name in it
    "SET client_encoding",
)
_SESSION = re.compile(r"(?:SET|RESET)\b|SELECT pg_catalog\.set_config\(")
_ROLE = re.compile(rf"(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR {_NAME} ON) ROLE ({_NAME})")
_MEMBER = re.compile(rf"GRANT ({_NAME}) TO ({_NAME})")
_PARAMETER = re.compile(rf"GRANT [A-Z, ]+ ON PARAMETER \S+ TO ({_NAME})")
_GRANTED_BY = re.compile(rf" GRANTED BY {_NAME}$")


def split_statements(script: str) -> Iterator[str]:
    """Yield each statement without its semicolon, comments and the commands of psql.

    Raises:
        DamagedError: a quoted text does not end, or it has a command of psql that these programs
            don't write. Some commands run programs on this host. Nothing here executes them, but
            such a command means that the script was tampered with.
    """
    statement: list[str] = []
    for token in _TOKEN.finditer(script):
        match token.lastgroup:
            case "comment":
                continue
            case "meta":
                if not _HARMLESS.match(token[0]):
                    raise _forged(token[0])
            case "other" if token[0] == "\\":
                raise _forged(script[token.start() :].partition("\n")[0])
            case "open":
                # Looking to the end again at each one would take very long.
                raise _unfinished(token[0])
            case "end":
                yield "".join(statement).strip()
                statement.clear()
            case _:
                statement.append(token[0])
    rest = "".join(statement).strip()
    if rest:
        yield rest


def _unfinished(quote: str) -> DamagedError:
    msg = f"the backup has SQL that is cut off: {quote[:100]!r} is never closed"
    return DamagedError(msg, hint=RestoreHint.FORGED)


def _forged(command: str) -> DamagedError:
    msg = f"the backup has a command of psql where only SQL belongs: {command[:100]!r}"
    return DamagedError(msg, hint=RestoreHint.FORGED)


def unquote_name(name: str) -> str:
    """Return the name that an SQL identifier stands for."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def for_database(statements: Iterable[str], database: str) -> tuple[list[str], list[str]]:
    """Return the statements of ``pg_dump --create`` about the database, for one of another name.

    Args:
        statements: what `split_statements` yields.
        database: the quoted identifier of the other database.

    Returns:
        The statements, and separately those that were not understood.
    """
    understood, strange = [], []
    for statement in statements:
        about = _DATABASE.match(statement)
        if about:
            understood.append(about[1] + database + statement[about.end() :])
        elif statement.startswith(_LEFT_OUT):
            continue
        elif _SESSION.match(statement):
            understood.append(statement)
        else:
            strange.append(statement)
    return understood, strange


def is_ownership(statement: str) -> bool:
    """Whether a statement gives a database to its owner."""
    return bool(_OWNER.match(statement))


def owners_in(statements: Iterable[str]) -> Iterator[str]:
    """Yield to whom statements give a database."""
    for statement in statements:
        if owner := _OWNER.match(statement):
            yield unquote_name(statement[owner.end() :])


def is_setting(statement: str) -> bool:
    """Whether a statement gives a setting a value in a database, for all roles or for one."""
    return bool(_SETTING.match(statement))


def with_locale(create: str, locale: str) -> str:
    """Return CREATE DATABASE with another locale, of the operating system's."""
    quoted = locale.replace("'", "''")
    return _LOCALE.sub("", create) + f" LOCALE_PROVIDER = libc LOCALE = '{quoted}'"


def without_tablespace(create: str) -> str:
    """Return CREATE DATABASE without its tablespace."""
    return _TABLESPACE.sub("", create)


def for_a_role(setting: str) -> tuple[str, str | None]:
    """Return a setting of a database as one of a role, and that role: None for our own."""
    one = _ROLE_SETTING.match(setting)
    if one:
        return f"ALTER ROLE {one[1]} SET {setting[one.end() :]}", unquote_name(one[1])
    rest = setting[_SETTING.match(setting).end() :]  # type: ignore[union-attr]
    return f"ALTER ROLE CURRENT_USER SET {rest}", None


def function_settings(statements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each function that has settings of its own, and one of them as one of our role."""
    for statement in statements:
        header = _FUNCTION.match(statement)
        for setting in _OF_FUNCTION.findall(header[0]) if header else ():
            yield header[1], f"ALTER ROLE CURRENT_USER SET {setting}"  # type: ignore[index]


def to_dropped_roles(statements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the grants to roles that are gone, with their numbers: pg_dump has no other name."""
    for statement in statements:
        found = _TO_NUMBER.search(statement) if statement.startswith(_GRANTS) else None
        if found:
            yield statement, found[1]


def collations(statements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of the collations that the statements create, and their attributes."""
    for statement in statements:
        if found := _COLLATION.match(statement):
            yield found[1], statement[found.end() :]


def for_roles(
    statements: Iterable[str], roles: AbstractSet[str], present: AbstractSet[str]
) -> list[str]:
    """Return the statements of ``pg_dumpall --globals-only`` that make the given roles.

    Memberships in roles that are neither among them nor on the server are left out, and so is the
    grantor of a membership: that role may not be on this server.

    Args:
        statements: what `split_statements` yields.
        roles: the names of the roles to make.
        present: the names of the server's roles.
    """
    chosen = []
    for statement in statements:
        role = _ROLE.match(statement)
        member = _MEMBER.match(statement)
        parameter = _PARAMETER.match(statement)
        if role and unquote_name(role[2]) in roles:
            chosen.append(statement)
        elif member and unquote_name(member[2]) in roles:
            if unquote_name(member[1]) in roles | present:
                chosen.append(_GRANTED_BY.sub("", statement))
        elif parameter and unquote_name(parameter[1]) in roles:
            chosen.append(_GRANTED_BY.sub("", statement))
    return chosen


def roles_to_create(
    statements: Iterable[str], needed: AbstractSet[str], present: AbstractSet[str]
) -> frozenset[str]:
    """Return the roles that a restore creates: the needed ones, and their members.

    Who is a member has the rights of a needed role, and may have no others in the database.

    Args:
        statements: those of ``pg_dumpall --globals-only``.
        needed: the names of the roles that something in the database names.
        present: the names of the server's roles.
    """
    statements = list(statements)
    return _with_members(statements, needed) & frozenset(roles_created(statements)) - present


def _with_members(statements: Iterable[str], roles: Iterable[str]) -> frozenset[str]:
    members: dict[str, set[str]] = {}
    for statement in statements:
        if member := _MEMBER.match(statement):
            members.setdefault(unquote_name(member[1]), set()).add(unquote_name(member[2]))
    return frozenset(reachable(roles, members))


def roles_created(statements: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the roles that the statements create."""
    return tuple(
        unquote_name(match[2])
        for statement in statements
        if (match := _ROLE.match(statement)) and match[1] == "CREATE"
    )
