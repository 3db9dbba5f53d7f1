"""What the store in Azure Blob Storage sends, and what it makes of the answers."""

import base64
import hashlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.scripted import Answer, ScriptedService
from tests.uses import use_of

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import (
    ConfigurationError,
    KeyNotFound,
    ObjectLocked,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.protocols import Availability
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryPolicy
from brownie_backup.stores.azure import AzureStore, open_store
from brownie_backup.stores.azure.names import blob_name, key_of, name_prefix
from brownie_backup.stores.location import Location

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
BLOB = "blobs/aa/aabb"
LOCATION = Location(
    *("azure", "box", "a/db"), access_key=Secret("account"), secret_key=Secret("a2V5")
)
LOCKED = evolve(LOCATION, object_lock_days=30)
HTTP_TIME = "%a, %d %b %Y %H:%M:%S GMT"
CREATED = Answer(201, b"", {"ETag": '"1"', "Last-Modified": f"{NOW:{HTTP_TIME}}"})


def opened(service: ScriptedService, location: Location = LOCATION) -> AzureStore:
    located = evolve(location, endpoint_url=f"{service.url}/account")
    return evolve(open_store(located, RetryPolicy(read_seconds=5)), clock=lambda: NOW)


def state(lock_days: float | None = None, mode: str = "Locked", **headers: str) -> Answer:
    """Answer as to a question for a blob's properties."""
    more = dict(CREATED.headers) | {"x-ms-blob-type": "BlockBlob"}
    if lock_days is not None:
        until = NOW + timedelta(days=lock_days)
        more["x-ms-immutability-policy-until-date"] = f"{until:{HTTP_TIME}}"
        more["x-ms-immutability-policy-mode"] = mode.lower()
    return Answer(200, b"", more | {k.replace("_", "-"): v for k, v in headers.items()})


# --- put -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 65 << 20])  # over 64 MiB, the library would cut it up
def test_a_put_is_one_request_with_a_checksum_that_the_service_compares(size: int) -> None:
    data = bytes(size)
    with ScriptedService(CREATED) as service:
        opened(service).put("a b?c#d%e", data)
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("PUT", "/account/box/a/db/a%20b%3Fc%23d%25e")
    assert "comp" not in asked.query
    assert asked.body == data
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    assert asked.headers["Content-MD5"] == base64.b64encode(digest).decode()
    assert "If-None-Match" not in asked.headers


def test_a_put_if_absent_sends_the_condition() -> None:
    with ScriptedService(CREATED) as service:
        opened(service).put("key", b"data", if_absent=True)
    assert service.asked[0].headers["If-None-Match"] == "*"


def test_a_put_sends_tier_scope_tags_and_lock_at_once() -> None:
    """Azurite knows neither scopes nor immutability: this shows what the service would get."""
    location = evolve(
        LOCKED, sse_kms_key="backups", storage_class="cool", tags={"team": "data", "a b": "1+2"}
    )
    created = evolve(CREATED, headers={**CREATED.headers, "x-ms-encryption-scope": "backups"})
    with ScriptedService(created, state(30)) as service:
        store = opened(service, location)
        store.put(BLOB, b"data", use=use_of(BLOB))
        assert len(service.asked) == 2  # that the service keeps locks is looked at once
        service.answers.appendleft(created)
        store.put(BLOB, b"data", use=use_of(BLOB))
        assert len(service.asked) == 3
    sent = service.asked[0].headers
    assert sent["x-ms-access-tier"] == "Cool"
    assert sent["x-ms-encryption-scope"] == "backups"
    assert sent["x-ms-tags"] == "team=data&a%20b=1%2B2"
    assert sent["x-ms-immutability-policy-mode"] == "Locked"
    assert sent["x-ms-immutability-policy-until-date"] == "Tue, 22 Dec 2026 12:00:00 GMT"


def test_governance_is_a_lock_that_can_be_taken_off() -> None:
    location = evolve(LOCKED, object_lock_mode="governance")
    with ScriptedService(CREATED, state(30, "Unlocked")) as service:
        opened(service, location).put(BLOB, b"data", use=use_of(BLOB))
    assert service.asked[0].headers["x-ms-immutability-policy-mode"] == "Unlocked"


@pytest.mark.parametrize("key", ["leases/1.json", "verifications/x.json"])
def test_what_changes_is_not_locked_nor_put_where_deleting_is_dear(key: str) -> None:
    with ScriptedService(CREATED) as service:
        opened(service, evolve(LOCKED, storage_class="Cold")).put(key, b"data", use=use_of(key))
    headers = service.asked[0].headers
    assert not [name for name in headers if "immutability" in name or "tier" in name]


# --- get -----------------------------------------------------------------------------------------


def content(data: bytes, hashed: bytes | None = None, missing: int = 0) -> Answer:
    digest = hashlib.md5(data if hashed is None else hashed, usedforsecurity=False).digest()
    headers = {
        **state().headers,
        "x-ms-blob-content-md5": base64.b64encode(digest).decode(),
        "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
    }
    return Answer(206, data, headers, missing)


def test_a_get_is_one_request() -> None:
    data = bytes(range(256)) * (40 << 12)
    with ScriptedService(content(data)) as service:
        assert opened(service).get("key") == data
    (asked,) = service.asked
    assert int(asked.headers["x-ms-range"].rpartition("-")[2]) >= len(data)


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
    """It is asked for once: the library by itself would try three times."""
    with ScriptedService(answer) as service:
        with pytest.raises(StoreUnavailable, match=why) as raised:
            opened(service).get("key")
        assert len(service.asked) == 1
    assert raised.value.__context__ is None


# --- list ----------------------------------------------------------------------------------------


def listed(*names: str, folders: tuple[str, ...] = (), marker: str = "") -> Answer:
    blobs = "".join(
        f"<Blob><Name>{name}</Name><Properties><Last-Modified>{NOW:{HTTP_TIME}}</Last-Modified>"
        "<Content-Length>3</Content-Length><BlobType>BlockBlob</BlobType></Properties>"
        f"<Metadata>{'<hdi_isfolder>true</hdi_isfolder>' if name in folders else ''}</Metadata>"
        "</Blob>"
        for name in names
    )
    body = (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" '
        f'ContainerName="box"><Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker>'
        "</EnumerationResults>"
    )
    return Answer(200, body.encode(), {"Content-Type": "application/xml"})


def test_a_page_has_blobs_and_no_folders() -> None:
    """Accounts with a hierarchical namespace list the folders as well."""
    folders = ("a/db/folder",)
    answer = listed("a/db/folder", "a/db/folder/key", "a/db/dot.%", folders=folders, marker="m1")
    with ScriptedService(answer) as service:
        page = opened(service).list_page("", "m0")
    assert page.next_token == "m1"
    assert [found.key for found in page.objects] == ["folder/key", "dot."]
    assert (page.objects[0].size_bytes, page.objects[0].modified_at) == (3, NOW)
    (asked,) = service.asked
    assert asked.query["marker"] == "m0"
    assert asked.query["prefix"] == "a/db/"


def test_a_name_that_only_looks_like_the_prefix_is_left_out() -> None:
    with ScriptedService(listed("a/db/x.%", "a/db/x.%y", "a/db/x.%%")) as service:
        page = opened(service).list_page("x.%", None)
    assert [found.key for found in page.objects] == ["x.%y", "x.%"]


@pytest.mark.parametrize("tier", ["Hot", "Cool", "Cold", "Archive"])
def test_a_blob_in_the_archive_tier_is_archived(tier: str) -> None:
    answer = listed("a/db/key")
    more = f"<AccessTier>{tier}</AccessTier></Properties>".encode()
    answer = evolve(answer, body=answer.body.replace(b"</Properties>", more))
    with ScriptedService(answer) as service:
        (found,) = opened(service).list_page("", None).objects
    assert (found.availability is Availability.ARCHIVED) == (tier == "Archive")


# --- names ---------------------------------------------------------------------------------------

PARTS = st.text("ab.%", min_size=1, max_size=4)
KEYS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@given(KEYS, KEYS)
def test_no_part_of_a_name_ends_with_a_dot(key: str, other: str) -> None:
    name = blob_name(key)
    assert not [part for part in name.split("/") if part.endswith(".")]
    assert key_of(name) == key
    assert (blob_name(other) == name) == (other == key)


@given(KEYS, st.integers(0, 12))
def test_names_begin_as_their_keys_do(key: str, length: int) -> None:
    assert blob_name(key).startswith(name_prefix(key[:length]))


def test_the_names_of_a_repository_are_its_keys() -> None:
    for key in ("repository.json", "manifests/a-b.c.json", "blobs/aa/aabb", "leases/1-2.json"):
        assert blob_name(key) == key


# --- locks ---------------------------------------------------------------------------------------


def test_a_lock_is_extended_by_one_change() -> None:
    with ScriptedService(state(3), Answer(200)) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    current, change = service.asked
    assert (current.method, change.method) == ("HEAD", "PUT")
    assert change.query == {"comp": "immutabilityPolicies"}
    assert change.headers["x-ms-immutability-policy-until-date"] == "Tue, 22 Dec 2026 12:00:00 GMT"
    assert change.headers["x-ms-immutability-policy-mode"] == "Locked"


def test_a_lock_in_force_keeps_its_mode() -> None:
    with ScriptedService(state(3, "Unlocked"), Answer(200)) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    assert service.asked[1].headers["x-ms-immutability-policy-mode"] == "Unlocked"


def test_a_blob_without_a_lock_gets_one() -> None:
    with ScriptedService(state(), Answer(200)) as service:
        opened(service, LOCKED).extend_lock(BLOB)
    assert service.asked[1].headers["x-ms-immutability-policy-mode"] == "Locked"


@pytest.mark.parametrize("days", [30, 31, 400])
def test_a_lock_is_never_shortened(days: int) -> None:
    with ScriptedService(state(days)) as service:
        opened(service, LOCKED).extend_lock(BLOB)
        assert [asked.method for asked in service.asked] == ["HEAD"]


def test_without_locks_nothing_is_asked() -> None:
    with ScriptedService(state()) as service:
        opened(service).extend_lock(BLOB)
        assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [(state(3), "until 2026-11-25 12:00:00 UTC"), (state(x_ms_legal_hold="true"), "legal hold")],
)
def test_what_is_locked_is_not_hidden_by_a_delete(answer: Answer, why: str) -> None:
    """The service would keep the blob as an old version, and say that it is deleted."""
    with ScriptedService(answer) as service:
        with pytest.raises(ObjectLocked, match=why):
            opened(service, LOCKED).delete(BLOB)
        assert [asked.method for asked in service.asked] == ["HEAD"]


