"""Whatever Azure's library and service say becomes an error of ours, without any secret."""

import inspect
import traceback
from types import ModuleType

import azure.core.exceptions
import azure.identity
import pytest
import requests
import urllib3.exceptions
from azure.storage.blob._shared.authentication import AzureSigningError
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import (
    AccessDenied,
    BucketNotFound,
    KeyExists,
    ObjectArchived,
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.secret import Secret
from brownie_backup.stores.azure import AzureStore, open_store
from brownie_backup.stores.location import Location

KEY = "dGhlIGtleSB0aGF0IG5vYm9keSBtYXkgc2Vl"
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBrZXk="
LOCATION = Location(*("azure", "box"), access_key=Secret("account"), secret_key=Secret(KEY))


def opened(service: ScriptedService) -> AzureStore:
    located = Location(
        *("azure", "box"),
        endpoint_url=f"{service.url}/account",
        access_key=Secret("account"),
        secret_key=Secret(KEY),
    )
    return open_store(located)


def refusal(status: int, code: str, text: str = "Some text", detail: str = "") -> Answer:
    more = f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>" if detail else ""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}\n'
        f"RequestId:b0d1\nTime:2026-11-22T12:00:00Z</Message>{more}</Error>"
    )
    headers = {"Content-Type": "application/xml"}
    return Answer(status, body.encode(), headers | ({"x-ms-error-code": code} if code else {}))


MAC = f"The MAC signature found in the HTTP request '{SIGNATURE}' is not the same as any computed"


@pytest.mark.parametrize(
    ("answer", "expected", "hint"),
    [
        (refusal(400, "InvalidHeaderValue"), StoreError, "documentation"),
        (refusal(400, "Md5Mismatch"), StoreUnavailable, "network"),
        (refusal(403, "AuthenticationFailed", detail=MAC), AccessDenied, "BACKUP_SECRET_KEY"),
        (refusal(403, "AuthorizationFailure"), AccessDenied, "firewall"),
        (refusal(403, "AuthorizationPermissionMismatch"), AccessDenied, "Contributor"),
        (refusal(403, "KeyBasedAuthenticationNotPermitted"), AccessDenied, "identity"),
        (refusal(403, "KeyVaultAccessTokenCannotBeAcquired"), AccessDenied, "SSE_KMS_KEY"),
        (refusal(403, ""), AccessDenied, "firewall"),
        (refusal(404, "ContainerNotFound"), BucketNotFound, "BACKUP_DESTINATION"),
        (refusal(404, "ResourceNotFound"), BucketNotFound, "BACKUP_DESTINATION"),
        (refusal(404, ""), StoreError, "BACKUP_ENDPOINT_URL"),
        (refusal(408, "OperationTimedOut"), StoreUnavailable, "status page"),
        (refusal(409, "BlobAlreadyExists"), KeyExists, ""),
        (refusal(409, "BlobArchived"), ObjectArchived, "Rehydrate"),
        (refusal(409, "BlobImmutableDueToPolicy"), ObjectLocked, "date"),
        (refusal(409, "ContainerBeingDeleted"), BucketNotFound, "BACKUP_DESTINATION"),
        (refusal(412, "ConditionNotMet"), KeyExists, ""),
        (refusal(412, "LeaseIdMissing"), StoreError, "lease"),
        (refusal(429, "TooManyRequests"), StoreUnavailable, "status page"),
        (refusal(500, "InternalError"), StoreUnavailable, "status page"),
        (refusal(500, "OperationTimedOut"), StoreUnavailable, "status page"),
        (refusal(501, ""), StoreError, "BACKUP_OBJECT_LOCK_DAYS"),
        (refusal(503, "ServerBusy"), StoreUnavailable, "status page"),
        (refusal(507, "Full"), StoreFull, "space"),
        (Answer(502, b"<html>Bad gateway"), StoreUnavailable, "status page"),
        (Answer(307, b"", {"Location": "http://127.0.0.1:1/login"}), StoreError, ""),
    ],
    ids=lambda value: value.__name__ if inspect.isclass(value) else None,
)
def test_each_answer_has_its_error(
    answer: Answer, expected: type[StoreError | KeyExists], hint: str
) -> None:
    with ScriptedService(answer) as service:
        with pytest.raises(expected) as raised:
            opened(service).put("key", b"data", if_absent=True)
        assert len(service.asked) == 1  # and nothing is tried again here
        signature = service.asked[0].headers["Authorization"].rpartition(":")[2]
    error = raised.value
    assert type(error) is expected
    assert hint in error.worded(VARIABLE_NAMES)
    assert error.message.startswith("cannot write 'key' in azure://box: ")
    assert error.__context__ is None
    told = f"{error!r}{''.join(traceback.format_exception(error))}"
    assert [secret for secret in (KEY, SIGNATURE, signature) if secret in told] == []


