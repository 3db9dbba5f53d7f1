"""Stores in Google Cloud Storage and Azure behind a network that fails."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve
from tests.servers.proxy import Proxy

from brownie_backup.errors import KeyExists, StoreUnavailable
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryingStore, RetryPolicy, azure, gcs
from brownie_backup.stores.location import Location

pytestmark = pytest.mark.once

PATIENCE = RetryPolicy(
    connect_seconds=2, read_seconds=2, first_wait_seconds=0.05, longest_wait_seconds=0.2
)
LARGE = secrets.token_bytes(1 << 20) * 4

Cloud = gcs.GcsStore | azure.AzureStore


@pytest.fixture(scope="module", params=["gcs", "azure"])
def location(request: pytest.FixtureRequest) -> Location:
    if request.param == "gcs":
        server = request.getfixturevalue("gcs_server")
        return Location("gs", server.new_bucket(), endpoint_url=server.endpoint_url)
    server = request.getfixturevalue("azure_server")
    return Location(
        *("azure", server.new_container()),
        endpoint_url=server.endpoint_url,
        access_key=Secret(server.account),
        secret_key=Secret(server.key),
    )


@pytest.fixture(scope="module")
def shared_proxy(location: Location) -> Iterator[Proxy]:
    assert location.endpoint_url
    with Proxy(location.endpoint_url) as running:
        yield running


@pytest.fixture
def proxy(shared_proxy: Proxy) -> Iterator[Proxy]:
    shared_proxy.requests.clear()
    yield shared_proxy
    shared_proxy.heal()


@pytest.fixture
def once(location: Location, proxy: Proxy) -> Cloud:
    """A store that tries once."""
    behind = evolve(location, path=secrets.token_hex(8), endpoint_url=proxy.url)
    return opened(behind, PATIENCE)


@pytest.fixture
def patient(once: Cloud) -> RetryingStore:
    """The same store, which tries again and again."""
    return RetryingStore(once, PATIENCE)


def opened(location: Location, retry_policy: RetryPolicy) -> Cloud:
    if location.scheme == "gs":
        return gcs.open_store(location, retry_policy)
    return azure.open_store(location, retry_policy)


@pytest.mark.parametrize("fault", ["refuse", "reset", "stall", "lose_answers"])
def test_a_store_that_cannot_be_reached_is_unavailable(
    proxy: Proxy, once: Cloud, fault: str
) -> None:
    getattr(proxy, fault)()
    with pytest.raises(StoreUnavailable, match="Check the network"):
        once.get("key")


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_put_that_breaks_off_is_repeated(
    proxy: Proxy, once: Cloud, patient: RetryingStore, *, if_absent: bool
) -> None:
    proxy.reset_after(1_500_000, times=2)
    patient.put("key", LARGE, if_absent=if_absent)
    assert len(proxy.requests) == 3
    assert once.get("key") == LARGE


def test_a_create_whose_answer_is_lost_is_known_to_be_ours(
    proxy: Proxy, once: Cloud, patient: RetryingStore
) -> None:
    proxy.lose_answers(times=2, only="^(PUT|POST)")
    patient.put("key", LARGE, if_absent=True)
    methods = [line.partition(" ")[0] for line in proxy.requests]
    assert methods in (["PUT"] * 3 + ["GET"], ["POST"] * 3 + ["GET"])
    with pytest.raises(KeyExists):
        patient.put("key", LARGE, if_absent=True)
    assert once.get("key") == LARGE


def test_the_service_is_given_the_time_that_it_asks_for(proxy: Proxy, once: Cloud) -> None:
    waits: list[float] = []
    proxy.answer(503, headers={"Retry-After": "7"}, times=2)
    RetryingStore(once, PATIENCE, sleep=waits.append).put("key", b"data")
    assert len(waits) == 2
    assert all(7 < wait < 8 for wait in waits)


def test_when_one_of_twenty_requests_fails_nobody_notices(
    proxy: Proxy, patient: RetryingStore
) -> None:
    proxy.answer(500, share=0.02)
    proxy.reset(share=0.02)
    proxy.lose_answers(share=0.02)
    keys = [f"key-{number:03}" for number in range(60)]

    def work(key: str) -> None:
        patient.put(key, key.encode(), if_absent=True)
        assert patient.get(key) == key.encode()
        if key.endswith("9"):
            patient.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, keys))
    assert sorted(found.key for found in patient.list("")) == [k for k in keys if k[-1] != "9"]
    assert proxy.hits > 0


def test_a_slow_line_is_no_failure(proxy: Proxy, once: Cloud) -> None:
    """A blob may take longer than any timeout, as long as it gets on."""
    data = LARGE * 4  # more than the buffers of a connection take
    hasty = opened(once.location, RetryPolicy(connect_seconds=0.5, read_seconds=5))
    proxy.limit_rate(8 << 20)
    hasty.put("key", data)
    proxy.heal()
    assert once.get("key") == data