def test_what_is_not_locked_any_more_is_deleted() -> None:
    with ScriptedService(state(-1), Answer(202)) as service:
        opened(service, LOCKED).delete(BLOB)
        assert [asked.method for asked in service.asked] == ["HEAD", "DELETE"]
    missing = Answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
    with ScriptedService(missing) as service:
        opened(service, LOCKED).delete(BLOB)
        with pytest.raises(KeyNotFound):
            opened(service, LOCKED).extend_lock(BLOB)


@pytest.mark.parametrize("code", ["BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"])
def test_a_policy_of_the_container_is_named(code: str) -> None:
    with ScriptedService(Answer(409, b"", {"x-ms-error-code": code})) as service:
        with pytest.raises(ObjectLocked):
            opened(service).delete(BLOB)
        with pytest.raises(ObjectLocked):
            opened(service).put(BLOB, b"data", use=use_of(BLOB))


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"host": ""}, "destination"),
        ({"host": "Box"}, "destination"),
        ({"path": "a//b"}, "destination"),
        ({"access_key": None}, "secret_key"),
        ({"access_key": None, "endpoint_url": "https://h/a"}, "secret_key"),
        ({"access_key": None, "secret_key": None}, "access_key"),
        ({"access_key": Secret("hunter2/")}, "access_key"),
        ({"secret_key": Secret("hunter2!")}, "secret_key"),
        ({"secret_key": None, "endpoint_url": "http://h/a"}, "endpoint_url"),
        ({"endpoint_url": "https://h/a?sig=hunter2"}, "endpoint_url"),
        ({"endpoint_url": "h/a"}, "endpoint_url"),
        ({"storage_class": "Archive"}, "storage_class"),
        ({"storage_class": "STANDARD"}, "storage_class"),
        ({"tags": {str(number): "" for number in range(11)}}, "object_tags"),
        ({"tags": {"a": "b&c"}}, "object_tags"),
        ({"tags": {"": "b"}}, "object_tags"),
        ({"object_lock_days": 0}, "object_lock_days"),
    ],
)
def test_a_wrong_setting_is_named(wrong: Mapping[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_store(evolve(LOCATION, **wrong))
    assert raised.value.problems[0].startswith(named)
    assert "hunter2" not in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize("tier", ["Hot", "cool", "COLD"])
def test_every_tier_that_is_read_at_once_may_be_chosen(tier: str) -> None:
    open_store(evolve(LOCATION, storage_class=tier))


def test_the_account_is_a_part_of_the_address() -> None:
    store = open_store(LOCATION)
    assert store.client.url == "https://account.blob.core.windows.net/box"


def test_a_service_that_ignores_the_scope_is_refused() -> None:
    with ScriptedService(CREATED) as service, pytest.raises(StoreError, match="scope"):
        opened(service, evolve(LOCATION, sse_kms_key="backups")).put("key", b"data")


def test_without_a_key_another_library_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    open_store(LOCATION)
    with pytest.raises(ConfigurationError, match=r"azure\.identity") as raised:
        open_store(evolve(LOCATION, secret_key=None))
    assert "brownie-backup[azure]" in raised.value.worded(VARIABLE_NAMES)
