"""Fixtures for all tests: real servers, started when first asked for."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.apt import AptMissing
from tests.servers.awskms import KmsServer
from tests.servers.objects import AzureServer, GcsServer, S3Server, WeakS3Server
from tests.servers.odd_folder import OddFolder, why_not
from tests.servers.openbao import OpenBao
from tests.servers.promtool import promtool as installed_promtool
from tests.servers.running import BULK, Servers


def pytest_configure(config: pytest.Config) -> None:
    """Let signals end our children as usual, even under nohup or in the background of a shell.

    The one has us ignore SIGHUP, the other SIGINT.

    What is ignored stays ignored in a child; what is handled does not. Workers are children too.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or hasattr(config, "workerinput"):
        signal.signal(signal.SIGHUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of every major, shared by all tests of a run."""
    with Servers() as running:
        yield running


@pytest.fixture(scope="session")
def bulky(servers: Servers) -> str:
    """A database on 18 with some 100 MiB that don't compress to nothing: half a dozen blobs."""
    server = servers.get(18)
    server.create("bulky")
    server.sql("bulky", BULK)
    return "bulky"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server, shared: a test that stops it constructs its own."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def weak_s3_server() -> Iterator[WeakS3Server]:
    """An S3 server that overwrites what should only be created, shared."""
    with WeakS3Server() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    """A server of Google Cloud Storage, shared."""
    with GcsServer() as server:
        yield server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[AzureServer]:
    """A server of Azure Blob Storage, shared; skips where npm's registry is out of reach."""
    try:
        server = AzureServer()
    except subprocess.CalledProcessError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"Azurite can't be installed, so nothing on Azure is tested: {error}")
    with server:
        yield server


@pytest.fixture(scope="session")
def kms_server() -> Iterator[KmsServer]:
    """An imitation of AWS KMS, shared."""
    with KmsServer() as server:
        yield server


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """A server of the transit engine, shared: a test that seals it constructs its own."""
    with OpenBao() as server:
        yield server


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus's own tool; skips where there is no apt, from which it comes."""
    try:
        return installed_promtool()
    except AptMissing as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"so no rule, query or metric is checked: {error}")


@pytest.fixture(scope="session")
def odd_folder() -> Iterator[OddFolder]:
    """A folder on a FUSE file system without hard links and without syncing of folders."""
    yield from _mounted(keeps=False)


@pytest.fixture(scope="session")
def keeping_folder() -> Iterator[OddFolder]:
    """The same, and no file can be replaced or deleted."""
    yield from _mounted(keeps=True)


def _mounted(*, keeps: bool) -> Iterator[OddFolder]:
    if reason := why_not():
        pytest.skip(f"so stores on odd file systems are not tested: {reason}")
    with OddFolder(keeps=keeps) as folder:
        yield folder
