"""One connection string, for libpq in this process and for the programs."""

import os
import secrets
from pathlib import Path

import pytest

from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import ConfigurationError
from brownie_backup.postgres import libpq
from brownie_backup.postgres.access import Access, only_socket, trusted_by_the_system

PLANTED = "s3cr3t-Pl4nted"
SERVICES = """
[shop]
host=a.example,b.example
port=5,6
user=clerk
dbname=shop
sslmode=verify-full
channel_binding=require
keepalives=0
sslcert=/of/the/service
application_name=of the service
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PG", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    services = tmp_path / "services"
    services.write_text(SERVICES)
    monkeypatch.setenv("PGSERVICEFILE", str(services))


def of(text: str) -> Access:
    return Access(parse_conninfo(text))


def test_what_the_string_says_goes_to_both() -> None:
    made = of(f"postgresql://u:{PLANTED}@h:7/db?sslmode=require&options=-c%20a%3Db")
    arguments = made.arguments("other")
    assert made.command_line("other") == (
        "dbname='other' host='h' options='-c a=b' port='7' sslmode='require' user='u'"
    )
    expected = {"dbname": "other", "host": "h", "options": "-c a=b", "port": "7", "user": "u"}
    assert expected.items() <= arguments.items()
    assert arguments["sslmode"] == "require"
    assert arguments["password"] == PLANTED
    assert arguments["client_encoding"] == "UTF8"


def test_the_password_goes_to_programs_by_a_file_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "other")
    made = of(f"host=a,/run port=5 password={PLANTED}")
    env = made.environment()
    assert "PGPASSWORD" not in env
    path = Path(env["PGPASSFILE"])
    assert path.stat().st_mode & 0o777 == 0o600
    lines = path.read_text().splitlines()
    assert lines == [f"{host}:*:*:*:{PLANTED}" for host in ("/run", "a", "localhost")]
    assert PLANTED not in repr(made) + repr(vars(made)) + "".join(
        {**env, "PGPASSFILE": ""}.values()
    )
    assert made.arguments()["password"] == PLANTED
    del made
    assert not path.exists()


def test_both_have_the_same_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    made = of("host=h")
    arguments, env = made.arguments(), made.environment()
    assert arguments["connect_timeout"] == env["PGCONNECT_TIMEOUT"] == "10"
    assert arguments["application_name"] == env["PGAPPNAME"] == "brownie-backup"
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    monkeypatch.setenv("PGAPPNAME", "mine")
    arguments, env = made.arguments(), made.environment()
    assert arguments["connect_timeout"] == env["PGCONNECT_TIMEOUT"] == "3"
    assert arguments["application_name"] == env["PGAPPNAME"] == "mine"


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_service_goes_before_variables(
    monkeypatch: pytest.MonkeyPatch, *, by_variable: bool
) -> None:
    monkeypatch.setenv("PGHOST", "h.example")
    if by_variable:
        monkeypatch.setenv("PGSERVICE", "shop")
    made = of("" if by_variable else "service=shop")
    assert made.environment().get("PGSERVICE") == ("shop" if by_variable else None)
    arguments = made.arguments()
    expected = {
        "host": "a.example,b.example",
        "port": "5,6",
        "user": "clerk",
        "dbname": "shop",
        "sslmode": "verify-full",
        "channel_binding": "require",
        "keepalives": "0",
    }
    assert expected.items() <= arguments.items()


def test_a_string_goes_before_the_service_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGSERVICE", "shop")
    monkeypatch.setenv("PGPORT", "9")
    monkeypatch.setenv("PGUSER", "me")
    made = of("host=h dbname=db")
    assert "PGSERVICE" not in made.environment()
    for asked in (made, made.to_database("db")):
        arguments = asked.arguments()
        expected = {"host": "h", "port": "9", "user": "me", "dbname": "db", "sslmode": "prefer"}
        assert expected.items() <= arguments.items()
        assert arguments["sslcert"] == ""
        assert arguments["keepalives"] == "1"
        assert arguments["application_name"] == "brownie-backup"
        assert "service" not in arguments


def test_another_database_keeps_the_service() -> None:
    for made in (of("service=shop"), of("service=shop").to_database("x").to_database("y")):
        assert made.arguments()["host"] == "a.example,b.example"


@pytest.mark.parametrize("text", ["service=nowhere", "host=h sslmode=sometimes", "host=h a=b"])
def test_what_libpq_refuses_is_left_to_it(text: str) -> None:
    # Connecting says why.
    assert parse_conninfo(text).parameters.items() <= of(text).arguments().items()


def test_the_only_socket_is_taken(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    where = tuple(map(str, folders))
    assert only_socket("5433", where) == {}
    (folders[1] / ".s.PGSQL.5433").touch()
    assert only_socket("5433", where) == {"host": str(folders[1])}
    assert only_socket("5434", where) == {}
    (folders[0] / ".s.PGSQL.5433").touch()
    assert only_socket("5433", where) == {}


def test_a_socket_is_sought_only_without_a_host() -> None:
    port = "5" + secrets.token_hex(4)  # of no server
    socket = Path("/tmp", f".s.PGSQL.{port}")  # noqa: S108 - libpq looks there
    socket.touch()
    try:
        assert of(f"port={port}").arguments()["host"] == "/tmp"  # noqa: S108
        assert of(f"port={port} host=h").arguments()["host"] == "h"
        assert "host" not in of(f"port={port} hostaddr=127.0.0.1").arguments()
    finally:
        socket.unlink()


def test_the_certificates_of_the_system_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    bundle.touch()
    bundles = (str(tmp_path / "missing"), str(bundle))
    trusted = {"sslrootcert": str(bundle), "sslmode": "verify-full"}
    assert trusted_by_the_system(bundles) == trusted
    assert trusted_by_the_system(bundles[:1]) == {}
    made = of("host=h sslrootcert=system")
    here = {} if libpq.IS_SYSTEMS else trusted_by_the_system()
    expected = {"sslrootcert": "system"} | here
    assert made.arguments().items() >= expected.items()
    assert "sslrootcert='system'" in made.command_line()
    monkeypatch.setenv("SSL_CERT_FILE", "/mine")
    assert trusted_by_the_system(bundles) == {}
    assert made.arguments()["sslrootcert"] == "system"


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no UTF-8"):
        of("host=h dbname=x\udcff").arguments()


@pytest.mark.parametrize("password", ["a%0Ab", "a%0D", "a\udcff"])
def test_a_password_that_no_passfile_can_hold_is_refused(password: str) -> None:
    with pytest.raises(ConfigurationError, match="the password has line breaks"):
        of(f"postgresql://u:{password}@h/db")
