"""Azure Key Vault: what is sent, and what each answer, refusal and failure becomes."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import base64
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import certifi
import pytest
from attrs import evolve
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.servers.azurekv import FakeKeyVault, refusal
from tests.servers.fake import header
from tests.unit.scripted import Answer

from brownie_backup.encryptors import wrapping
from brownie_backup.encryptors.wrapping.azurekv import AzureKeyVault
from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.hints import HintCode, KeyHint, SetupHint, StoreHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.testing import KeyWrapperContract

CONTEXT = KeyContext(
    "repository-1", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
KEY = bytes(range(32))
PLAIN = base64.b64encode(KEY).decode()
ID = "https://the-vault.vault.azure.net/keys/the-key"
VERSION = "0123456789abcdef" * 2
WRAPPED = f"{ID}/{VERSION} {base64.b64encode(b'x' * 256).decode()}".encode()
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class Static:
    """A credential that is a token."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.scopes: set[str] = set()

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.scopes.update(scopes)
        return AccessToken(self.token, 1 << 40)


class Failing:
    """A credential that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_token(self, *_: str, **__: object) -> AccessToken:
        raise self.error


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKeyVault]:
    with FakeKeyVault(tmp_path) as fake:
        fake.reached(monkeypatch)
        yield fake


def opened(fake: FakeKeyVault, key: str = "", token: str = "", **settings: Any) -> AzureKeyVault:  # noqa: ANN401 - passed on
    settings = {"waits_seconds": (), "credential": Static(token or fake.token), **settings}
    return AzureKeyVault(key or fake.new_key(), **settings)


def failures(wrapper: AzureKeyVault, wrapped: bytes = b"") -> tuple[BackupError, BackupError]:
    """Return what wrapping and unwrapping raise."""
    wrapped = wrapped or WRAPPED.replace(ID.encode(), wrapper.recipient.ref.encode())
    with pytest.raises(EncryptionError) as wrapping_failed:
        wrapper.wrap(KEY, CONTEXT)
    with pytest.raises(BackupError) as unwrapping_failed:
        wrapper.unwrap(wrapped, CONTEXT)
    for error in (wrapping_failed.value, unwrapping_failed.value):
        assert error.__context__ is None
        assert error.hint
        assert wrapper.recipient.ref in error.message
    return wrapping_failed.value, unwrapping_failed.value


def wrapped_by(wrapper: AzureKeyVault) -> bytes:
    return wrapper.wrap(KEY, CONTEXT)


def unwrapped_by(wrapper: AzureKeyVault) -> bytes:
    ref = wrapper.recipient.ref
    return wrapper.unwrap(WRAPPED.replace(ID.encode(), ref.encode()), CONTEXT)


def codes(*errors: BackupError) -> set[HintCode | None]:
    return {error.hint.code if error.hint else None for error in errors}


def calls(fake: FakeKeyVault) -> list[str]:
    """Return what was asked with a token, without what differs."""
    told = [
        f"{asked.method} {asked.path.rpartition('/')[2]}"
        for asked in fake.asked
        if header(asked, "Authorization")
    ]
    return [re.sub(r"^GET .*", "GET", each) for each in told]


class TestAzureKeyVault(KeyWrapperContract):
    @pytest.fixture
    def wrapper(self, vault: FakeKeyVault) -> AzureKeyVault:
        return opened(vault)

    @pytest.fixture
    def twin(self, vault: FakeKeyVault, wrapper: AzureKeyVault) -> AzureKeyVault:
        return opened(vault, wrapper.recipient.ref)

    @pytest.fixture
    def stranger(self, vault: FakeKeyVault) -> AzureKeyVault:
        return opened(vault)

    @pytest.fixture
    def secrets(self, vault: FakeKeyVault) -> Sequence[str]:
        return [vault.token]


class TestAzureKeyVaultWithoutThePublicKey(TestAzureKeyVault):
    """A host that may only wrap and unwrap."""

    @pytest.fixture(autouse=True)
    def _rights(self, vault: FakeKeyVault) -> None:
        vault.rights[vault.token].remove("get")


# --- what is sent and stored ---------------------------------------------------------------------


def test_a_host_that_may_get_the_public_key_sends_no_data_key(vault: FakeKeyVault) -> None:
    wrapper = opened(vault)
    wrapped = wrapper.wrap(KEY, CONTEXT)
    assert calls(vault) == ["GET"]
    assert wrapper.unwrap(wrapped, CONTEXT) == KEY
    assert calls(vault) == ["GET", "GET", "POST unwrapkey"]


def test_what_is_sent(vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the credentials of ~/.netrc."""
    (tmp_path / ".netrc").write_text("default login me password wrong", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    vault.rights[vault.token].remove("get")
    credential = Static(vault.token)
    wrapper = opened(vault, credential=credential)
    wrapped = wrapper.wrap(KEY, CONTEXT)
    assert wrapper.unwrap(wrapped, CONTEXT) == KEY
    assert calls(vault) == ["GET", "POST wrapkey", "GET", "POST unwrapkey"]
    assert credential.scopes == {"https://vault.azure.net/.default"}
    assert not vault.asked[0].body  # before there was a token
    name = wrapper.recipient.ref.rpartition("/")[2]
    (version,) = vault.keys[name]
    wrap, unwrap = (asked for asked in vault.asked if asked.method == "POST")
    assert wrap.path.replace("//", "/") == f"/keys/{name}/wrapkey"
    assert unwrap.path == f"/keys/{name}/{version.name}/unwrapkey"
    assert json.loads(wrap.body)["alg"] == json.loads(unwrap.body)["alg"] == "RSA-OAEP-256"


def test_the_fake_refuses_what_azure_would_refuse(vault: FakeKeyVault) -> None:
    """Or else it would prove nothing."""
    vault.rights[vault.token].remove("get")
    opened(vault).wrap(KEY, CONTEXT)
    good = vault.asked[-1]
    fields = json.loads(good.body)
    for changes in ({"alg": "RSA1_5"}, {"value": PLAIN}, {"value": ""}):
        changed = evolve(good, body=json.dumps({**fields, **changes}).encode())
        assert vault.respond(changed).status == 400
    assert vault.respond(evolve(good, target=good.path)).status == 400  # no api-version
    assert vault.respond(evolve(good, target=good.target.replace("wrapkey", "wrap"))).status == 404
    assert vault.respond(evolve(good, method="GET")).status == 404
    assert vault.respond(evolve(good, headers={**good.headers, "Host": "x"})).status == 404
    assert vault.respond(evolve(good, headers={})).status == 401
    assert vault.respond(good).status == 200


@pytest.mark.parametrize("rights", [{"get", "wrapKey"}, {"wrapKey"}])
def test_what_is_stored_is_opened_by_hand(vault: FakeKeyVault, rights: set[str]) -> None:
    """As the documentation of the module says; `az` sends the same as we do."""
    vault.rights[vault.token] = rights
    wrapper = opened(vault)
    used, _, text = wrapper.wrap(KEY, CONTEXT).decode().partition(" ")
    (version,) = vault.keys[wrapper.recipient.ref.rpartition("/")[2]]
    assert used == f"{wrapper.recipient.ref}/{version.name}"
    plain = version.key.decrypt(base64.b64decode(text), OAEP)
    assert plain[:32] == KEY
    assert len(plain) == 64


def test_a_longer_key_wraps_too(vault: FakeKeyVault) -> None:
    vault.bits = 3072
    wrapper = opened(vault)
    assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_no_log_has_a_secret(vault: FakeKeyVault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault.rights[vault.token].remove("get")
    wrapper = opened(vault)
    wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT)
    for secret in (PLAIN[:40], KEY.hex(), vault.token):
        assert secret not in caplog.text


# --- versions and rights -------------------------------------------------------------------------


@pytest.mark.parametrize("rights", [{"get", "wrapKey", "unwrapKey"}, {"wrapKey", "unwrapKey"}])
def test_any_enabled_version_opens_what_it_wrapped(vault: FakeKeyVault, rights: set[str]) -> None:
    vault.rights[vault.token] = rights
    wrapper = opened(vault)
    name = wrapper.recipient.ref.rpartition("/")[2]
    older = wrapper.wrap(KEY, CONTEXT)
    vault.rotate(name)
    newer = wrapper.wrap(KEY, CONTEXT)
    assert older.split()[0] != newer.split()[0]
    assert wrapper.unwrap(older, CONTEXT) == wrapper.unwrap(newer, CONTEXT) == KEY

    vault.keys[name][0].enabled = False
    with pytest.raises(DecryptionError, match="disabled") as caught:
        wrapper.unwrap(older, CONTEXT)
    assert type(caught.value) is DecryptionError
    assert codes(caught.value) == {KeyHint.ENABLE_KEYVAULT_KEY}
    assert wrapper.unwrap(newer, CONTEXT) == KEY

    vault.keys[name][1].enabled = False
    assert codes(*failures(wrapper, newer)) == {KeyHint.ENABLE_KEYVAULT_KEY}

    vault.keys[name].pop(0)
    with pytest.raises(DecryptionError, match="no such version") as caught:
        wrapper.unwrap(older, CONTEXT)
    assert codes(caught.value) == {KeyHint.NAME_KEYVAULT_KEY}


def test_bytes_of_another_version_are_refused(vault: FakeKeyVault) -> None:
    wrapper = opened(vault)
    older = wrapper.wrap(KEY, CONTEXT)
    vault.rotate(wrapper.recipient.ref.rpartition("/")[2])
    newer = wrapper.wrap(KEY, CONTEXT)
    with pytest.raises(DamagedError, match="OAEP padding") as caught:
        wrapper.unwrap(newer.split()[0] + b" " + older.split()[1], CONTEXT)
    assert codes(caught.value) == {KeyHint.COMPARE_KEY_OBJECT}


def test_a_right_that_is_missing_is_named(vault: FakeKeyVault) -> None:
    vault.rights |= {"writer": {"wrapKey"}, "reader": {"unwrapKey"}}
    key = vault.new_key()
    writer, reader = opened(vault, key, "writer"), opened(vault, key, "reader")
    wrapped = writer.wrap(KEY, CONTEXT)
    assert reader.unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(KeyMissing, match="no right") as cannot_read:
        writer.unwrap(wrapped, CONTEXT)
    with pytest.raises(EncryptionError, match="no right") as cannot_write:
        reader.wrap(KEY, CONTEXT)
    assert codes(cannot_read.value, cannot_write.value) == {KeyHint.GRANT_KEYVAULT_RIGHTS}
    assert "appid" not in f"{cannot_read.value}{cannot_write.value}"


def test_a_key_that_is_not_there_is_told(vault: FakeKeyVault) -> None:
    errors = failures(opened(vault, f"https://{vault.host}/keys/misspelt"))
    assert codes(*errors) == {KeyHint.NAME_KEYVAULT_KEY}
    assert type(errors[1]) is DecryptionError


def test_a_token_that_is_not_valid_is_not_taken_for_a_missing_right(vault: FakeKeyVault) -> None:
    errors = failures(opened(vault, token="expired"))
    assert codes(*errors) == {KeyHint.CHECK_AZURE_CREDENTIALS}
    assert type(errors[1]) is DecryptionError


def test_what_is_stored_does_not_say_which_vault_is_asked(vault: FakeKeyVault) -> None:
    wrapper = opened(vault)
    wrapped = wrapper.wrap(KEY, CONTEXT)
    asked = len(vault.asked)
    for other in (
        wrapped.replace(b"vault-", b"vaulT-"),
        wrapped.replace(b".vault.azure.net", b".example.com"),
        wrapped.replace(b"/keys/key-", b"/keys/other-"),
    ):
        with pytest.raises(DecryptionError, match="another key") as caught:
            wrapper.unwrap(other, CONTEXT)
        assert codes(caught.value) == {KeyHint.NAME_KEYVAULT_KEY}
    assert len(vault.asked) == asked


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "hint"),
    [
        (refusal(429, "Throttled", "W."), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (Answer(503, b"<html>"), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (refusal(500, "InternalServerError", "W."), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (
            refusal(403, "Forbidden", "W.", "ForbiddenByFirewall"),
            DecryptionError,
            KeyHint.KEYVAULT_FIREWALL,
        ),
        (
            refusal(403, "Forbidden", "Operation wrapKey is not allowed on an expired key."),
            DecryptionError,
            KeyHint.ENABLE_KEYVAULT_KEY,
        ),
        (
            refusal(403, "Forbidden", "The user does not have keys wrapKey permission."),
            KeyMissing,
            KeyHint.GRANT_KEYVAULT_RIGHTS,
        ),
        (
            refusal(400, "BadParameter", "Operation is not supported with this key type."),
            DecryptionError,
            KeyHint.USE_RSA_KEY,
        ),
        (refusal(409, "Conflict", "W."), DecryptionError, KeyHint.NAME_KEYVAULT_KEY),
        (Answer(404, b"<html>"), DecryptionError, KeyHint.KEY_SERVICE_ADDRESS),
        (Answer(403, b"<html>"), DecryptionError, KeyHint.KEY_SERVICE_ADDRESS),
        (
            Answer(302, headers={"Location": "https://127.0.0.1:1/"}),
            DecryptionError,
            KeyHint.KEY_SERVICE_ADDRESS,
        ),
    ],
)
def test_each_refusal_is_told(
    vault: FakeKeyVault, answer: Answer, error: type[BackupError], hint: HintCode
) -> None:
    wrapper = opened(vault)
    wrapper.wrap(KEY, CONTEXT)  # so that the vault's challenge is known
    vault.next_answers.extend([refusal(403, "Forbidden", "no get"), answer] * 2)
    errors = failures(wrapper)
    assert type(errors[1]) is error
    assert codes(*errors) == {hint}


def test_a_service_that_is_busy_is_asked_again(vault: FakeKeyVault) -> None:
    """After our own pauses: the service's would let a backup wait for an hour."""
    wrapper = opened(vault, waits_seconds=(0, 0))
    wrapper.wrap(KEY, CONTEXT)
    vault.rights[vault.token].remove("get")
    denied = refusal(403, "Forbidden", "no get")
    for status in (429, 503):
        busy = refusal(status, "Throttled" if status == 429 else "Busy", "later")
        busy = Answer(status, busy.body, {**busy.headers, "Retry-After": "3600"})
        vault.next_answers.extend([denied, busy, denied, busy])
        assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY
    vault.next_answers.extend([denied, busy] * 3)
    with pytest.raises(EncryptionError) as caught:
        wrapper.wrap(KEY, CONTEXT)
    assert codes(caught.value) == {KeyHint.KEY_SERVICE_BUSY}
    assert not vault.next_answers


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"null", b"{}", b'{"kid": 5, "value": 5}'),
        *(b'{"value": "AA"}', b'{"kid": "https://x/keys/y/z", "value": "AA"}'),
        b'{"kid": "%s/%s", "value": "AA"}' % (ID.encode(), VERSION.encode()),
        b'{"key": {}}',
        b"[" * 100_000,
        b'{"key": [], "attributes": {}}',
    ],
)
def test_an_answer_of_something_else_is_told(vault: FakeKeyVault, body: bytes) -> None:
    wrapper = opened(vault)
    wrapper.wrap(KEY, CONTEXT)
    for get in (refusal(403, "Forbidden", "no get"), Answer(200, body)):
        for use in (wrapped_by, unwrapped_by):
            vault.next_answers.clear()
            vault.next_answers.extend(
                [get, Answer(200, body, {"Content-Type": "application/json"})]
            )
            with pytest.raises(BackupError) as caught:
                use(wrapper)
            assert caught.value.__context__ is None
            assert caught.value.hint


