"""S3 keeps the promises of a store: against SeaweedFS, a real distributed store."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import contextlib
import math
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import botocore.auth
import pytest
from attrs import evolve
from botocore.awsrequest import AWSPreparedRequest
from tests.docs.pages import ROOT
from tests.servers.objects import S3Server, WeakS3Server
from tests.servers.proxy import Proxy
from tests.unit.fakes import FakeDumper
from tests.uses import use_of

from brownie_backup import Level, Repository, diagnose
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import KeyNotFound, ObjectLocked, StoreError, StoreUnavailable
from brownie_backup.format.layout import blob_key, lease_key, manifest_key
from brownie_backup.protocols import SupportsObjectLock
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryingStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import S3Store, open_store
from brownie_backup.testing import StoreContract

pytestmark = pytest.mark.once

WRONG_SECRET = "not-the-right-secret"
BLOB = blob_key("ab" * 32)


def locate(server: S3Server | WeakS3Server, bucket: str, path: str = "") -> Location:
    return Location(
        *("s3", bucket, path),
        region=server.region,
        endpoint_url=server.endpoint_url,
        access_key=Secret(server.access_key),
        secret_key=Secret(server.secret_key),
    )


@pytest.fixture(scope="module")
def opened(s3_server: S3Server) -> S3Store:
    """A store whose client the others share: to make one takes a while."""
    return open_store(locate(s3_server, s3_server.new_bucket()))


@pytest.fixture
def store(opened: S3Store) -> S3Store:
    """An empty store: a prefix of its own in a bucket of all."""
    return evolve(opened, location=evolve(opened.location, path=f"of/{secrets.token_hex(8)}"))


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, store: S3Store) -> S3Store:
        return store

    @pytest.fixture
    def secrets(self, s3_server: S3Server) -> Sequence[str]:
        return s3_server.access_key, s3_server.secret_key, WRONG_SECRET

    @pytest.fixture
    def wrong_credentials(self, store: S3Store) -> S3Store:
        return open_store(evolve(store.location, secret_key=Secret(WRONG_SECRET)))

    @pytest.fixture
    def missing_bucket(self, store: S3Store) -> S3Store:
        return evolve(store, location=evolve(store.location, host="no-such-bucket"))

    @pytest.fixture
    def cut_off_puts(self, store: S3Store) -> AbstractContextManager[S3Store]:
        return _cut_off_puts(store)

    @pytest.fixture
    def clock_an_hour_off(self, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
        return _clock_an_hour_off(monkeypatch)


@contextlib.contextmanager
def _cut_off_puts(store: S3Store) -> Iterator[S3Store]:
    """Let the connection break after a quarter of what the test puts."""
    assert store.location.endpoint_url is not None
    with Proxy(store.location.endpoint_url) as proxy:
        unlucky = open_store(evolve(store.location, endpoint_url=proxy.url))
        proxy.reset_after(2 << 20, times=math.inf)
        yield unlucky


@contextlib.contextmanager
def _clock_an_hour_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the library sign with a time that is an hour ahead."""
    right = botocore.auth.get_current_datetime

    def wrong(*, remove_tzinfo: bool = True) -> datetime:
        now: datetime = right(remove_tzinfo=remove_tzinfo)
        return now + timedelta(hours=1)

    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", wrong)
        yield


# --- prefixes ------------------------------------------------------------------------------------


def test_stores_in_one_bucket_do_not_see_each_other(opened: S3Store) -> None:
    base = secrets.token_hex(4)
    paths = (base, f"{base}2", f"{base}/inner")
    stores = [evolve(opened, location=evolve(opened.location, path=path)) for path in paths]
    for store, path in zip(stores, paths, strict=True):
        store.put("key", path.encode())
    assert [[found.key for found in store.list("")] for store in stores] == [
        *(["inner/key", "key"], ["key"], ["key"])  # a folder in one's own folder is one's own
    ]
    for store, path in zip(stores, paths, strict=True):
        assert store.get("key") == path.encode()
        assert store.url == f"s3://{opened.location.host}/{path}"


