"""The store in Azure Blob Storage keeps the promises of a store: against Azurite."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import contextlib
import math
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import azure.storage.blob._shared.policies
import pytest
from attrs import evolve
from tests.servers.certificates import certificate
from tests.servers.objects import AzureServer
from tests.servers.proxy import Proxy
from tests.servers.tokens import AzureIdentity
from tests.uses import use_of

from brownie_backup.errors import AccessDenied, StoreError
from brownie_backup.hints import StoreHint
from brownie_backup.secret import Secret
from brownie_backup.stores.azure import AzureStore, open_store
from brownie_backup.stores.location import Location
from brownie_backup.testing import StoreContract

pytestmark = pytest.mark.once

WRONG_KEY = "bm90IHRoZSByaWdodCBrZXk="


class _InMemory(AzureServer):
    """Much quicker: the contract stores thousands of blobs."""

    def _command(self) -> Sequence[str]:
        usual = list(super()._command())
        place = usual.index("--location")
        return (*usual[:place], *usual[place + 2 :], "--inMemoryPersistence")


@pytest.fixture(scope="module")
def server(azure_server: AzureServer) -> Iterator[AzureServer]:
    """The server for this module; the shared one says what to do where there is no Azurite."""
    with _InMemory() as running:
        yield running


@pytest.fixture(scope="module")
def opened(server: AzureServer) -> AzureStore:
    return open_store(
        Location(
            *("azure", server.new_container()),
            endpoint_url=server.endpoint_url,
            access_key=Secret(server.account),
            secret_key=Secret(server.key),
        )
    )


@pytest.fixture
def store(opened: AzureStore) -> AzureStore:
    """An empty store: a prefix of its own in a container of all."""
    return evolve(opened, location=evolve(opened.location, path=f"of/{secrets.token_hex(8)}"))


class TestAzureStore(StoreContract):
    @pytest.fixture
    def store(self, store: AzureStore) -> AzureStore:
        return store

    @pytest.fixture
    def secrets(self, server: AzureServer) -> Sequence[str]:
        return server.key, WRONG_KEY

    @pytest.fixture
    def wrong_credentials(self, store: AzureStore) -> AzureStore:
        return open_store(evolve(store.location, secret_key=Secret(WRONG_KEY)))

    @pytest.fixture
    def missing_bucket(self, store: AzureStore) -> AzureStore:
        return open_store(evolve(store.location, host="no-such-container"))

    @pytest.fixture
    def cut_off_puts(self, store: AzureStore) -> AbstractContextManager[AzureStore]:
        return _cut_off_puts(store)

    @pytest.fixture
    def clock_an_hour_off(self, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
        return _clock_an_hour_off(monkeypatch)


@contextlib.contextmanager
def _cut_off_puts(store: AzureStore) -> Iterator[AzureStore]:
    """Let the connection break after a quarter of what the test puts."""
    assert store.location.endpoint_url is not None
    with Proxy(store.location.endpoint_url) as proxy:
        unlucky = open_store(evolve(store.location, endpoint_url=proxy.url))
        proxy.reset_after(2 << 20, times=math.inf)
        yield unlucky


@contextlib.contextmanager
def _clock_an_hour_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the library sign with a time that is an hour ahead."""
    with monkeypatch.context() as patch:
        patch.setattr(azure.storage.blob._shared.policies, "time", lambda: time.time() + 3600)
        yield


def test_stores_in_one_container_do_not_see_each_other(opened: AzureStore) -> None:
    base = secrets.token_hex(4)
    paths = (base, f"{base}2", f"/{base}3/", f"{base}.")
    stores = [evolve(opened, location=evolve(opened.location, path=path)) for path in paths]
    for store, path in zip(stores, paths, strict=True):
        store.put("key", path.encode())
    assert [[found.key for found in store.list("")] for store in stores] == [["key"]] * 4
    assert [store.get("key").decode() for store in stores] == list(paths)


def test_a_store_may_be_the_whole_container(server: AzureServer, opened: AzureStore) -> None:
    store = open_store(evolve(opened.location, host=server.new_container()))
    for key in ("a/b", "ab"):
        store.put(key, key.encode(), if_absent=True)
    assert {found.key for found in store.list("")} == {"a/b", "ab"}
    assert [found.key for found in store.list("a/")] == ["a/b"]
    assert store.url == f"azure://{store.location.host}"


def test_what_stays_has_the_tier_and_all_have_tags(store: AzureStore) -> None:
    location = evolve(store.location, storage_class="cool", tags={"team": "data + more", "x": ""})
    for key, tier in (("blobs/aa/aabb", "Cool"), ("leases/1.json", "Hot")):
        evolve(store, location=location).put(key, b"data", use=use_of(key))
        blob = store.client.get_blob_client(f"{location.path}/{key}")
        assert blob.get_blob_properties().blob_tier == tier
        assert blob.get_blob_tags() == location.tags


def test_what_azurite_cannot_do_is_refused(store: AzureStore) -> None:
    """It knows neither immutability nor encryption scopes, and passes over both in silence."""
    locked = evolve(store, location=evolve(store.location, object_lock_days=1))
    locked.put("leases/1.json", b"not locked")
    with pytest.raises(StoreError, match="is not locked") as raised:
        locked.put("blobs/aa/aabb", b"data", use=use_of("blobs/aa/aabb"))
    assert raised.value.hint == StoreHint.AZURE_NO_LOCK()
    with pytest.raises(StoreError) as raised:
        locked.extend_lock("blobs/aa/aabb")
    assert raised.value.hint == StoreHint.AZURE_NO_LOCK()
    with_key = evolve(store, location=evolve(store.location, sse_kms_key="scope"))
    with pytest.raises(StoreError, match="encryption scope"):
        with_key.put("key", b"data")


# --- identities ----------------------------------------------------------------------------------


class _WithIdentities(AzureServer):
    """Azurite with TLS, which it wants to take tokens of identities."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = ("--oauth", "basic", "--cert", str(certificate), "--key", str(key))
        super().__init__()

    @property
    def endpoint_url(self) -> str:
        return super().endpoint_url.replace("http:", "https:")

    def _command(self) -> Sequence[str]:
        return (*super()._command(), *self._files)

    def _is_ready(self) -> bool:
        return True  # when it listens


@pytest.mark.usefixtures("azure_server")  # which says what to do where Azurite is missing
def test_a_managed_identity_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite looks at the token's claims; a fake gives it, as App Service does."""
    paths = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(paths[0]))
    with _WithIdentities(*paths) as server, AzureIdentity() as identity:
        container = server.new_container()
        location = Location("azure", container, endpoint_url=server.endpoint_url)
        named = evolve(location, access_key=Secret(server.account))
        with pytest.raises(AccessDenied) as raised:
            open_store(location).get("key")
        assert "managed identity" in str(raised.value.hint)
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        for store in (open_store(location), open_store(named)):
            store.put("key", b"data")
            assert store.get("key") == b"data"
            assert [found.key for found in store.list("")] == ["key"]
        assert len(identity.given) == 2
        monkeypatch.setenv("IDENTITY_HEADER", "of another host")
        with pytest.raises(AccessDenied) as raised:
            open_store(location).get("key")
        assert identity.header not in str(raised.value)