def test_no_secret_that_the_service_repeats_is_shown(vault: FakeKeyVault) -> None:
    wrapper = opened(vault)
    sent = PLAIN.rstrip("=").replace("+", "-").replace("/", "_")
    text = f"you sent {PLAIN}, {sent} and {KEY.hex()}" + "x" * 5000
    wrapper.wrap(KEY, CONTEXT)
    for status in (400, 403, 500):
        answer = refusal(status, "BadParameter", text)
        vault.next_answers.extend([refusal(403, "Forbidden", "no get"), answer])
        with pytest.raises(EncryptionError) as caught:
            wrapper.wrap(KEY, CONTEXT)
        shown = f"{caught.value}{vars(caught.value)}"
        for secret in (PLAIN[:40], sent[:40], KEY.hex()):
            assert secret not in shown
        assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    "wrapped",
    [
        b"",
        b"x",
        WRAPPED.replace(b" ", b"  "),
        WRAPPED.replace(VERSION.encode(), b"../../secrets/x/0123456789abcdef"),
        WRAPPED.replace(VERSION.encode(), VERSION.upper().encode()),
        WRAPPED[:-1] + b"!",
        WRAPPED[:-4] + b"eB==",
        WRAPPED.replace(b"eHh4", b"", 1),
    ],
)
def test_what_has_not_the_form_of_a_wrapped_key_is_not_sent(wrapped: bytes) -> None:
    with pytest.raises((DamagedError, DecryptionError)):
        AzureKeyVault(ID, credential=Failing(AssertionError("asked"))).unwrap(wrapped, CONTEXT)


