"""SQL scripts of pg_dump and pg_dumpall, split into statements, and partly parsed. Pure.

Only the output of these programs is supported: standard_conforming_strings is on, relevant
statements begin a line, and lines of psql's own commands begin with a backslash.
"""

import re
from collections.abc import Iterable, Iterator

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
_LEFT_OUT = (
    "SET transaction_timeout",  # servers before 17 don't have it; it is written as 0, the default
    # the archive's encoding; we send UTF-8, with the other database's name in it
    "SET client_encoding",
)
_SESSION = re.compile(r"(?:SET|RESET)\b|SELECT pg_catalog\.set_config\(")
_ROLE = re.compile(rf"(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR {_NAME} ON) ROLE ({_NAME})")
_MEMBER = re.compile(rf"GRANT {_NAME} TO ({_NAME})")
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


def is_setting(statement: str) -> bool:
    """Whether a statement gives a setting a value in a database, for all roles or for one."""
    return bool(_SETTING.match(statement))


def with_locale(create: str, locale: str) -> str:
    """Return CREATE DATABASE with another locale, of the operating system's."""
    quoted = locale.replace("'", "''")
    return _LOCALE.sub("", create) + f" LOCALE_PROVIDER = libc LOCALE = '{quoted}'"


def for_roles(statements: Iterable[str], roles: frozenset[str]) -> list[str]:
    """Return the statements of ``pg_dumpall --globals-only`` that make the given roles.

    The grantor of a membership is left out: that role may not be on this server.
    """
    chosen = []
    for statement in statements:
        role = _ROLE.match(statement)
        member = _MEMBER.match(statement) or _PARAMETER.match(statement)
        if role and unquote_name(role[2]) in roles:
            chosen.append(statement)
        elif member and unquote_name(member[1]) in roles:
            chosen.append(_GRANTED_BY.sub("", statement))
    return chosen


def roles_created(statements: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the roles that the statements create."""
    return tuple(
        unquote_name(match[2])
        for statement in statements
        if (match := _ROLE.match(statement)) and match[1] == "CREATE"
    )
