"""What the store in Google Cloud Storage sends, and what it makes of the answers."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from tests.unit.scripted import Answer, ScriptedService
from tests.uses import use_of

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import (
    BucketNotFound,
    ConfigurationError,
    KeyNotFound,
    ObjectLocked,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.stores import RetryPolicy
from brownie_backup.stores.gcs import GcsStore, open_store
from brownie_backup.stores.location import Location

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
KEY = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
BLOB = "blobs/aa/aabb"
LOCATION = Location("gs", "box", "a/db")
LOCKED = evolve(LOCATION, object_lock_days=30)
MISSING = {"error": {"code": 404, "message": "Not Found", "errors": [{"reason": "notFound"}]}}


def stored(key: str, **more: object) -> Answer:
    return Answer.of({"name": f"a/db/{key}", **more})


def lock(days: float, mode: str = "Locked") -> dict[str, object]:
    until = NOW + timedelta(days=days)
    return {"retention": {"mode": mode, "retainUntilTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"}}


def opened(service: ScriptedService, location: Location = LOCATION) -> GcsStore:
    store = open_store(evolve(location, endpoint_url=service.url), RetryPolicy(read_seconds=5))
    return evolve(store, clock=lambda: NOW)


# --- put -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 9 << 20])  # over 8 MiB, the library would begin a session
def test_a_put_is_one_request_with_a_checksum_that_the_service_compares(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with ScriptedService(stored("key")) as service:
        opened(service).put("key", data)
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("POST", "/upload/storage/v1/b/box/o")
    assert asked.query["uploadType"] == "multipart"
    assert "ifGenerationMatch" not in asked.query
    metadata, body = asked.parts
    assert body == data
    assert metadata == {
        "name": "a/db/key",
        "md5Hash": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
    }


def test_a_put_if_absent_sends_the_condition() -> None:
    with ScriptedService(stored("key")) as service:
        opened(service).put("key", b"data", if_absent=True)
    assert service.asked[0].query["ifGenerationMatch"] == "0"


def test_a_put_sends_class_key_and_lock_at_once() -> None:
    """fake-gcs-server knows neither keys nor retention: this shows what the service would get."""
    location = evolve(LOCKED, sse_kms_key=KEY, storage_class="nearline")
    answer = stored(BLOB, kmsKeyName=f"{KEY}/cryptoKeyVersions/1", **lock(30))
    with ScriptedService(answer) as service:
        opened(service, location).put(BLOB, b"data", use=use_of(BLOB))
    (asked,) = service.asked
    assert asked.query["kmsKeyName"] == KEY
    assert asked.parts[0]["storageClass"] == "NEARLINE"
    assert asked.parts[0]["retention"] == {
        "mode": "Locked",
        "retainUntilTime": "2026-12-22T12:00:00Z",
    }


def test_governance_is_a_lock_that_can_be_taken_off() -> None:
    location = evolve(LOCKED, object_lock_mode="governance")
    with ScriptedService(stored(BLOB, **lock(30, "Unlocked"))) as service:
        opened(service, location).put(BLOB, b"data", use=use_of(BLOB))
    assert service.asked[0].parts[0]["retention"]["mode"] == "Unlocked"


@pytest.mark.parametrize("key", ["leases/1.json", "verifications/x.json"])
def test_what_changes_is_not_locked_nor_put_where_deleting_is_dear(key: str) -> None:
    with ScriptedService(stored(key)) as service:
        opened(service, evolve(LOCKED, storage_class="ARCHIVE")).put(key, b"data", use=use_of(key))
    assert set(service.asked[0].parts[0]) == {"name", "md5Hash"}


@pytest.mark.parametrize(
    ("location", "key", "what"),
    [(LOCKED, BLOB, "not locked"), (evolve(LOCATION, sse_kms_key=KEY), "key", "KMS key")],
)
def test_a_service_that_ignores_what_it_was_asked_is_refused(
    location: Location, key: str, what: str
) -> None:
    with ScriptedService(stored(key)) as service, pytest.raises(StoreError, match=what):
        opened(service, location).put(key, b"data", use=use_of(key))


@pytest.mark.parametrize("answer", [Answer.of({}), Answer.of([]), Answer(200, b"<html>Log in")])
def test_an_answer_of_something_else_is_no_success(answer: Answer) -> None:
    with ScriptedService(answer) as service, pytest.raises(StoreError, match="not one of this"):
        opened(service).put("key", b"data")


def test_a_bucket_without_locks_is_named() -> None:
    refusal = Answer.of({"error": {"code": 400, "message": "Retention is not enabled"}}, 400)
    with ScriptedService(refusal) as service, pytest.raises(StoreError) as raised:
        opened(service, LOCKED).put(BLOB, b"data", use=use_of(BLOB))
    assert "--enable-per-object-retention" in raised.value.worded(VARIABLE_NAMES)


# --- get -----------------------------------------------------------------------------------------


def content(data: bytes, hashed: bytes | None = None, missing: int = 0) -> Answer:
    digest = hashlib.md5(data if hashed is None else hashed, usedforsecurity=False).digest()
    headers = {"X-Goog-Hash": f"md5={base64.b64encode(digest).decode()}", "X-Goog-Generation": "1"}
    return Answer(200, data, headers, missing)


def test_a_get_is_one_request_and_checked() -> None:
    with ScriptedService(content(b"data")) as service:
        assert opened(service).get("a b/c#d?e") == b"data"
    (asked,) = service.asked
    assert asked.path == "/download/storage/v1/b/box/o/a%2Fdb%2Fa%20b%2Fc%23d%3Fe"
    assert asked.query == {"alt": "media"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (content(b"data", hashed=b"other"), "checksum"),
        (content(b"x" * 100_000, missing=1), "IncompleteRead"),
        (content(b"x" * 100_000, missing=100_000), "IncompleteRead"),
        (Answer(200, b"<html>Log in here"), "not one of this service"),
    ],
)
def test_what_did_not_come_whole_may_come_another_time(answer: Answer, why: str) -> None:
    with ScriptedService(answer) as service:
        with pytest.raises(StoreUnavailable, match=why) as raised:
            opened(service).get("key")
        assert len(service.asked) == 1
    assert raised.value.__context__ is None


# --- what is not there ---------------------------------------------------------------------------


def get(store: GcsStore) -> object:
    return store.get("key")


def delete(store: GcsStore) -> None:
    store.delete("key")


def attempt(store: GcsStore, call: Callable[[GcsStore], object]) -> type[StoreError] | None:
    try:
        call(store)
    except StoreError as error:
        return type(error)
    return None


@pytest.mark.parametrize(("call", "result"), [(get, KeyNotFound), (delete, None)])
def test_that_an_object_is_missing_costs_no_second_request(
    call: Callable[[GcsStore], object], result: type[StoreError] | None
) -> None:
    """So say the documentation's samples of the service; fake-gcs-server says but "Not Found"."""
    answer = Answer(404, b"No such object: box/a/db/key", {"Content-Type": "text/html"})
    with ScriptedService(answer) as service:
        assert attempt(opened(service), call) is result
        assert len(service.asked) == 1