def test_a_store_may_be_the_whole_bucket(s3_server: S3Server, opened: S3Store) -> None:
    store = evolve(opened, location=evolve(opened.location, host=s3_server.new_bucket(), path=""))
    for key in ("a/b", "ab"):
        store.put(key, key.encode(), if_absent=True)
    assert store.get("a/b") == b"a/b"
    assert [found.key for found in store.list("a/")] == ["a/b"]
    assert {found.key for found in store.list("")} == {"a/b", "ab"}
    assert store.url == f"s3://{store.location.host}"


def test_a_folder_that_was_made_by_hand_is_no_object(store: S3Store) -> None:
    store.put("blobs/key", b"data")
    for folder in ("", "blobs/", "leases/"):
        name = f"{store.location.path}/{folder}"
        store.client.put_object(Bucket=store.location.host, Key=name)
    for prefix in ("", "blobs/"):
        assert [found.key for found in store.list(prefix)] == ["blobs/key"]
    assert list(store.list("leases/")) == []


# --- what is sent --------------------------------------------------------------------------------


def test_a_put_that_was_changed_on_the_way_is_refused(store: S3Store) -> None:
    """The service compares what it got with a checksum, so that it cannot store anything else."""
    client = open_store(store.location).client

    def spoil(request: AWSPreparedRequest, **_: object) -> None:
        request.body = b"dat4"

    # The body is not a part of the signature where TLS protects it; here it must not be either.
    client.meta.config.s3["payload_signing_enabled"] = False
    client.meta.events.register("before-send.s3.PutObject", spoil)
    with pytest.raises(StoreUnavailable, match=r"Digest|Mismatch"):
        evolve(store, client=client).put("key", b"data")
    assert list(store.list("")) == []


def test_service_side_encryption_storage_class_and_tags(store: S3Store) -> None:
    location = evolve(
        store.location,
        sse_kms_key="the-key-of-the-backups",
        storage_class="STANDARD_IA",
        tags={"made by": "brownie & co", "cost=centre": "4711", "empty": ""},
    )
    asking = evolve(store, location=location)
    # What changes and goes soon would be dear in another class.
    classes = {BLOB: "STANDARD_IA", manifest_key("x"): "STANDARD_IA", lease_key("x"): "STANDARD"}
    for key, storage_class in classes.items():
        asking.put(key, b"data", if_absent=True, use=use_of(key))
        assert asking.get(key) == b"data"
        target = {"Bucket": location.host, "Key": f"{location.path}/{key}"}
        head = store.client.head_object(**target)
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"] == "the-key-of-the-backups"
        assert head.get("StorageClass", "STANDARD") == storage_class
        tags = store.client.get_object_tagging(**target)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == location.tags


def test_a_storage_class_that_is_not_known_is_named(store: S3Store) -> None:
    asking = evolve(store, location=evolve(store.location, storage_class="CELLAR"))
    with pytest.raises(StoreError, match="storage_class"):
        asking.put(BLOB, b"data", use=use_of(BLOB))


# --- object lock ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lockable(s3_server: S3Server) -> str:
    return s3_server.new_bucket(object_lock=True)


@pytest.fixture
def locking(store: S3Store, lockable: str) -> S3Store:
    """A store that locks what it stores for three days."""
    return evolve(store, location=evolve(store.location, host=lockable, object_lock_days=3))


def locked_until(store: S3Store, key: str) -> tuple[datetime | None, str | None]:
    name = f"{store.location.path}/{key}"
    head = store.client.head_object(Bucket=store.location.host, Key=name)
    return head.get("ObjectLockRetainUntilDate"), head.get("ObjectLockMode")


def in_days(days: float) -> tuple[datetime, datetime]:
    at = datetime.now(UTC) + timedelta(days=days)
    return at - timedelta(minutes=5), at + timedelta(minutes=5)


def days(store: S3Store, number: int, mode: str = "compliance") -> S3Store:
    """Return the store with another lock, as after a change of the settings."""
    location = evolve(store.location, object_lock_days=number, object_lock_mode=mode)
    return evolve(store, location=location)


