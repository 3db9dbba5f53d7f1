"""How to reach one server: the same way for libpq in this process and for PostgreSQL's programs."""

import contextlib
import os
import re
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import evolve

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import DatabaseHint
from brownie_backup.postgres.conninfo import Conninfo
from brownie_backup.secret import Secret

_CONNECT_SECONDS = "10"
_APPLICATION = "brownie-backup"
_ADDRESS = ("host", "hostaddr", "port", "load_balance_hosts")
_PASSFILE_SPECIAL = re.compile(r"([\\:])")
_SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 - PostgreSQL's own choice
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""The host's trusted certificates on Debian, Red Hat, SUSE, and Alpine and macOS."""


class Access:
    """Turns a connection string into arguments for libpq, and into the programs' environment.

    Both take parameters that the string leaves open from libpq's own sources: PG* variables,
    service file, passfile. A string overrides PGSERVICE, since a service would take precedence over
    the environment for parameters that the string leaves open.

    Passwords reach the programs in a passfile that only our user can read.
    """

    def __init__(self, conninfo: Conninfo, *, keeps_service: bool | None = None) -> None:
        self.conninfo = conninfo
        # Decided once, from the caller's string: a database is put into the string later.
        if keeps_service is None:
            keeps_service = not conninfo.parameters or "service" in conninfo.parameters
        self._keeps_service = keeps_service
        self._passfile: str | None = None
        if conninfo.password:
            _check_password(conninfo.password)
            self._passfile = _write_passfile(conninfo)
            weakref.finalize(self, _remove, self._passfile)

    def to_database(self, name: str) -> "Access":
        """Return the access to another database on the same server."""
        return Access(self.conninfo.with_database(name), keeps_service=self._keeps_service)

    def pinned_to(self, address: Mapping[str, str]) -> "Access":
        """Return the access to the one server at that address, of several that this may lead to.

        A parameter that balances load says nothing any more, and older programs don't know it.
        """
        others = {k: v for k, v in self.conninfo.parameters.items() if k not in _ADDRESS}
        conninfo = evolve(self.conninfo, parameters={**others, **address})
        return Access(conninfo, keeps_service=self._keeps_service)

    def with_options(self, more: str) -> "Access":
        """Return the access with more options for the server, beside those that it has."""
        options = f"{self.arguments().get('options', '')} {more}".strip()
        conninfo = evolve(
            self.conninfo, parameters={**self.conninfo.parameters, "options": options}
        )
        return Access(conninfo, keeps_service=self._keeps_service)

    def environment(self) -> dict[str, str]:
        """Return the environment of the programs: ours, without our own settings."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("BACKUP_")}
        # pg_dump would write in another encoding than the database's
        env.pop("PGCLIENTENCODING", None)
        if not self._keeps_service:
            env.pop("PGSERVICE", None)
        if self._passfile:
            env.pop("PGPASSWORD", None)
            env["PGPASSFILE"] = self._passfile
        env.setdefault("PGCONNECT_TIMEOUT", _CONNECT_SECONDS)
        env.setdefault("PGAPPNAME", _APPLICATION)
        return env | {"LC_ALL": "C"}

    def command_line(self, database: str | None = None, **more: str) -> str:
        """Return the connection string for a program, with additional parameters."""
        conninfo = self.conninfo.with_database(database) if database else self.conninfo
        return evolve(conninfo, parameters={**conninfo.parameters, **more}).to_string()

    def arguments(self, database: str | None = None) -> dict[str, str]:
        """Return all parameters for libpq in this process, including the password.

        They are complete, so that nothing between us and libpq completes them otherwise: psycopg
        looks at the environment, but not at services, to find the hosts.

        Raises:
            ConfigurationError: the string has bytes that are no UTF-8.
        """
        from brownie_backup.postgres import libpq  # noqa: PLC0415 - it takes long to import

        text = self.command_line(database)
        try:
            text.encode()
        except UnicodeEncodeError:
            msg = "the connection string has bytes that are no UTF-8"
            raise ConfigurationError([msg], hint=DatabaseHint.CONNECTION_STRING_UTF8) from None
        given = {**self.conninfo.parameters, **({"dbname": database} if database else {})}
        if self._keeps_service or "PGSERVICE" not in os.environ:
            found = given | libpq.complete(text)
        else:
            found = given | libpq.complete_without_service(given)
        if self.conninfo.password:
            found["password"] = self.conninfo.password.reveal()
        if not found.get("host") and not found.get("hostaddr"):
            found |= only_socket(found.get("port", ""))
        if found.get("sslrootcert") == "system" and not libpq.IS_SYSTEMS:
            found |= trusted_by_the_system()
        found["connect_timeout"] = found.get("connect_timeout") or _CONNECT_SECONDS
        found["application_name"] = found.get("application_name") or _APPLICATION
        return found | {"client_encoding": "UTF8"}


def only_socket(port: str, folders: Iterable[str] = _SOCKET_FOLDERS) -> dict[str, str]:
    """Return the folder of the server's socket, if there is just one.

    Its default depends on how libpq was built, and the programs use another libpq.
    """
    names = [Path(folder, f".s.PGSQL.{port}") for folder in folders]
    found = [str(name.parent) for name in names if name.exists()]
    return {"host": found[0]} if len(found) == 1 else {}


def trusted_by_the_system(bundles: Iterable[str] = _BUNDLES) -> dict[str, str]:
    """Return the path of the system's certificates: the libpq of a wheel doesn't know it."""
    found = [bundle for bundle in bundles if Path(bundle).exists()]
    if not found or "SSL_CERT_FILE" in os.environ:  # true for every OpenSSL
        return {}
    return {"sslrootcert": found[0], "sslmode": "verify-full"}  # as `system` means


def _check_password(password: Secret) -> None:
    """Refuse a password that a passfile cannot hold: libpq reads it line by line."""
    text = password.reveal()
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "\0"
    if not {"\n", "\r", "\0"}.isdisjoint(text):
        msg = "the password has line breaks, or bytes that are no UTF-8"
        raise ConfigurationError([msg], hint=DatabaseHint.PASSWORD_ON_ONE_LINE)


def _write_passfile(conninfo: Conninfo) -> str:
    """Write the password down for the hosts that the connection string names, and no others."""
    descriptor, path = tempfile.mkstemp(prefix="bb-pass-")
    secret = conninfo.password.reveal() if conninfo.password else ""
    named = conninfo.parameters.get("host") or conninfo.parameters.get("hostaddr")
    hosts = set(named.split(",")) if named else {"*"}
    if any(not host or host.startswith("/") for host in hosts):
        hosts.add("localhost")  # libpq's word for a socket in the usual folder
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        for host in filter(None, sorted(hosts)):
            fields = (host, "*", "*", "*", secret)
            file.write(":".join(f if f == "*" else _escaped(f) for f in fields) + "\n")
    return path


def _escaped(field: str) -> str:
    return _PASSFILE_SPECIAL.sub(r"\\\1", field)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()
