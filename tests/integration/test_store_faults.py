"""Backups through a network that fails, to each kind of server: waited for, or said clearly."""

import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from tests.integration.cli import Cli, cli_for, finish
from tests.integration.stores import STORES, Environment
from tests.integration.waiting import wait_until
from tests.servers.proxy import Proxy
from tests.servers.running import Servers
from tests.unit.fakes import FakeDumper, read_back

from brownie_backup import Repository, create_backup
from brownie_backup.compressors import Uncompressed
from brownie_backup.config import load_settings
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import StoreUnavailable
from brownie_backup.protocols import Store
from brownie_backup.repository import Tuning
from brownie_backup.stores import RetryingStore, RetryPolicy
from brownie_backup.stores.azure import open_store as open_azure
from brownie_backup.stores.gcs import open_store as open_gcs
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import open_store as open_s3

pytestmark = pytest.mark.once

OPEN: dict[str, Callable[[Location, RetryPolicy], Store]] = {
    "s3": open_s3,
    "gcs": open_gcs,
    "azure": open_azure,
}
QUICK = RetryPolicy(
    connect_seconds=2,
    read_seconds=2,
    give_up_after_seconds=20,
    first_wait_seconds=0.05,
    longest_wait_seconds=0.2,
)
GONE_SECONDS = 20
DATA = secrets.token_bytes(3_000_000)


@frozen
class Network:
    """A store, and the network before it."""

    proxy: Proxy
    env: Environment
    cloud: str

    def repository(self, retry_policy: RetryPolicy = QUICK) -> Repository:
        """Return a repository behind the network."""
        location = load_settings(self.env).primary
        store = RetryingStore(OPEN[self.cloud](location, retry_policy), retry_policy)
        return Repository(store, Uncompressed(), Cleartext(), tuning=Tuning(blob_bytes=250_000))


@pytest.fixture(params=OPEN)
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    env = STORES[request.param](request)
    with Proxy(env["BACKUP_ENDPOINT_URL"]) as proxy:
        yield Network(proxy, env | {"BACKUP_ENDPOINT_URL": proxy.url}, request.param)


def refused(proxy: Proxy) -> None:
    proxy.refuse()
    threading.Timer(1, proxy.heal).start()


def stalled(proxy: Proxy) -> None:
    proxy.stall()
    threading.Timer(3, proxy.heal).start()


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "connections are refused for a second": refused,
    "connections are reset in the middle of a blob": lambda p: p.reset_after(700_000, times=3),
    "nothing moves for three seconds": stalled,
    "5 % of the requests fail": lambda p: p.answer(500, share=0.05),
    "5 % of the connections are reset": lambda p: p.reset(share=0.05),
    "5 % of the answers are lost": lambda p: p.lose_answers(share=0.05),
    "three answers are 500": lambda p: p.answer(500, times=3),
    "three answers are 503, to be tried again in a second": lambda p: p.answer(
        503, headers={"Retry-After": "1"}, times=3
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_backup_gets_through(network: Network, fault: str) -> None:
    repository = network.repository()
    repository.identity()
    begun = threading.Event()

    def break_the_network() -> None:
        if not begun.is_set():
            begun.set()
            FAULTS[fault](network.proxy)

    dumper = FakeDumper(
        {"inventory": b"{}", "archive": DATA}, piece=500_000, meanwhile=break_the_network
    )
    create_backup(repository, dumper)
    network.proxy.heal()
    (backup,) = repository.backups()
    assert backup.good
    assert read_back(repository, backup) == dumper.content
    assert repository.leases() == ()


def test_a_store_that_is_gone_for_good_is_given_up(network: Network) -> None:
    pieces: list[int] = []

    def cut_the_line() -> None:
        pieces.append(len(pieces))
        if len(pieces) > 4:
            network.proxy.refuse()

    dumper = FakeDumper(
        {"inventory": b"{}", "archive": DATA}, piece=400_000, meanwhile=cut_the_line
    )
    hasty = RetryPolicy(connect_seconds=1, read_seconds=1, give_up_after_seconds=1)
    with pytest.raises(StoreUnavailable):
        create_backup(network.repository(hasty), dumper)
    network.proxy.heal()
    repository = network.repository()
    assert repository.backups() == ()
    dumper.meanwhile = lambda: None
    report = create_backup(repository, dumper)
    assert report.reused_blobs > 0
    assert read_back(repository, repository.backup("latest")) == dumper.content


# --- the command line, and a real database -------------------------------------------------------


@pytest.fixture
def cli(servers: Servers, bulky: str, tmp_path: Path, request: pytest.FixtureRequest) -> Cli:
    """The command line, for the bulky database and S3."""
    plain = cli_for(servers.get(18), bulky, tmp_path)
    return Cli(plain.env | STORES["s3"](request))


@pytest.fixture
def proxy(cli: Cli) -> Iterator[Proxy]:
    """The network before it."""
    with Proxy(cli.env["BACKUP_ENDPOINT_URL"]) as proxy:
        yield proxy


def test_a_store_that_is_gone_for_20_seconds_is_waited_for(cli: Cli, proxy: Proxy) -> None:
    away = cli.start("backup", "--name", "patient", "--json", BACKUP_ENDPOINT_URL=proxy.url)
    wait_until(lambda: _blobs_sent(proxy) >= 2, what="blobs are sent")
    proxy.refuse()
    threading.Timer(GONE_SECONDS, proxy.heal).start()
    result = finish(away, 240)
    assert result.status == 0, result.err
    assert "trying again" in result.err
    assert "answers again" in result.err
    assert cli.backups() == {"patient": "good"}
    assert cli.json("verify", "patient")["good"]


def test_of_a_store_that_is_gone_the_next_run_finds_what_was_stored(
    cli: Cli, proxy: Proxy, servers: Servers, bulky: str
) -> None:
    settings = {"BACKUP_ENDPOINT_URL": proxy.url, "BACKUP_RETRY_SECONDS": "2"}
    lost = cli.start("backup", "--name", "lost", **settings)
    # The first two differ each time: they begin with a time, or a random token of pg_dumpall.
    # Three are sent at once, so of six one that can be found again has arrived.
    wait_until(lambda: _blobs_sent(proxy) >= 6, what="blobs are sent")
    proxy.refuse()
    result = finish(lost, 120)
    assert result.status == 1
    assert "Check the network" in result.err
    for secret in (cli.env["BACKUP_SECRET_KEY"], cli.env["BACKUP_PASSPHRASE"], "Signature"):
        assert secret not in result.err
    assert servers.get(18).sessions(bulky) == 0
    assert cli.backups() == {}
    document = cli.json("backup", "--name", "found")
    assert document["reused_blobs"] > 0
    assert not any(Path(cli.env["TMPDIR"]).iterdir())


def _blobs_sent(proxy: Proxy) -> int:
    return sum(line.startswith("PUT ") and "/blobs/" in line for line in proxy.requests)
