"""An S3 store behind a network that fails: each call fails clearly, and repeated it succeeds."""

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve
from tests.servers.objects import S3Server
from tests.servers.proxy import Proxy

from brownie_backup.errors import KeyExists, StoreUnavailable
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryingStore, RetryPolicy
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import S3Store, open_store

pytestmark = pytest.mark.once

PATIENCE = RetryPolicy(
    connect_seconds=2, read_seconds=2, first_wait_seconds=0.05, longest_wait_seconds=0.2
)
LARGE = secrets.token_bytes(1 << 20) * 4


@pytest.fixture(scope="module")
def shared_proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with Proxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture
def proxy(shared_proxy: Proxy) -> Iterator[Proxy]:
    shared_proxy.requests.clear()
    yield shared_proxy
    shared_proxy.heal()


@pytest.fixture(scope="module")
def opened(s3_server: S3Server, shared_proxy: Proxy) -> S3Store:
    location = Location(
        *("s3", s3_server.new_bucket()),
        endpoint_url=shared_proxy.url,
        access_key=Secret(s3_server.access_key),
        secret_key=Secret(s3_server.secret_key),
    )
    return open_store(location, PATIENCE)


@pytest.fixture
def once(opened: S3Store) -> S3Store:
    """A store that tries once."""
    return evolve(opened, location=evolve(opened.location, path=secrets.token_hex(8)))


@pytest.fixture
def patient(once: S3Store) -> RetryingStore:
    """The same store, which tries again and again."""
    return RetryingStore(once, PATIENCE)


@pytest.mark.parametrize("fault", ["refuse", "reset", "stall", "lose_answers"])
def test_a_store_that_cannot_be_reached_is_unavailable(
    proxy: Proxy, once: S3Store, fault: str
) -> None:
    getattr(proxy, fault)()
    with pytest.raises(StoreUnavailable, match="Check the network"):
        once.get("key")


@pytest.mark.parametrize("fault", ["refuse", "stall"])
def test_a_store_that_comes_back_is_waited_for(
    proxy: Proxy, once: S3Store, patient: RetryingStore, fault: str
) -> None:
    getattr(proxy, fault)()
    with ThreadPoolExecutor(2) as pool:
        putting = pool.submit(patient.put, "key", LARGE, if_absent=True)
        healing = threading.Timer(1, proxy.heal)
        healing.start()
        putting.result()
        healing.join()
    assert once.get("key") == LARGE


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_put_that_breaks_off_is_repeated(
    proxy: Proxy, once: S3Store, patient: RetryingStore, *, if_absent: bool
) -> None:
    proxy.reset_after(1_500_000, times=2)
    patient.put("key", LARGE, if_absent=if_absent)
    assert len(proxy.requests) == 3
    assert once.get("key") == LARGE


def test_a_create_whose_answer_is_lost_is_known_to_be_ours(
    proxy: Proxy, once: S3Store, patient: RetryingStore
) -> None:
    proxy.lose_answers(times=2, only="^PUT")
    patient.put("key", LARGE, if_absent=True)
    assert [line.partition(" ")[0] for line in proxy.requests] == ["PUT"] * 3 + ["GET"]
    with pytest.raises(KeyExists):
        patient.put("key", LARGE, if_absent=True)
    assert once.get("key") == LARGE


def test_the_service_is_given_the_time_that_it_asks_for(proxy: Proxy, once: S3Store) -> None:
    waits: list[float] = []
    proxy.answer(503, headers={"Retry-After": "7"}, times=2)
    RetryingStore(once, PATIENCE, sleep=waits.append).put("key", b"data")
    assert len(waits) == 2
    assert all(7 < wait < 8 for wait in waits)


def test_of_a_listing_only_the_pages_that_failed_are_repeated(proxy: Proxy, once: S3Store) -> None:
    patient = RetryingStore(evolve(once, page_keys=3), PATIENCE)
    keys = [f"key-{number:02}" for number in range(60)]
    for key in keys:
        patient.put(key, b"data")
    proxy.requests.clear()
    proxy.answer(500, share=0.3)
    proxy.lose_answers(share=0.2)
    assert [found.key for found in patient.list("")] == keys
    assert 20 < len(proxy.requests) < 100


def test_when_one_of_twenty_requests_fails_nobody_notices(
    proxy: Proxy, once: S3Store, patient: RetryingStore
) -> None:
    proxy.answer(500, share=0.02)
    proxy.reset(share=0.02)
    proxy.lose_answers(share=0.02)
    keys = [f"key-{number:03}" for number in range(150)]

    def work(key: str) -> None:
        patient.put(key, key.encode(), if_absent=True)
        assert patient.get(key) == key.encode()
        if key.endswith("9"):
            patient.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, keys))
    assert [found.key for found in patient.list("")] == [k for k in keys if k[-1] != "9"]
    assert proxy.hits > 0


def test_a_slow_line_is_no_failure(proxy: Proxy, once: S3Store) -> None:
    """A blob may take longer than any timeout, as long as it gets on."""
    data = LARGE * 5  # more than the buffers of a connection take
    hasty = open_store(once.location, RetryPolicy(connect_seconds=0.3, read_seconds=5))
    proxy.limit_rate(8 << 20)
    hasty.put("key", data)
    proxy.heal()
    assert once.get("key") == data
