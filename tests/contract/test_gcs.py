"""The store in Google Cloud Storage keeps the promises of a store: against fake-gcs-server.

That has no authentication. So a fake gives the tokens, and who gets none cannot call.
"""
# ruff: noqa: D101, D102 - the classes are named for what they test

import contextlib
import json
import math
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import google.auth._helpers
import pytest
from attrs import evolve
from tests.servers.objects import GcsServer
from tests.servers.proxy import Proxy
from tests.servers.tokens import GoogleTokens
from tests.uses import use_of

from brownie_backup.errors import AccessDenied, KeyNotFound, ObjectLocked, StoreError
from brownie_backup.protocols import SupportsObjectLock
from brownie_backup.secret import Secret
from brownie_backup.stores.gcs import GcsStore, open_store
from brownie_backup.stores.location import Location
from brownie_backup.testing import StoreContract

pytestmark = pytest.mark.once


class _InMemory(GcsServer):
    """Much quicker: the contract stores thousands of objects."""

    def _command(self) -> Sequence[str]:
        usual = (part for part in super()._command() if "filesystem" not in part)
        return (*usual, "-backend=memory")


@pytest.fixture(scope="module")
def gcs_server() -> Iterator[GcsServer]:
    with _InMemory() as server:
        yield server


@pytest.fixture(scope="module")
def tokens() -> Iterator[GoogleTokens]:
    with GoogleTokens() as service:
        yield service


@pytest.fixture(scope="module")
def opened(gcs_server: GcsServer, tokens: GoogleTokens) -> GcsStore:
    token = Secret(json.dumps(tokens.account()))
    bucket, endpoint = gcs_server.new_bucket(), gcs_server.endpoint_url
    return open_store(Location("gs", bucket, endpoint_url=endpoint, token=token))


@pytest.fixture
def store(opened: GcsStore) -> GcsStore:
    """An empty store: a prefix of its own in a bucket of all."""
    return evolve(opened, location=evolve(opened.location, path=f"of/{secrets.token_hex(8)}"))


class TestGcsStore(StoreContract):
    @pytest.fixture
    def store(self, store: GcsStore) -> GcsStore:
        return store

    @pytest.fixture
    def secrets(self, tokens: GoogleTokens) -> Sequence[str]:
        account = tokens.account()
        return account["private_key"], account["private_key_id"], *tokens.given

    @pytest.fixture
    def wrong_credentials(self, store: GcsStore, tokens: GoogleTokens) -> GcsStore:
        token = Secret(json.dumps(tokens.account(right=False)))
        return open_store(evolve(store.location, token=token))

    @pytest.fixture
    def missing_bucket(self, store: GcsStore) -> GcsStore:
        return evolve(store, location=evolve(store.location, host="no-such-bucket"))

    @pytest.fixture
    def cut_off_puts(self, store: GcsStore) -> AbstractContextManager[GcsStore]:
        return _cut_off_puts(store)

    @pytest.fixture
    def clock_an_hour_off(self, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
        return _clock_an_hour_off(monkeypatch)


@contextlib.contextmanager
def _cut_off_puts(store: GcsStore) -> Iterator[GcsStore]:
    """Let the connection break after a quarter of what the test puts."""
    assert store.location.endpoint_url is not None
    with Proxy(store.location.endpoint_url) as proxy:
        unlucky = open_store(evolve(store.location, endpoint_url=proxy.url))
        proxy.reset_after(2 << 20, times=math.inf)
        yield unlucky


@contextlib.contextmanager
def _clock_an_hour_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the library find its token expired, and ask for one with a time an hour ahead."""

    def wrong() -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    with monkeypatch.context() as patch:
        patch.setattr(google.auth._helpers, "utcnow", wrong)
        yield


def test_a_wrong_clock_is_named(store: GcsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        _clock_an_hour_off(monkeypatch),
        pytest.raises(AccessDenied, match="reasonable timeframe") as raised,
    ):
        store.get("key")
    assert "clock" in str(raised.value.hint)


def test_stores_in_one_bucket_do_not_see_each_other(opened: GcsStore) -> None:
    base = secrets.token_hex(4)
    paths = (base, f"{base}2", f"/{base}3/")
    stores = [evolve(opened, location=evolve(opened.location, path=path)) for path in paths]
    for store, path in zip(stores, paths, strict=True):
        store.put("key", path.encode())
    assert [[found.key for found in store.list("")] for store in stores] == [["key"]] * 3
    assert [store.get("key").decode() for store in stores] == list(paths)


def test_a_store_may_be_the_whole_bucket(gcs_server: GcsServer) -> None:
    """And an emulator wants no credentials."""
    bucket = gcs_server.new_bucket()
    store = open_store(Location("gs", bucket, endpoint_url=gcs_server.endpoint_url))
    for key in ("a/b", "ab"):
        store.put(key, key.encode(), if_absent=True)
    assert {found.key for found in store.list("")} == {"a/b", "ab"}
    assert [found.key for found in store.list("a/")] == ["a/b"]
    assert store.url == f"gs://{bucket}"


def test_an_emulator_may_be_named_as_others_do(
    gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.endpoint_url)
    store = open_store(Location("gs", gcs_server.new_bucket()))
    store.put("key", b"data")
    assert store.get("key") == b"data"


def test_what_stays_has_the_storage_class(store: GcsStore) -> None:
    location = evolve(store.location, storage_class="coldline")
    for key, kept in (("blobs/aa/aabb", "COLDLINE"), ("leases/1.json", "STANDARD")):
        evolve(store, location=location).put(key, b"data", use=use_of(key))
        blob = store.client.bucket(location.host).get_blob(f"{location.path}/{key}", retry=None)
        assert blob.storage_class == kept


def test_a_kms_key_is_refused_where_it_means_nothing(store: GcsStore) -> None:
    name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    with_key = evolve(store, location=evolve(store.location, sse_kms_key=name))
    with pytest.raises(StoreError, match="KMS"):
        with_key.put("key", b"data")


def test_what_is_locked_cannot_be_deleted_and_stays_so(store: GcsStore) -> None:
    """fake-gcs-server keeps locks, but deletes what is locked, as one with versions seems to."""
    blob = "blobs/aa/aabb"
    governed = evolve(store.location, object_lock_days=2, object_lock_mode="governance")
    locked = evolve(store, location=governed)
    assert isinstance(locked, SupportsObjectLock)
    for key in (blob, "leases/1.json"):
        locked.put(key, b"data", use=use_of(key))
        locked.put(key, b"data", use=use_of(key))
    locked.delete("leases/1.json")
    with pytest.raises(ObjectLocked) as raised:
        locked.delete(blob)
    until = datetime.now(UTC) + timedelta(days=2)
    assert f"until {until:%Y-%m-%d}" in raised.value.message

    longer = evolve(store, location=evolve(governed, object_lock_days=9))
    longer.extend_lock(blob)
    locked.extend_lock(blob)  # which is no shortening
    after = evolve(locked, clock=lambda: datetime.now(UTC) + timedelta(days=8))
    with pytest.raises(ObjectLocked):
        after.delete(blob)
    evolve(locked, clock=lambda: datetime.now(UTC) + timedelta(days=10)).delete(blob)
    assert list(store.list("")) == []
    locked.delete(blob)
    with pytest.raises(KeyNotFound):
        locked.extend_lock(blob)
