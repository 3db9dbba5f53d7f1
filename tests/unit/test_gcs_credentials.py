"""Who we are to Google: what BACKUP_TOKEN may be, and what its own chain finds."""

import json
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import google.auth
import pytest
from attrs import evolve
from google.auth.credentials import AnonymousCredentials
from tests.servers.tokens import GoogleTokens
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import AccessDenied, ConfigurationError, StoreUnavailable
from brownie_backup.secret import Secret
from brownie_backup.stores.gcs import open_store
from brownie_backup.stores.gcs.credentials import DefaultCredentials
from brownie_backup.stores.location import Location

LOCATION = Location("gs", "box")
EMPTY = Answer.of({"items": []})
TOKEN = {"access_token": "ya29.given", "expires_in": 3600, "token_type": "Bearer"}
USER = {
    "type": "authorized_user",
    "client_id": "an-id",
    "client_secret": "hunter2-client",
    "refresh_token": "hunter2-refresh",
}


@pytest.fixture(scope="module")
def tokens() -> Iterator[GoogleTokens]:
    with GoogleTokens() as service:
        yield service


def secret(info: object) -> Secret:
    return Secret(json.dumps(info))


def authorization(location: Location) -> str:
    """Return by what a store shows who it is."""
    with ScriptedService(EMPTY) as service:
        list(open_store(evolve(location, endpoint_url=service.url)).list(""))
        return service.asked[0].headers.get("authorization", "")


def test_a_service_account_signs_for_a_token(tokens: GoogleTokens) -> None:
    sent = authorization(evolve(LOCATION, token=secret(tokens.account())))
    assert sent == f"Bearer {tokens.given[-1]}"


def external(service: ScriptedService, path: Path) -> dict[str, Any]:
    path.write_text("a token of the cluster")
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{service.url}/sts",
        "credential_source": {"file": str(path)},
    }


def test_a_workload_exchanges_its_own_token(tmp_path: Path) -> None:
    with ScriptedService(Answer.of(TOKEN)) as sts:
        info = external(sts, tmp_path / "token")
        assert authorization(evolve(LOCATION, token=secret(info))) == "Bearer ya29.given"
    assert sts.asked[0].path == "/sts"
    assert b"a+token+of+the+cluster" in sts.asked[0].body


def test_a_user_and_an_impersonated_account_are_taken_too() -> None:
    impersonated = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            "backup@tests.iam.gserviceaccount.com:generateAccessToken"
        ),
        "source_credentials": USER,
    }
    for info in (USER, impersonated):
        open_store(evolve(LOCATION, token=secret(info)))


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("hunter2", "not the JSON"),
        ("[]", "not the JSON"),
        ("{}", 'its "type" is not one of authorized_user'),
        ('{"type": "gdch_service_account"}', "is not one of"),
        ('{"type": ["hunter2"]}', "is not one of"),
        ('{"type": "service_account", "private_key": "hunter2"}', "do not make credentials"),
        ('{"type": "external_account", "token_url": "hunter2"}', "do not make credentials"),
        ('{"type": "authorized_user", "client_secret": "hunter2"}', "do not make credentials"),
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(token: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as raised:
        open_store(evolve(LOCATION, token=Secret(token)))
    assert str(raised.value).startswith("token")
    assert "hunter2" not in f"{raised.value}{''.join(traceback.format_exception(raised.value))}"


def test_a_key_that_is_damaged_is_refused_and_not_shown(tokens: GoogleTokens) -> None:
    account = tokens.account()
    account["private_key"] = account["private_key"].replace("A", "B", 20)
    with pytest.raises(ConfigurationError) as raised:
        open_store(evolve(LOCATION, token=secret(account)))
    told = f"{raised.value}{''.join(traceback.format_exception(raised.value))}"
    assert account["private_key"][40:60] not in told
    assert raised.value.__context__ is None


def test_a_key_that_was_revoked_is_denied(tokens: GoogleTokens) -> None:
    account = tokens.account(right=False)
    store = open_store(evolve(LOCATION, token=secret(account)))
    with pytest.raises(AccessDenied, match="Invalid JWT Signature") as raised:
        store.get("key")
    assert "BACKUP_TOKEN" in raised.value.worded(VARIABLE_NAMES)
    told = "".join(traceback.format_exception(raised.value)) + repr(store)
    assert account["private_key"] not in told


def test_a_token_service_that_is_out_of_reach_is_worth_another_try(tokens: GoogleTokens) -> None:
    account = {**tokens.account(), "token_uri": "http://127.0.0.1:1/token"}
    store = open_store(evolve(LOCATION, token=secret(account)))
    with pytest.raises(StoreUnavailable, match=r"token: 127\.0\.0\.1:1: Connection refused"):
        store.get("key")


def test_an_exchange_that_is_refused_is_denied(tmp_path: Path) -> None:
    said = {"error": "invalid_grant", "error_description": "ID Token is stale to sign-in"}
    with ScriptedService(Answer.of(said, 400)) as sts:
        store = open_store(evolve(LOCATION, token=secret(external(sts, tmp_path / "token"))))
        with pytest.raises(AccessDenied, match="stale") as raised:
            store.get("key")
    assert "clock" in raised.value.worded(VARIABLE_NAMES)


# --- without a token -----------------------------------------------------------------------------


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host on which Google's chain finds nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
def test_credentials_are_not_looked_for_before_they_are_needed() -> None:
    store = open_store(LOCATION)
    with pytest.raises(AccessDenied, match="no credentials") as raised:
        store.get("key")
    assert "BACKUP_TOKEN" in raised.value.worded(VARIABLE_NAMES)


@pytest.mark.usefixtures("nobody")
def test_the_chain_finds_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokens: GoogleTokens
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(tokens.account()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    sent: dict[str, str] = {}
    credentials = DefaultCredentials()
    request = google.auth.transport.requests.Request()
    credentials.before_request(request, "GET", "https://storage.googleapis.com/x", sent)
    assert sent["authorization"] == f"Bearer {tokens.given[-1]}"
    credentials.refresh(request)


@pytest.mark.parametrize(
    ("endpoint", "environment", "anonymous"),
    [
        (None, {}, False),
        ("https://storage-x.p.googleapis.com", {}, False),
        ("https://storage.googleapis.com/", {}, False),
        ("https://notgoogleapis.com", {}, True),
        ("http://127.0.0.1:4443", {}, True),
        (None, {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443"}, True),
        ("https://storage.googleapis.com", {"STORAGE_EMULATOR_HOST": "http://a:1"}, False),
    ],
)
@pytest.mark.usefixtures("nobody")
def test_only_an_emulator_is_met_without_credentials(
    endpoint: str | None,
    environment: Mapping[str, str],
    anonymous: bool,  # noqa: FBT001 - pytest passes it by name
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = open_store(evolve(LOCATION, endpoint_url=endpoint)).client
    assert isinstance(client._credentials, AnonymousCredentials) == anonymous
    expected = endpoint or environment.get(
        "STORAGE_EMULATOR_HOST", "https://storage.googleapis.com"
    )
    assert client.api_endpoint == expected.rstrip("/")


@pytest.mark.usefixtures("nobody")
def test_a_wrong_address_of_an_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")
    with pytest.raises(ConfigurationError, match="STORAGE_EMULATOR_HOST"):
        open_store(LOCATION)
