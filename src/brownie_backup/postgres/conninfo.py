"""libpq's connection strings: both forms, without connecting (PostgreSQL manual, 34.1.1)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from attrs import Factory, evolve, frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import DatabaseHint
from brownie_backup.secret import Secret

_SCHEMES = ("postgresql://", "postgres://")
_OTHERS = ("jdbc", "maria", "mssql", "mysql", "oracle", "postgres", "sqlite")
"""How schemes begin that may be shown: any other text may be a password out of place."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
# Secrets that libpq takes only from a connection string or a service file, not from a variable or a
# file.
_UNHIDEABLE = frozenset(
    {"oauth_client_secret", "scram_client_key", "scram_server_key", "sslpassword"}
)
# libpq uses C's isspace, so only ASCII counts.
_SPACE = " \t\n\r\f\v"
_KEYWORD = re.compile(r"\s*([^\s=]+)\s*=\s*", re.ASCII)
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BARE = re.compile(r"((?:[^\s\\]|\\(?:.|$))*)", re.ASCII | re.DOTALL)
_ESCAPE = re.compile(r"\\(.|$)", re.DOTALL)


@frozen
class Conninfo:
    """Parameters of a connection. libpq takes missing ones from its own sources."""

    parameters: Mapping[str, str] = Factory(dict)
    password: Secret | None = None

    @property
    def database(self) -> str | None:
        """The database, if the string names it."""
        return self.parameters.get("dbname")

    def with_database(self, name: str) -> "Conninfo":
        """Return the same for another database."""
        return evolve(self, parameters={**self.parameters, "dbname": name})

    def to_string(self) -> str:
        """Return keyword=value pairs for a command line; the password is never among them."""
        return " ".join(f"{k}={_quote(v)}" for k, v in sorted(self.parameters.items()))


def parse_conninfo(text: str) -> Conninfo:
    """Parse a URI or keyword=value pairs.

    Raises:
        ConfigurationError: it is neither. The message does not repeat it: it may hold a password.
    """
    if not text.startswith(_SCHEMES) and (scheme := _SCHEME.match(text)):
        shown = scheme[0] if scheme[0].startswith(_OTHERS) else "of the connection string"
        msg = f"the scheme {shown} is not PostgreSQL's, which is postgresql://"
        raise ConfigurationError([msg], hint=DatabaseHint.CONNECTION_STRING)
    pairs = dict(_parse_uri(text) if text.startswith(_SCHEMES) else _parse_pairs(text))
    for keyword in sorted(_UNHIDEABLE & pairs.keys()):
        msg = f"the connection string has '{keyword}', which client programs would show in 'ps'"
        raise ConfigurationError([msg], hint=DatabaseHint.USE_SERVICE_FILE)
    password = pairs.pop("password", None)
    return Conninfo(pairs, Secret(password) if password else None)


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _parse_pairs(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while text[position:].strip(_SPACE):
        keyword = _KEYWORD.match(text, position)
        if not keyword:
            raise _malformed("a keyword and '=' are missing")
        position = keyword.end()
        value = (_QUOTED if text.startswith("'", position) else _BARE).match(text, position)
        if not value:
            raise _malformed("a quote is not closed")
        position = value.end()
        yield keyword[1], _ESCAPE.sub(r"\1", value[1])


def _parse_uri(text: str) -> Iterator[tuple[str, str]]:
    """Read a URI as libpq does: character by character, each separator where it counts."""
    rest = text.partition("://")[2]
    credentials, at, after = rest.partition("@")
    if at and "/" not in credentials:
        rest = after
        user, _, password = credentials.partition(":")
        yield from _present("user", _decode(user))
        yield from _present("password", _decode(password))
    _refuse_unescaped(rest)
    hosts, ports = [], []
    while True:
        host, rest = _take_host(rest)
        port = ""
        if rest.startswith(":"):
            port, rest = _take(rest[1:], "/?,")
        hosts.append(_decode(host))
        ports.append(_number(_decode(port)))
        if not rest.startswith(","):
            break
        rest = rest[1:]
    yield from _present("host", ",".join(hosts))
    yield from _present("port", ",".join(ports) if any(ports) else "")
    if rest.startswith("/"):
        database, rest = _take(rest[1:], "?")
        yield from _present("dbname", _decode(database))
    query = rest[1:].removesuffix("&")
    for pair in query.split("&") if query else ():
        if pair.count("=") != 1 or pair.startswith("="):
            raise _malformed("a parameter after '?' is not key=value")
        key, value = (_decode(part) for part in pair.split("="))
        # JDBC's spelling, which libpq accepts too.
        yield ("sslmode", "require") if (key, value) == ("ssl", "true") else (key, value)


def _refuse_unescaped(rest: str) -> None:
    """Refuse what would otherwise show a part of the password as a host or a database.

    libpq looks for the password only up to the first '@', and not beyond a '/'.
    """
    address, _, path = rest.partition("?")[0].partition("/")
    if "@" in address:
        raise _unescaped("an '@'", "%40")
    if "@" in path and ":" in address + path.partition("@")[0]:
        raise _unescaped("a '/'", "%2F")


def _unescaped(what: str, written: str) -> ConfigurationError:
    why = f"the user or the password may have {what}, which is written {written} there"
    return ConfigurationError(
        [f"the connection string is ambiguous: {why}"], hint=DatabaseHint.ESCAPE_IN_URL
    )


def _take(text: str, ends: str) -> tuple[str, str]:
    """Split at the first of the characters `ends`."""
    length = next((i for i, character in enumerate(text) if character in ends), len(text))
    return text[:length], text[length:]


def _take_host(text: str) -> tuple[str, str]:
    if not text.startswith("["):
        return _take(text, ":/?,")
    address, bracket, rest = text[1:].partition("]")
    if not bracket or not address or rest[:1] not in {"", ":", "/", "?", ","}:
        raise _malformed("an IPv6 address is not closed by a bracket")
    return address, rest


def _number(port: str) -> str:
    """Return a port. libpq would repeat a wrong one, which may be a password."""
    if port and not re.fullmatch(r"\s*[0-9]+\s*", port, re.ASCII):
        raise _malformed("a port is not a number")
    return port


def _decode(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text) or "%00" in text:
        raise _malformed("a '%' is not followed by two hexadecimal digits")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _malformed("what is escaped is not UTF-8") from None


def _present(key: str, value: str) -> Iterator[tuple[str, str]]:
    if value:
        yield key, value


def _malformed(why: str) -> ConfigurationError:
    return ConfigurationError(
        [f"the connection string cannot be read: {why}"], hint=DatabaseHint.CONNECTION_STRING
    )
