"""Fixtures of the documentation's tests."""

from collections.abc import Iterator

import pytest

from tests.docs.sandbox import Sandbox
from tests.servers.awskms import KmsServer
from tests.servers.objects import S3Server, WeakS3Server
from tests.servers.openbao import OpenBao
from tests.servers.process import free_ports
from tests.servers.running import Server

SAMPLE = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  total numeric(10, 2) NOT NULL
);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO orders SELECT n, 1 + n % 1000, n / 100.0 FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture(scope="session")
def docs_server() -> Iterator[Server]:
    """A server of our own: pages may do with it what they like."""
    server = Server(18)
    try:
        server.create("sample")
        server.sql("sample", SAMPLE)
        yield server
    finally:
        server.close()


@pytest.fixture
def sandbox(docs_server: Server) -> Iterator[Sandbox]:
    """A place to run examples in."""
    place = Sandbox(docs_server)
    try:
        yield place
    finally:
        place.close()


SERVICES = {
    "s3.example.com": "documented_s3",
    "brownie-backup-asgi --port 8000": "documented_api",
    "vault.example.com": "documented_vault",
    "awskms:arn:": "documented_kms",
}
"""For a word in a page, the fixture that says what stands for what is documented there."""


@pytest.fixture(scope="session")
def documented_s3(s3_server: S3Server, weak_s3_server: WeakS3Server) -> dict[str, str]:
    """Buckets in real servers, one of which promises less."""
    return {
        "https://s3.example.com": s3_server.endpoint_url,
        "https://weak.example.com": weak_s3_server.endpoint_url,
        "my-backups": s3_server.new_bucket(),
        "my-locked-backups": s3_server.new_bucket(object_lock=True),
        "weak-backups": weak_s3_server.new_bucket(),
        "AKIAIOSFODNN7EXAMPLE": s3_server.access_key,
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": s3_server.secret_key,
        "AKIAWEAKWEAKWEAK": weak_s3_server.access_key,
        "weak-secret-key": weak_s3_server.secret_key,
    }


@pytest.fixture
def documented_api() -> dict[str, str]:
    """A port that is free, for the one that a page names."""
    return {"8000": str(free_ports(1)[0])}


@pytest.fixture
def documented_vault(openbao: OpenBao) -> dict[str, str]:
    """OpenBao and its command, for those of Vault."""
    return {
        "https://vault.example.com:8200": openbao.tls_url,
        "/etc/ssl/vault.pem": openbao.ca_file,
        "hvs.of-the-administrator": openbao.token,
        **{f"vault {verb} ": f"{openbao.command} {verb} " for verb in ("write", "policy", "token")},
    }


@pytest.fixture
def documented_kms(kms_server: KmsServer) -> dict[str, str]:
    """A key, for the one that a page names."""
    named = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    return {named: kms_server.new_key()}