@pytest.mark.parametrize("call", [get, delete])
def test_that_a_bucket_is_missing_is_said(call: Callable[[GcsStore], object]) -> None:
    said = {"error": {"code": 404, "message": "The specified bucket does not exist."}}
    with ScriptedService(Answer.of(said, 404)) as service:
        assert attempt(opened(service), call) is BucketNotFound
        assert len(service.asked) == 1


@pytest.mark.parametrize(("call", "result"), [(get, KeyNotFound), (delete, None)])
def test_what_is_missing_is_found_out_by_one_more_request(
    call: Callable[[GcsStore], object], result: type[StoreError] | None
) -> None:
    with ScriptedService(Answer.of(MISSING, 404), Answer.of({"items": []})) as service:
        assert attempt(opened(service), call) is result
        assert len(service.asked) == 2
    with ScriptedService(Answer.of(MISSING, 404)) as service:
        assert attempt(opened(service), call) is BucketNotFound


# --- list ----------------------------------------------------------------------------------------


def test_a_page_has_objects_and_no_folders_of_the_console() -> None:
    made = {"size": "3", "timeCreated": "2026-11-22T11:00:00.123Z"}
    names = ("a/db/", "a/db/folder/", "a/db/folder/key", "a/db/other")
    items = [{"name": name, **made} for name in names]
    with ScriptedService(Answer.of({"items": items, "nextPageToken": "t1"})) as service:
        page = opened(service).list_page("", "t0")
    assert page.next_token == "t1"
    assert [(found.key, found.size_bytes) for found in page.objects] == [
        ("folder/key", 3),
        ("other", 3),
    ]
    assert page.objects[0].modified_at == datetime(2026, 11, 22, 11, 0, 0, 123000, tzinfo=UTC)
    (asked,) = service.asked
    assert asked.query["pageToken"] == "t0"
    assert asked.query["prefix"] == "a/db/"
    assert asked.query["projection"] == "noAcl"