def test_a_redirect_leads_nowhere() -> None:
    elsewhere = Answer(302, b"", {"Location": "http://127.0.0.1:1/login"})
    with ScriptedService(elsewhere) as service:
        with pytest.raises(StoreError) as raised:
            opened(service).get("key")
        assert type(raised.value) is StoreError
        assert len(service.asked) == 1


@pytest.mark.parametrize(
    "detail",
    [
        "Request date header too old: 'Sun, 22 Nov 2026 11:00:00 GMT'",
        "Lifetime validation failed. The token is expired.",
    ],
)
def test_a_wrong_clock_is_named(detail: str) -> None:
    """Azurite takes any time; so says the service, as those report who have met it."""
    answer = refusal(403, "AuthenticationFailed", detail=detail)
    with ScriptedService(answer) as service, pytest.raises(AccessDenied) as raised:
        opened(service).get("key")
    assert "clock" in raised.value.worded(VARIABLE_NAMES)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "20", "Retry-After": "7"}, 0.02),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"Retry-After": "in a while"}, None),
        ({}, None),
    ],
)
def test_the_service_may_ask_for_time(headers: dict[str, str], seconds: float | None) -> None:
    with ScriptedService(Answer(503, b"", headers)) as service:
        with pytest.raises(StoreUnavailable) as raised:
            opened(service).get("key")
        assert len(service.asked) == 1
    assert raised.value.retry_after_seconds == seconds


def classes(module: ModuleType, base: type[BaseException]) -> list[type[BaseException]]:
    found = [each for _, each in inspect.getmembers(module, inspect.isclass)]
    return [each for each in found if issubclass(each, base)]


def made(kind: type[BaseException]) -> BaseException:
    """Make an error of a kind that carries what must not get out."""
    telling: type[BaseException] = type(kind.__name__, (kind,), {"__str__": lambda _: KEY})
    error = telling.__new__(telling, KEY)
    error.args = (KEY,)
    for name in ("message", "reason", "request", "response", "inner_exception", "model"):
        try:
            setattr(error, name, KEY if name == "message" else None)
        except AttributeError:
            continue
    return error


ALL = [
    *classes(azure.core.exceptions, azure.core.exceptions.AzureError),
    *classes(azure.core.exceptions, ValueError),
    *classes(azure.identity, azure.core.exceptions.AzureError),
    AzureSigningError,
    *classes(requests.exceptions, requests.RequestException),
    *classes(urllib3.exceptions, urllib3.exceptions.HTTPError),
    *(ConnectionResetError, FileNotFoundError, TimeoutError, ValueError, TypeError, KeyError),
]


@pytest.mark.parametrize(
    "kind", dict.fromkeys(ALL), ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
)
def test_no_error_of_the_library_gets_out(kind: type[BaseException]) -> None:
    def fail() -> None:
        raise made(kind)

    store = open_store(LOCATION)
    with pytest.raises((StoreError, KeyExists)) as raised:
        store._call("cannot do it", fail)
    error = raised.value
    told = f"{error!r}{error.hint}{''.join(traceback.format_exception(error))}"
    assert KEY not in told
    assert (error.__cause__, error.__context__) == (None, None)
