"""libpq in this process, by psycopg: connecting, completing connection strings, reading values.

It is imported only when a connection is made: psycopg takes as long to import as this library.
"""

import json
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.errors import not_connected

IS_SYSTEMS = pq.__impl__ != "binary"
"""Whether this is the system's libpq, and not that of a wheel."""

# Errors found before connecting, and after all parameters are completed.
_SPOILT = ("sslmode", "channel_binding")
# Numbers for libpq, which it does not treat as unset when they are empty.
_NEUTRAL = {
    "keepalives": "1",
    "keepalives_count": "0",
    "keepalives_idle": "0",
    "keepalives_interval": "0",
    "tcp_user_timeout": "0",
}


def connect(arguments: Mapping[str, str]) -> psycopg.Connection[DictRow]:
    """Connect.

    Args:
        arguments: all of libpq's parameters, as `Access.arguments` returns them.

    Raises:
        DatabaseNotFound: the server has no database of that name.
        ConnectionFailed: there is no connection; the message says why.
    """
    try:
        return psycopg.connect(
            make_conninfo("", **arguments),
            autocommit=True,
            # Poolers may not know statements that were prepared in another session.
            prepare_threshold=None,
            row_factory=dict_row,
            context=_VALUES,
        )
    except psycopg.Error as error:
        failure = not_connected(str(error))
        passfile = Path(arguments.get("passfile", ""))
        if "no password supplied" in failure.message and _is_open_to_others(passfile):
            failure.hint = DatabaseHint.PASSWORD_FILE_MODE(file=str(passfile))
        raise failure from None


def complete(conninfo: str) -> dict[str, str]:
    """Return a connection string's parameters as libpq completes them, without connecting.

    It returns nothing for a string that libpq refuses: connecting says why.
    """
    found: dict[str, str] = {}
    for keyword in _SPOILT:
        attempt = pq.PGconn.connect_start(f"{conninfo} {keyword}='none such'".encode())
        if b"none such" in attempt.error_message:
            options = {option.keyword.decode(): option.val for option in attempt.info}
            found |= {k: _decode(v) for k, v in options.items() if v and k != keyword}
        attempt.finish()
    return found


def complete_without_service(given: Mapping[str, str]) -> dict[str, str]:
    """Return the extra parameters that make PGSERVICE irrelevant beside these."""
    found: dict[str, str] = {}
    for option in pq.Conninfo.get_defaults():
        keyword = option.keyword.decode()
        variable = os.environ.get(option.envvar.decode(), "") if option.envvar else ""
        value = variable or (_decode(option.compiled) if option.compiled else "")
        if keyword in given or keyword == "service":
            continue
        if keyword == "user":
            value = variable or _user()
        if value:
            found[keyword] = value
        elif option.val:  # set by the service
            found[keyword] = _NEUTRAL.get(keyword, "")
    return found


def _is_open_to_others(passfile: Path) -> bool:
    """Whether libpq ignores a passfile; it reports that on standard error only."""
    return passfile.is_file() and bool(passfile.stat().st_mode & 0o077)


def _user() -> str:
    """Return libpq's name for our user; none if our user ID has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


class _Text(Loader):
    """Reads text; bytes that are not UTF-8 (SQL_ASCII) survive as surrogates."""

    def load(self, data: Buffer) -> str:
        return _decode(bytes(data))


class _Json(Loader):
    """Reads JSON that may contain such bytes."""

    def load(self, data: Buffer) -> Any:  # noqa: ANN401 - it may be anything
        return json.loads(_decode(bytes(data)))


class _Values:
    """The loaders of values: ours for texts and JSON, and text for types unknown to psycopg."""

    connection = None
    adapters = AdaptersMap(psycopg.adapters)


for _kind in ("text", "name", "varchar", "bpchar", '"char"', 0):
    _Values.adapters.register_loader(_kind, _Text)
for _kind in ("json", "jsonb"):
    _Values.adapters.register_loader(_kind, _Json)
_VALUES = _Values()