# --- locks ---------------------------------------------------------------------------------------


def test_a_lock_is_extended_by_one_change() -> None:
    with ScriptedService(Answer.of(lock(3)), Answer.of(lock(30))) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    current, change = service.asked
    assert (current.method, change.method) == ("GET", "PATCH")
    assert current.path == change.path == "/storage/v1/b/box/o/a%2Fdb%2Fblobs%2Faa%2Faabb"
    assert json.loads(change.body) == lock(30)
    assert "overrideUnlockedRetention" not in change.query
    assert change.query["projection"] == "noAcl"  # for more we would need more rights


def test_an_object_without_a_lock_gets_one() -> None:
    with ScriptedService(Answer.of({}), Answer.of(lock(30))) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    assert json.loads(service.asked[1].body) == lock(30)


def test_a_lock_in_force_keeps_its_mode() -> None:
    with ScriptedService(Answer.of(lock(3, "Unlocked")), Answer.of({})) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    assert json.loads(service.asked[1].body) == lock(30, "Unlocked")


@pytest.mark.parametrize("days", [30, 31, 400])
def test_a_lock_is_never_shortened(days: int) -> None:
    with ScriptedService(Answer.of(lock(days))) as service:
        opened(service, LOCKED).extend_lock(BLOB)
        assert [asked.method for asked in service.asked] == ["GET"]


def test_without_locks_nothing_is_asked() -> None:
    with ScriptedService(Answer.of({})) as service:
        opened(service).extend_lock(BLOB)
        assert service.asked == []


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("retentionPolicyNotMet", "Object 'box/x' cannot be deleted until 2026-12-22"),
        ("objectUnderActiveHold", "Object 'box/x' is under active Temporary hold"),
        ("forbidden", "Object 'box/x' is subject to bucket's retention policy"),
    ],
)
def test_a_locked_object_is_named_so(reason: str, text: str) -> None:
    said = {"error": {"code": 403, "message": text, "errors": [{"reason": reason}]}}
    with ScriptedService(Answer.of(said, 403)) as service:
        with pytest.raises(ObjectLocked, match="Object 'box/x'"):
            opened(service, LOCKED).delete(BLOB)
        with pytest.raises(ObjectLocked):
            opened(service, LOCKED).put(BLOB, b"data", use=use_of(BLOB))


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"host": ""}, "destination"),
        ({"path": "a/../b"}, "destination"),
        ({"path": ".."}, "destination"),
        ({"tags": {"a": "b"}}, "object_tags"),
        ({"storage_class": "GLACIER"}, "storage_class"),
        ({"sse_kms_key": "alias/key"}, "sse_kms_key"),
        ({"object_lock_days": 0}, "object_lock_days"),
        ({"object_lock_mode": "strict"}, "object_lock_mode"),
        ({"endpoint_url": "localhost:4443"}, "endpoint_url"),
        ({"endpoint_url": "http://[::1"}, "endpoint_url"),
        ({"endpoint_url": "https://u:hunter2@host"}, "endpoint_url"),
        ({"endpoint_url": "https://host/?token=hunter2"}, "endpoint_url"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_store(evolve(LOCATION, **wrong))
    (problem,) = raised.value.problems
    assert problem.startswith(named)
    assert "hunter2" not in problem
    assert raised.value.hint


def test_all_wrong_settings_are_named_at_once() -> None:
    wrong = evolve(LOCATION, host="", tags={"a": "b"}, storage_class="x", object_lock_days=-1)
    with pytest.raises(ConfigurationError) as raised:
        open_store(wrong)
    assert len(raised.value.problems) == 4


@pytest.mark.parametrize("storage_class", ["STANDARD", "nearline", "Coldline", "ARCHIVE"])
def test_every_class_of_the_service_may_be_chosen(storage_class: str) -> None:
    """All of them can be read at once."""
    open_store(evolve(LOCATION, storage_class=storage_class))
