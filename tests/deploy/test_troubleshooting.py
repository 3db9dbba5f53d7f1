"""What the documentation of old says to look at by hand, `doctor` says by itself: real services."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.integration.cli import Cli, Result
from tests.servers.objects import S3Server
from tests.servers.running import Servers

pytestmark = pytest.mark.once


class _WithAReader(S3Server):
    """A server on which somebody may read, and nothing else."""

    reader = ("reader", "the-secret-key-of-the-reader")

    def _config(self) -> Mapping[str, Any]:
        config: dict[str, Any] = dict(super()._config())
        access_key, secret_key = self.reader
        credentials = [{"accessKey": access_key, "secretKey": secret_key}]
        reader = {"name": "reader", "credentials": credentials, "actions": ["Read", "List"]}
        return config | {"identities": [*config["identities"], reader]}


@pytest.fixture(scope="module")
def service() -> Iterator[_WithAReader]:
    """A store of which not everybody may do everything."""
    with _WithAReader() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(service: _WithAReader) -> str:
    return service.new_bucket()


@pytest.fixture
def settings(service: _WithAReader, bucket: str) -> dict[str, str]:
    """A set-up in which all is well."""
    return {
        "BACKUP_PROVIDER": "s3",
        "BACKUP_DESTINATION": f"{bucket}/database",
        "BACKUP_ENDPOINT_URL": service.endpoint_url,
        "BACKUP_ACCESS_KEY": service.access_key,
        "BACKUP_SECRET_KEY": service.secret_key,
        "BACKUP_RETRY_SECONDS": "0",
    }


def problem(result: Result, subject: str) -> str:
    """Return the one error, and what to do, in the words of `doctor`."""
    assert result.status == 1, result
    lines = result.out.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith("ERROR")]
    assert lines[number].startswith(f"ERROR   {subject}: "), lines[number]
    hint = next(n for n, line in enumerate(lines) if n > number and line.startswith("        -> "))
    return "\n".join(lines[number : hint + 1])


def test_nothing_is_wrong(small_cli: Cli, settings: dict[str, str]) -> None:
    said = small_cli.run("doctor", **settings)
    assert said.status == 0, said
    where = f"s3://{settings['BACKUP_DESTINATION']}"
    assert f"ok      network: {where} is asked without a proxy" in said.out
    assert "ok      restore: 'postgres' may create databases" in said.out


def test_authentication_error(small_cli: Cli, settings: dict[str, str]) -> None:
    settings["BACKUP_SECRET_KEY"] = "planted-secret"
    said = problem(small_cli.run("doctor", **settings), "store")
    assert "SignatureDoesNotMatch" in said
    assert "-> Check BACKUP_ACCESS_KEY (or …_FILE) and BACKUP_SECRET_KEY" in said
    assert "planted-secret" not in said
    settings["BACKUP_ACCESS_KEY"] = "nobody"
    assert "InvalidAccessKeyId" in problem(small_cli.run("doctor", **settings), "store")
    settings |= {"BACKUP_ACCESS_KEY": "", "BACKUP_SECRET_KEY": ""}
    chain = {"AWS_EC2_METADATA_DISABLED": "true"}
    said = problem(small_cli.run("doctor", **settings, **chain), "store")
    assert "there are no credentials" in said


def test_permission_denied(small_cli: Cli, settings: dict[str, str]) -> None:
    reader = dict(zip(("BACKUP_ACCESS_KEY", "BACKUP_SECRET_KEY"), _WithAReader.reader, strict=True))
    said = problem(small_cli.run("doctor", **(settings | reader)), "store")
    assert "cannot write" in said
    assert "AccessDenied" in said
    assert "-> Grant these credentials the rights in the guide 'Store backups in S3'" in said
    missing = {"BACKUP_DESTINATION": "no-such-bucket/database"}
    said = problem(small_cli.run("doctor", **(settings | missing)), "store")
    assert "there is no such bucket" in said
    assert "-> Create the bucket, or correct BACKUP_DESTINATION" in said


def test_network_error(small_cli: Cli, settings: dict[str, str]) -> None:
    for address, why in (
        ("http://127.0.0.1:1", "Connection refused"),
        ("http://s3.invalid", "Failed to resolve 's3.invalid'"),
    ):
        settings["BACKUP_ENDPOINT_URL"] = address
        said = problem(small_cli.run("doctor", **settings), "store")
        assert why in said
        assert "-> Check the network, HTTPS_PROXY and NO_PROXY, BACKUP_ENDPOINT_URL" in said


def test_a_proxy_is_named_without_its_password(small_cli: Cli, settings: dict[str, str]) -> None:
    proxy = {"HTTP_PROXY": "http://ada:planted-secret@127.0.0.1:1"}
    result = small_cli.run("doctor", **settings, **proxy)
    said = problem(result, "store")
    assert "Failed to connect to proxy" in said
    assert "-> Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY" in said
    assert "is asked through the proxy http://127.0.0.1:1\n" in result.out
    assert "planted-secret" not in result.out + result.err
    result = small_cli.run("doctor", **settings, **proxy, NO_PROXY="127.0.0.1")
    assert result.status == 0, result
    assert "without a proxy" in result.out


def test_database_error(
    small_cli: Cli, small: str, servers: Servers, settings: dict[str, str]
) -> None:
    server = servers.get(18)
    url, right = server.url(small), server.password.reveal()
    for wrong, why, hint in (
        (url.replace(right, "planted-secret"), "password authentication failed", "~/.pgpass"),
        (server.url("nowhere"), "there is no database 'nowhere'", "psql --list"),
        ("postgresql://postgres@127.0.0.1:1/shop", "Connection refused", "Check BACKUP_DATABASE"),
        ("postgresql://postgres@db.invalid/shop", "failed to resolve host", "Check BACKUP"),
    ):
        said = problem(
            small_cli.run("doctor", **(settings | {"BACKUP_DATABASE_URL": wrong})), "connection"
        )
        assert why in said
        assert hint in said
        assert "planted-secret" not in said
        assert "password retrieved" not in said


def test_a_role_that_cannot_restore_is_named(
    small_cli: Cli, small: str, servers: Servers, settings: dict[str, str]
) -> None:
    server = servers.get(18)
    server.sql(small, f"CREATE ROLE {small} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
    try:
        settings["BACKUP_DATABASE_URL"] = f"postgresql://{small}:x@127.0.0.1:{server.port}/{small}"
        said = small_cli.run("doctor", **settings)
    finally:
        server.sql("postgres", f"DROP ROLE {small}")
    assert f"'{small}' may not, so restore as another role: it must create databases" in said.out