@pytest.mark.parametrize("mode", ["compliance", "governance"])
def test_what_is_part_of_a_backup_is_locked(locking: S3Store, mode: str) -> None:
    store = days(locking, 3, mode)
    for key in (BLOB, manifest_key("x")):
        store.put(key, b"data", if_absent=True, use=use_of(key))
        until, found = locked_until(store, key)
        assert until is not None
        assert in_days(3)[0] < until < in_days(3)[1]
        assert found == mode.upper()
        with pytest.raises(
            ObjectLocked, match=f"locked until {until:%Y-%m-%d %H:%M:%S} UTC"
        ) as raised:
            store.delete(key)
        assert raised.value.hint
        assert store.get(key) == b"data"
        (version,) = store.client.list_object_versions(
            Bucket=store.location.host, Prefix=f"{store.location.path}/{key}"
        )["Versions"]
        with pytest.raises(store.client.exceptions.ClientError, match="AccessDenied"):
            store.client.delete_object(
                Bucket=store.location.host, Key=version["Key"], VersionId=version["VersionId"]
            )


def test_a_lease_is_not_locked(locking: S3Store) -> None:
    key = lease_key("x")
    locking.put(key, b"data", use=use_of(key))
    assert locked_until(locking, key) == (None, None)
    locking.delete(key)
    with pytest.raises(KeyNotFound):
        locking.get(key)


def test_a_lock_is_extended_and_never_shortened(locking: S3Store) -> None:
    assert isinstance(locking, SupportsObjectLock)
    locking.put(BLOB, b"data", use=use_of(BLOB))
    days(locking, 2).extend_lock(BLOB)
    first, _ = locked_until(locking, BLOB)
    assert first is not None
    assert first > in_days(3)[0]
    days(locking, 9).extend_lock(BLOB)
    until, mode = locked_until(locking, BLOB)
    assert until is not None
    assert in_days(9)[0] < until < in_days(9)[1]
    assert mode == "COMPLIANCE"
    locking.extend_lock(BLOB)
    assert locked_until(locking, BLOB) == (until, mode)
    with pytest.raises(KeyNotFound):
        locking.extend_lock(manifest_key("nowhere"))


def test_every_order_to_store_or_to_lock_has_a_checksum_that_every_service_knows(
    locking: S3Store,
) -> None:
    sent: list[tuple[str, str]] = []

    def look(request: AWSPreparedRequest, **_: object) -> None:
        names = [name for name in request.headers if re.search("checksum|md5", name.lower())]
        sent.append((request.method, ",".join(names)))

    client = open_store(locking.location).client
    client.meta.events.register("before-send.s3", look)
    store = evolve(locking, client=client)
    store.put(BLOB, b"data", use=use_of(BLOB))
    days(store, 9).extend_lock(BLOB)
    assert [sums for method, sums in sent if method == "PUT"] == ["Content-MD5"] * 2
    assert {sums for method, sums in sent if method != "PUT"} == {""}


def test_what_was_stored_before_there_were_locks_is_locked_when_it_is_reused(
    locking: S3Store,
) -> None:
    without = evolve(locking, location=evolve(locking.location, object_lock_days=None))
    without.put(BLOB, b"data", use=use_of(BLOB))
    without.extend_lock(BLOB)
    assert locked_until(locking, BLOB) == (None, None)
    days(locking, 3, "governance").extend_lock(BLOB)
    until, mode = locked_until(locking, BLOB)
    assert until is not None
    assert mode == "GOVERNANCE"
    days(locking, 4).extend_lock(BLOB)
    assert locked_until(locking, BLOB)[1] == "GOVERNANCE"  # changing it needs a right of its own


def test_a_legal_hold_keeps_an_object_too(locking: S3Store) -> None:
    without = evolve(locking, location=evolve(locking.location, object_lock_days=None))
    without.put(BLOB, b"data", use=use_of(BLOB))
    target = {"Bucket": locking.location.host, "Key": f"{locking.location.path}/{BLOB}"}
    locking.client.put_object_legal_hold(**target, LegalHold={"Status": "ON"})
    with pytest.raises(ObjectLocked, match="legal hold"):
        locking.delete(BLOB)
    locking.client.put_object_legal_hold(**target, LegalHold={"Status": "OFF"})
    locking.delete(BLOB)


