"""libpq's connection strings: both forms, without connecting (PostgreSQL manual, 34.1.1)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from attrs import Factory, evolve, frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.secret import Secret

_SCHEMES = ("postgresql://", "postgres://")
# Secrets that libpq takes from a connection string or a service file only: no variable, no file.
_UNHIDEABLE = {"sslpassword": "sslpassword", "oauth_client_secret": "oauth_client_secret"}
_KEYWORD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BARE = re.compile(r"((?:[^\s\\]|\\.)*)", re.DOTALL)
_HINT = "Use postgresql://user:password@host:5432/database, or host=… dbname=…"


@frozen
class Conninfo:
    """Parameters of a connection. What they don't say, libpq takes from its own sources."""

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
    pairs = dict(_parse_uri(text) if text.startswith(_SCHEMES) else _parse_pairs(text))
    for keyword in _UNHIDEABLE.keys() & pairs.keys():
        msg = f"the connection string has '{keyword}', which client programs would show in 'ps'"
        raise ConfigurationError([msg], hint="Put it into a service file and use service=NAME")
    password = pairs.pop("password", None)
    return Conninfo(pairs, Secret(password) if password else None)


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _parse_pairs(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.strip()
    while position < len(text):
        keyword = _KEYWORD.match(text, position)
        if not keyword:
            raise _malformed("a keyword and '=' are missing")
        position = keyword.end()
        value = (_QUOTED if text.startswith("'", position) else _BARE).match(text, position)
        if not value:
            raise _malformed("a quote is not closed")
        position = value.end()
        if position < len(text) and not text[position].isspace():
            raise _malformed("a space is missing between two parameters")
        yield keyword[1], re.sub(r"\\(.)", r"\1", value[1], flags=re.DOTALL)


def _parse_uri(text: str) -> Iterator[tuple[str, str]]:
    rest = text.partition("://")[2]
    rest, _, query = rest.partition("?")
    authority, _, database = rest.partition("/")
    # A password may hold anything but these; an '@' in it must be written %40, as for libpq.
    credentials, at, hosts = authority.rpartition("@")
    if at:
        user, _, password = credentials.partition(":")
        yield from _present("user", _decode(user))
        yield from _present("password", _decode(password))
    if hosts:
        split = [_split_host(host) for host in hosts.split(",")]
        yield from _present("host", ",".join(host for host, _ in split))
        if any(port for _, port in split):
            yield "port", ",".join(port for _, port in split)
    yield from _present("dbname", _decode(database))
    for pair in query.split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise _malformed("a parameter after '?' has no '='")
        if (key, value) == ("ssl", "true"):  # JDBC's spelling, which libpq takes too
            yield "sslmode", "require"
        else:
            yield _decode(key), _decode(value)


def _split_host(text: str) -> tuple[str, str]:
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise _malformed("an IPv6 address has no closing bracket")
        return address, port[1:]
    host, _, port = text.partition(":")
    return _decode(host), port


def _decode(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text) or "%00" in text:
        raise _malformed("a '%' is not followed by two hexadecimal digits")
    return unquote(text, errors="strict")


def _present(key: str, value: str) -> Iterator[tuple[str, str]]:
    if value:
        yield key, value


def _malformed(why: str) -> ConfigurationError:
    return ConfigurationError([f"the connection string does not read: {why}"], hint=_HINT)
