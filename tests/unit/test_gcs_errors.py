"""Whatever Google's library and service say becomes an error of ours, without any secret."""

import inspect
import io
import traceback
from types import ModuleType
from typing import Any

import google.api_core.exceptions
import google.auth.exceptions
import google.cloud.storage.exceptions
import pytest
import requests
import urllib3.exceptions
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import (
    AccessDenied,
    KeyExists,
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.secret import Secret
from brownie_backup.stores.gcs import GcsStore, open_store
from brownie_backup.stores.location import Location

SECRET = "ya29.a-token-that-nobody-may-see"


def opened(service: ScriptedService) -> GcsStore:
    return open_store(Location("gs", "box", endpoint_url=service.url))


def refusal(reason: str = "x", text: str = "Some text") -> dict[str, Any]:
    return {"error": {"message": text, "errors": [{"reason": reason, "message": text}]}}


@pytest.mark.parametrize(
    ("status", "said", "expected", "hint"),
    [
        (400, refusal("invalid"), StoreError, "documentation"),
        (400, refusal(text="Provided MD5 hash does not match"), StoreUnavailable, "network"),
        (400, refusal("cloudKmsDisabledKey"), StoreError, "BACKUP_SSE_KMS_KEY"),
        (401, refusal("authError"), AccessDenied, "BACKUP_TOKEN"),
        (403, refusal("forbidden"), AccessDenied, "guide"),
        (403, refusal("accountDisabled"), AccessDenied, "billing"),
        (403, refusal(text="Permission denied on Cloud KMS key"), AccessDenied, "SSE_KMS_KEY"),
        (403, refusal("rateLimitExceeded"), StoreUnavailable, "status page"),
        (403, refusal("quotaExceeded"), StoreFull, "quota"),
        (403, refusal("retentionPolicyNotMet"), ObjectLocked, "date"),
        (408, refusal(), StoreUnavailable, "network"),
        (409, refusal("conflict"), StoreUnavailable, "status page"),
        (412, refusal("conditionNotMet"), KeyExists, ""),
        (429, refusal("rateLimitExceeded"), StoreUnavailable, "status page"),
        (500, {}, StoreUnavailable, "status page"),
        (501, {}, StoreError, "documentation"),
        (502, [], StoreUnavailable, "status page"),
        (503, refusal("backendError"), StoreUnavailable, "status page"),
        (504, "late", StoreUnavailable, "status page"),
        (507, {}, StoreFull, "space"),
    ],
)
def test_each_answer_has_its_error(
    status: int, said: object, expected: type[StoreError | KeyExists], hint: str
) -> None:
    with ScriptedService(Answer.of(said, status)) as service:
        with pytest.raises(expected) as raised:
            opened(service).put("key", b"data", if_absent=True)
        assert len(service.asked) == 1  # and nothing is tried again here
    assert type(raised.value) is expected
    assert hint in raised.value.worded(VARIABLE_NAMES)
    assert raised.value.message.startswith("cannot write 'key' in gs://box: ")
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_the_service_may_ask_for_time(headers: dict[str, str], seconds: float | None) -> None:
    with ScriptedService(Answer(503, b"", headers)) as service:
        with pytest.raises(StoreUnavailable) as raised:
            opened(service).get("key")
        assert len(service.asked) == 1
    assert raised.value.retry_after_seconds == seconds


def test_a_redirect_leads_nowhere() -> None:
    elsewhere = Answer(302, b"", {"Location": "http://127.0.0.1:1/login"})
    with ScriptedService(elsewhere) as service:
        store = opened(service)
        for call in (lambda: store.put("key", b"data"), lambda: store.get("key")):
            with pytest.raises(StoreError) as raised:
                call()
            assert type(raised.value) is StoreError
            assert "BACKUP_ENDPOINT_URL" in raised.value.worded(VARIABLE_NAMES)
        assert len(service.asked) == 2


def classes(module: ModuleType, base: type[BaseException]) -> list[type[BaseException]]:
    found = [each for _, each in inspect.getmembers(module, inspect.isclass)]
    return [each for each in found if issubclass(each, base)]


def made(kind: type[BaseException]) -> BaseException:
    """Make an error of a kind that carries what must not get out."""
    response = requests.Response()
    response.status_code = getattr(kind, "code", None) or 503
    response.raw = io.BytesIO(f'{{"error": {{"message": "{SECRET}"}}}}'.encode())
    response.request = requests.Request(
        "GET", f"http://host/x?t={SECRET}", headers={"Authorization": f"Bearer {SECRET}"}
    ).prepare()
    telling: type[BaseException] = type(kind.__name__, (kind,), {"__str__": lambda _: SECRET})
    error = telling.__new__(telling, SECRET)
    error.args = (SECRET,)
    for name, value in (
        ("response", response),
        ("_response", response),
        ("message", SECRET),
        ("_retryable", False),
    ):
        try:
            setattr(error, name, value)
        except AttributeError:
            continue
    return error


ALL = [
    *classes(google.api_core.exceptions, google.api_core.exceptions.GoogleAPIError),
    *classes(google.auth.exceptions, google.auth.exceptions.GoogleAuthError),
    *classes(google.cloud.storage.exceptions, google.cloud.storage.exceptions.InvalidResponse),
    *classes(google.cloud.storage.exceptions, google.cloud.storage.exceptions.DataCorruption),
    *classes(requests.exceptions, requests.RequestException),
    *classes(urllib3.exceptions, urllib3.exceptions.HTTPError),
    ConnectionResetError,
    FileNotFoundError,
    TimeoutError,
    ValueError,
]


@pytest.mark.parametrize(
    "kind", dict.fromkeys(ALL), ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
)
def test_no_error_of_the_library_gets_out(kind: type[BaseException]) -> None:
    def fail() -> None:
        raise made(kind)

    token = Secret(f'{{"type": "service_account", "private_key": "{SECRET}"}}')
    store = GcsStore(None, Location("gs", "box", token=token), (1, 1))
    with pytest.raises((StoreError, KeyExists)) as raised:
        store._call("cannot do it", fail)
    error = raised.value
    told = f"{error}{error!r}{error.hint}{''.join(traceback.format_exception(error))}"
    assert SECRET not in told
    assert (error.__cause__, error.__context__) == (None, None)