def test_after_its_date_an_object_can_be_deleted_and_made_anew(locking: S3Store) -> None:
    locking.put(BLOB, b"data", use=use_of(BLOB))
    later = evolve(locking, clock=lambda: datetime.now(UTC) + timedelta(days=4))
    later.delete(BLOB)
    later.delete(BLOB)
    assert list(locking.list("")) == []
    with pytest.raises(KeyNotFound):
        locking.get(BLOB)
    locking.put(BLOB, b"new", if_absent=True, use=use_of(BLOB))
    assert locking.get(BLOB) == b"new"


def test_a_bucket_without_object_lock_is_refused(store: S3Store) -> None:
    asking = days(store, 3)
    calls: list[Callable[[], None]] = [
        lambda: asking.put(BLOB, b"data", use=use_of(BLOB)),
        lambda: asking.extend_lock(BLOB),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"has no object lock.*object_lock_days"):
            call()
    assert list(store.list("")) == []
    store.put(BLOB, b"data", use=use_of(BLOB))
    asking.delete(BLOB)
    asking.put(lease_key("x"), b"data")


# --- rights --------------------------------------------------------------------------------------

RIGHTS = {
    "DeleteObject": {"s3:DeleteObject"},
    "GetObject": {"s3:GetObject"},
    "GetObjectLockConfiguration": {"s3:GetBucketObjectLockConfiguration"},
    "HeadObject": {"s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"},
    "ListObjectsV2": {"s3:ListBucket"},
    "PutObject": {"s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectTagging"},
    "PutObjectRetention": {"s3:PutObjectRetention"},
}
WARNED_OF = {"s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"}
FOR_ARCHIVES = {"s3:GetIntelligentTieringConfiguration"}
"""Used only where a listing has objects of that class."""


def test_the_guide_names_the_rights_for_every_request(locking: S3Store) -> None:
    sent: set[str] = set()
    client = open_store(locking.location).client
    client.meta.events.register("before-call.s3", lambda model, **_: sent.add(model.name))
    location = evolve(locking.location, tags={"a": "b"}, sse_kms_key="key")
    store = evolve(locking, client=client, location=location)
    store.put(BLOB, b"data", if_absent=True, use=use_of(BLOB))
    store.get(BLOB)
    days(store, 9).extend_lock(BLOB)
    list(store.list(""))
    with pytest.raises(ObjectLocked):
        store.delete(BLOB)
    store.delete(lease_key("x"))
    assert sent == set(RIGHTS)
    guide = (ROOT / "docs" / "how-to" / "store-in-s3.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"s3:\w+", guide))
    assert documented == set().union(*RIGHTS.values(), WARNED_OF, FOR_ARCHIVES)


# --- a service that promises less ----------------------------------------------------------------


@pytest.fixture(scope="module")
def weak(weak_s3_server: WeakS3Server) -> S3Store:
    return open_store(locate(weak_s3_server, weak_s3_server.new_bucket(), "backups"))


def test_the_doctor_tells_of_a_service_that_ignores_create_if_absent(
    weak: S3Store, store: S3Store
) -> None:
    found = {}
    for each in (weak, store):
        repository = Repository(RetryingStore(each), Zstd(), Cleartext())
        findings = [
            f for f in diagnose(repository, FakeDumper()) if f.subject in {"store", "clock"}
        ]
        found[each.url] = [finding.level for finding in findings]
        assert list(each.list("")) == []
    assert found == {
        weak.url: [Level.OK, Level.WARNING, Level.OK],
        store.url: [Level.OK, Level.OK, Level.OK],
    }


def test_a_service_that_ignores_locks_or_keys_is_refused(weak: S3Store) -> None:
    """It takes an order to lock an object for an order to replace it."""
    weak.put(BLOB, b"data", use=use_of(BLOB))
    asking = days(weak, 3)
    calls: list[Callable[[], None]] = [
        lambda: asking.extend_lock(BLOB),
        lambda: asking.put(BLOB, b"other", use=use_of(BLOB)),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="has no object lock"):
            call()
        assert weak.get(BLOB) == b"data"
    with pytest.raises(StoreError, match="ignores the KMS key"):
        evolve(weak, location=evolve(weak.location, sse_kms_key="key")).put("key", b"data")