# --- on the way ----------------------------------------------------------------------------------


def test_a_service_that_does_not_answer_is_told(vault: FakeKeyVault) -> None:
    wrapper = opened(vault, timeout_seconds=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        real, vault.server_port = vault.server_port, silent.getsockname()[1]
        errors = failures(wrapper)
    assert codes(*errors) == {KeyHint.KEY_SERVICE_NETWORK}
    assert "no answer in time" in errors[1].message
    errors = failures(wrapper)  # closed by now
    assert codes(*errors) == {KeyHint.KEY_SERVICE_NETWORK}
    assert "Connection refused" in errors[1].message
    assert type(errors[1]) is DecryptionError
    vault.server_port = real


def test_a_certificate_that_is_not_trusted_is_told(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = opened(vault)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    errors = failures(wrapper)
    assert codes(*errors) == {KeyHint.KEY_SERVICE_CERTIFICATE}
    assert "not trusted" in errors[1].message
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    assert codes(*failures(wrapper)) == {KeyHint.KEY_SERVICE_CERTIFICATE}


def test_a_challenge_of_another_service_gets_no_token(vault: FakeKeyVault) -> None:
    challenge = 'Bearer authorization="https://login.example.com/t", resource="https://example.com"'
    vault.next_answers.extend([Answer(401, b"", {"WWW-Authenticate": challenge})] * 4)
    errors = failures(opened(vault))
    assert not any(header(asked, "Authorization") for asked in vault.asked)
    assert codes(*errors) == {KeyHint.KEY_SERVICE_ADDRESS}


# --- credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "raised", "hint"),
    [
        (
            CredentialUnavailableError("EnvironmentCredential: not configured. SECRET"),
            KeyMissing,
            KeyHint.CHECK_AZURE_CREDENTIALS,
        ),
        (
            ClientAuthenticationError("AADSTS7000215: Invalid client secret provided.\nSECRET"),
            DecryptionError,
            KeyHint.CHECK_AZURE_CREDENTIALS,
        ),
        (
            ClientAuthenticationError("AADSTS700024: not within its valid time range."),
            DecryptionError,
            StoreHint.HOST_CLOCK,
        ),
        (
            ClientAuthenticationError("HTTPSConnectionPool: Max retries exceeded SECRET"),
            DecryptionError,
            KeyHint.KEY_SERVICE_NETWORK,
        ),
        (
            ServiceRequestError("SECRET", error=ConnectionResetError(104, "reset")),
            DecryptionError,
            KeyHint.KEY_SERVICE_NETWORK,
        ),
        (ValueError("SECRET"), DecryptionError, KeyHint.KEY_SERVICE_ADDRESS),
    ],
)
def test_credentials_that_give_no_token_are_told(
    vault: FakeKeyVault, error: Exception, raised: type[BackupError], hint: HintCode
) -> None:
    errors = failures(opened(vault, credential=Failing(error)))
    assert codes(*errors) == {hint}
    assert type(errors[1]) is raised
    assert "SECRET" not in f"{errors}"
    assert not [asked for asked in vault.asked if asked.body]


# --- settings and the SDK ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "",
        "the-key",
        f"{ID}/{VERSION}",
        f"{ID}\n",
        ID.replace("https", "http"),
        ID.replace("the-vault.", "me:hunter2@"),
        ID.replace("keys", "secrets"),
        ID.replace("the-key", ".."),
        f"{ID}?hunter2",
        "https://localhost/keys/the-key",
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AzureKeyVault(key)
    assert caught.value.hint == KeyHint.KEYVAULT_KEY_FORM()
    assert "hunter2" not in str(caught.value)


def test_ids_of_every_form_are_taken() -> None:
    for key in (
        *(
            ID,
            f"{ID}/",
            ID.replace("the-key", "The-Key"),
            ID.replace("vault.azure.net", "VAULT.azure.net"),
        ),
    ):
        assert AzureKeyVault(key).recipient == Recipient("azurekv", ID)
    for host in ("vault.azure.cn", "vault.usgovcloudapi.net", "managedhsm.azure.net"):
        AzureKeyVault(ID.replace("vault.azure.net", host))


def test_the_sdk_is_imported_when_it_is_used() -> None:
    module = "brownie_backup.encryptors.wrapping.azurekv"
    program = f"import sys, {module} as m; m.AzureKeyVault('{ID}'); print('azure' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_a_missing_sdk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wrapping, "azurekv_calls", raising=False)
    monkeypatch.delitem(sys.modules, f"{wrapping.__name__}.azurekv_calls", raising=False)
    monkeypatch.setitem(sys.modules, "azure.keyvault.keys.crypto", None)
    errors = failures(AzureKeyVault(ID))
    assert codes(*errors) == {SetupHint.INSTALL_PACKAGE}
    assert "brownie-backup[azure]" in errors[0].message
