"""Google Cloud KMS: what is sent, and what each answer, refusal and failure becomes."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import base64
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from google.auth import exceptions as auth
from google.oauth2.credentials import Credentials
from tests.servers.azurekv import FakeKeyVault
from tests.servers.fake import header
from tests.servers.gcpkms import DECRYPT, ENCRYPT, FakeCloudKms, crc32c, refusal
from tests.servers.tokens import GoogleTokens
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.encryptors import wrapping
from brownie_backup.encryptors.wrapping.gcpkms import ENDPOINT, GcpKms
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

NAME = "projects/the-project/locations/europe-west1/keyRings/backups/cryptoKeys/the-key"
CONTEXT = KeyContext(
    "repository-1", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
BOUND = (f"brownie-backup/wrapped-key/1\nrepository repository-1\nkey {CONTEXT.key_id}\n").encode()
KEY = bytes(range(32))
PLAIN = base64.b64encode(KEY).decode()
TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeCloudKms]:
    with FakeCloudKms() as fake:
        yield fake


@pytest.fixture
def cloud() -> Iterator[FakeCloudKms]:
    with FakeCloudKms() as fake:
        yield fake


def opened(fake: FakeCloudKms, key: str = "", token: str = "", **settings: Any) -> GcpKms:  # noqa: ANN401 - passed on
    settings = {"waits_seconds": (), **settings}
    credentials = Credentials(token or fake.token)
    return GcpKms(key or fake.new_key(), credentials=credentials, endpoint_url=fake.url, **settings)


def quick(url: str, **settings: Any) -> GcpKms:  # noqa: ANN401 - passed on
    settings = {"timeout_seconds": 0.2, "waits_seconds": (), **settings}
    settings.setdefault("credentials", Credentials(TOKEN))
    return GcpKms(NAME, endpoint_url=url, **settings)


def failures(wrapper: GcpKms, wrapped: bytes = b"wrapped") -> tuple[BackupError, BackupError]:
    """Return what wrapping and unwrapping raise."""
    with pytest.raises(EncryptionError) as wrapping_failed:
        wrapper.wrap(KEY, CONTEXT)
    with pytest.raises(BackupError) as unwrapping_failed:
        wrapper.unwrap(wrapped, CONTEXT)
    for error in (wrapping_failed.value, unwrapping_failed.value):
        assert error.__context__ is None
        assert error.hint
        assert wrapper.recipient.ref in error.message
        assert TOKEN not in f"{error}{vars(error)}"
    return wrapping_failed.value, unwrapping_failed.value


def codes(*errors: BackupError) -> set[HintCode | None]:
    return {error.hint.code if error.hint else None for error in errors}


class TestGcpKms(KeyWrapperContract):
    @pytest.fixture
    def wrapper(self, shared: FakeCloudKms) -> GcpKms:
        return opened(shared)

    @pytest.fixture
    def twin(self, shared: FakeCloudKms, wrapper: GcpKms) -> GcpKms:
        return opened(shared, wrapper.recipient.ref)

    @pytest.fixture
    def stranger(self, shared: FakeCloudKms) -> GcpKms:
        return opened(shared)

    @pytest.fixture
    def secrets(self, shared: FakeCloudKms) -> Sequence[str]:
        return [shared.token]


# --- what is sent --------------------------------------------------------------------------------


def test_what_is_sent(cloud: FakeCloudKms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not through a proxy, and without the credentials of ~/.netrc."""
    (tmp_path / ".netrc").write_text("default login me password wrong", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with ScriptedService(Answer(500)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        wrapper = opened(cloud)
        wrapped = wrapper.wrap(KEY, CONTEXT)
        assert wrapper.unwrap(wrapped, CONTEXT) == KEY
        assert not proxy.asked
    encrypt, decrypt = cloud.asked
    assert encrypt.target == f"/v1/{wrapper.recipient.ref}:encrypt"
    assert decrypt.target == f"/v1/{wrapper.recipient.ref}:decrypt"
    assert header(encrypt, "Authorization") == f"Bearer {cloud.token}"
    bound = {
        "additionalAuthenticatedData": base64.b64encode(BOUND).decode(),
        "additionalAuthenticatedDataCrc32c": str(crc32c(BOUND)),
    }
    assert json.loads(encrypt.body) == {
        "plaintext": PLAIN,
        "plaintextCrc32c": str(crc32c(KEY)),
        **bound,
    }
    assert json.loads(decrypt.body) == {
        "ciphertext": base64.b64encode(wrapped).decode(),
        "ciphertextCrc32c": str(crc32c(wrapped)),
        **bound,
    }


def test_the_fake_refuses_what_google_would_refuse(cloud: FakeCloudKms) -> None:
    """Or else it would prove nothing."""
    assert crc32c(b"123456789") == 0xE3069283
    opened(cloud).wrap(KEY, CONTEXT)
    (good,) = cloud.asked
    fields = json.loads(good.body)
    for changes, said in (
        ({"plaintextCrc32c": "1"}, "checksum"),
        ({"plaintextCrc32c": crc32c(KEY)}, "checksum"),
        ({"plaintext": "not Base64!"}, "Base64"),
        ({"more": 1}, "Unknown name"),
    ):
        changed = evolve(good, body=json.dumps({**fields, **changes}).encode())
        answer = cloud.respond(changed)
        assert answer.status == 400
        assert said in answer.body.decode()
    assert cloud.respond(evolve(good, target=good.target.replace("/v1/", "/v2/"))).status == 404
    assert cloud.respond(evolve(good, method="GET")).status == 404
    assert cloud.respond(evolve(good, headers={})).status == 401
    assert cloud.respond(good).status == 200


def test_no_log_has_a_secret(
    cloud: FakeCloudKms, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's own session would write each body into a log for debugging."""
    monkeypatch.setenv("GOOGLE_SDK_PYTHON_LOGGING_SCOPE", "google")
    caplog.set_level(logging.DEBUG)
    wrapper = opened(cloud)
    wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT)
    for secret in (PLAIN, KEY.hex(), cloud.token):
        assert secret not in caplog.text


# --- versions and rights -------------------------------------------------------------------------


def test_any_enabled_version_opens_what_it_wrapped(cloud: FakeCloudKms) -> None:
    wrapper = opened(cloud)
    key = wrapper.recipient.ref
    older = wrapper.wrap(KEY, CONTEXT)
    cloud.rotate(key)
    newer = wrapper.wrap(KEY, CONTEXT)
    assert wrapper.unwrap(older, CONTEXT) == wrapper.unwrap(newer, CONTEXT) == KEY

    for state in ("DISABLED", "DESTROY_SCHEDULED", "DESTROYED"):
        cloud.keys[key][0].state = state
        with pytest.raises(DecryptionError, match=f"state is: {state}") as caught:
            wrapper.unwrap(older, CONTEXT)
        assert type(caught.value) is DecryptionError
        assert codes(caught.value) == {KeyHint.ENABLE_CLOUDKMS_VERSION}
        assert wrapper.unwrap(newer, CONTEXT) == KEY

    cloud.keys[key][1].state = "DISABLED"
    assert codes(*failures(wrapper, newer)) == {KeyHint.ENABLE_CLOUDKMS_VERSION}


def test_a_right_that_is_missing_is_named(cloud: FakeCloudKms) -> None:
    cloud.rights |= {"writer": {ENCRYPT}, "reader": {DECRYPT}}
    key = cloud.new_key()
    writer, reader = opened(cloud, key, "writer"), opened(cloud, key, "reader")
    wrapped = writer.wrap(KEY, CONTEXT)
    assert reader.unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(KeyMissing, match=DECRYPT) as cannot_read:
        writer.unwrap(wrapped, CONTEXT)
    with pytest.raises(EncryptionError, match=ENCRYPT) as cannot_write:
        reader.wrap(KEY, CONTEXT)
    assert codes(cannot_read.value, cannot_write.value) == {KeyHint.GRANT_CLOUDKMS_RIGHTS}


def test_a_key_that_is_not_there_is_told(cloud: FakeCloudKms) -> None:
    errors = failures(opened(cloud, NAME))
    assert codes(*errors) == {KeyHint.NAME_CLOUDKMS_KEY}
    assert type(errors[1]) is DecryptionError


def test_a_token_that_is_not_valid_is_not_taken_for_a_missing_right(cloud: FakeCloudKms) -> None:
    errors = failures(opened(cloud, token="expired"))
    assert codes(*errors) == {KeyHint.CHECK_GOOGLE_CREDENTIALS}
    assert type(errors[1]) is DecryptionError


# --- answers -------------------------------------------------------------------------------------


def encrypted(**changes: object) -> Answer:
    said: dict[str, object] = {
        "name": f"{NAME}/cryptoKeyVersions/1",
        "ciphertext": base64.b64encode(b"wrapped").decode(),
        "ciphertextCrc32c": str(crc32c(b"wrapped")),
        "verifiedPlaintextCrc32c": True,
        "verifiedAdditionalAuthenticatedDataCrc32c": True,
    }
    return Answer.of({name: value for name, value in {**said, **changes}.items() if value})


@pytest.mark.parametrize(
    "answer",
    [
        encrypted(verifiedPlaintextCrc32c=None),
        encrypted(verifiedPlaintextCrc32c="true"),
        encrypted(verifiedAdditionalAuthenticatedDataCrc32c=None),
        encrypted(ciphertextCrc32c=None),
        encrypted(ciphertextCrc32c="1"),
        encrypted(ciphertext=base64.b64encode(b"Wrapped").decode()),
        refusal(
            "INVALID_ARGUMENT",
            "The checksum in field plaintext_crc32c did not match the data in field plaintext.",
        ),
    ],
)
def test_what_was_changed_on_the_way_is_asked_for_again(answer: Answer) -> None:
    with ScriptedService(answer, encrypted()) as service:
        assert quick(service.url, waits_seconds=(0,)).wrap(KEY, CONTEXT) == b"wrapped"
        assert len(service.asked) == 2
    with ScriptedService(answer) as service, pytest.raises(EncryptionError) as caught:
        quick(service.url, waits_seconds=(0, 0)).wrap(KEY, CONTEXT)
    assert len(service.asked) == 3
    assert "changed on the way" in caught.value.message
    assert codes(caught.value) == {KeyHint.KEY_SERVICE_BUSY}


def test_a_data_key_that_was_changed_on_the_way_is_not_used() -> None:
    good = {"plaintext": PLAIN, "plaintextCrc32c": str(crc32c(KEY))}
    for bad in ({**good, "plaintextCrc32c": "1"}, {"plaintext": PLAIN}):
        with ScriptedService(Answer.of(bad), Answer.of(good)) as service:
            assert quick(service.url, waits_seconds=(0,)).unwrap(b"wrapped", CONTEXT) == KEY
        with ScriptedService(Answer.of(bad)) as service, pytest.raises(DecryptionError) as caught:
            quick(service.url).unwrap(b"wrapped", CONTEXT)
        assert PLAIN not in str(caught.value)
    number = Answer.of({**good, "plaintextCrc32c": crc32c(KEY)})  # some libraries send numbers
    with ScriptedService(number) as service:
        assert quick(service.url).unwrap(b"wrapped", CONTEXT) == KEY


@pytest.mark.parametrize("used", ["", NAME, f"{NAME}2/cryptoKeyVersions/1", 5])
def test_an_answer_by_another_key_is_refused(used: object) -> None:
    answer = encrypted(name=used)
    with ScriptedService(answer) as service, pytest.raises(EncryptionError) as caught:
        quick(service.url).wrap(KEY, CONTEXT)
    assert codes(caught.value) == {KeyHint.NAME_CLOUDKMS_KEY}


@pytest.mark.parametrize(
    ("answer", "error", "hint"),
    [
        (refusal("RESOURCE_EXHAUSTED", "W."), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (refusal("UNAVAILABLE", "W."), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (refusal("INTERNAL", "W."), DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        (
            refusal("PERMISSION_DENIED", "W.", reason="SERVICE_DISABLED"),
            DecryptionError,
            KeyHint.ENABLE_CLOUDKMS_API,
        ),
        (
            refusal("PERMISSION_DENIED", "W.", reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            KeyMissing,
            KeyHint.GRANT_CLOUDKMS_RIGHTS,
        ),
        (
            refusal("INVALID_ARGUMENT", "The purpose is ASYMMETRIC_SIGN: W."),
            DecryptionError,
            KeyHint.USE_SYMMETRIC_CLOUDKMS_KEY,
        ),
        (refusal("INVALID_ARGUMENT", "W."), DecryptionError, KeyHint.NAME_CLOUDKMS_KEY),
        (
            refusal("INVALID_ARGUMENT", "Decryption failed: W."),
            DamagedError,
            KeyHint.COMPARE_KEY_OBJECT,
        ),
    ],
)
def test_each_refusal_is_told(answer: Answer, error: type[BackupError], hint: HintCode) -> None:
    with ScriptedService(answer) as service:
        errors = failures(quick(service.url))
    assert type(errors[1]) is error
    assert codes(*errors) == {hint}
    assert errors[0].message.endswith(": W")


def test_a_service_that_is_busy_is_asked_again() -> None:
    for status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"):
        busy = refusal(status, "later")
        with ScriptedService(busy, busy, encrypted()) as service:
            assert quick(service.url, waits_seconds=(0, 0)).wrap(KEY, CONTEXT) == b"wrapped"


@pytest.mark.parametrize(
    "answer",
    [
        *(Answer(200, body) for body in (b"", b"<html>", b"[]", b"null", b"[" * 100_000, b"{}")),
        Answer(200, b'{"plaintext": 5, "ciphertext": 5}'),
        Answer.of({"plaintext": "not Base64!"}),
        Answer(404, b"<html>"),
        Answer(302, headers={"Location": "http://127.0.0.1:1"}),
    ],
)
def test_an_answer_of_something_else_is_told(answer: Answer) -> None:
    with ScriptedService(answer) as service:
        errors = failures(quick(service.url))
        assert len(service.asked) == 2
    assert codes(*errors) <= {KeyHint.KEY_SERVICE_ADDRESS, KeyHint.NAME_CLOUDKMS_KEY}
    assert type(errors[1]) is DecryptionError


def test_no_secret_that_the_service_repeats_is_shown() -> None:
    text = f"you sent {PLAIN} and {KEY.hex()} with {TOKEN}\n" + "x" * 5000
    for status in ("INVALID_ARGUMENT", "PERMISSION_DENIED", "INTERNAL"):
        answer = refusal(status, text)
        with ScriptedService(answer) as service, pytest.raises(EncryptionError) as caught:
            quick(service.url).wrap(KEY, CONTEXT)
        shown = f"{caught.value}{vars(caught.value)}"
        for secret in (PLAIN, KEY.hex(), TOKEN):
            assert secret not in shown
        assert len(caught.value.message) < 600
        assert "\n" not in caught.value.message


def test_nothing_and_too_much_is_not_sent() -> None:
    with ScriptedService(Answer(500)) as service:
        for wrapped in (b"", b"x" * ((1 << 16) + 1)):
            with pytest.raises(DamagedError):
                quick(service.url).unwrap(wrapped, CONTEXT)
        assert not service.asked


# --- on the way ----------------------------------------------------------------------------------


def test_a_service_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        errors = failures(quick(f"http://127.0.0.1:{port}"))
    assert codes(*errors) == {KeyHint.KEY_SERVICE_NETWORK}
    assert "no answer in time" in errors[1].message
    errors = failures(quick(f"http://127.0.0.1:{port}"))  # closed by now
    assert codes(*errors) == {KeyHint.KEY_SERVICE_NETWORK}
    assert "Connection refused" in errors[1].message
    assert type(errors[1]) is DecryptionError


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    cut = Answer(200, encrypted().body, missing_bytes=5)
    with ScriptedService(cut, encrypted()) as service:
        assert quick(service.url, waits_seconds=(0,)).wrap(KEY, CONTEXT) == b"wrapped"


def test_a_certificate_that_is_not_trusted_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    with FakeKeyVault(tmp_path) as fake:  # any server with TLS
        errors = failures(quick(f"https://127.0.0.1:{fake.server_port}"))
    assert codes(*errors) == {KeyHint.KEY_SERVICE_CERTIFICATE}


# --- credentials ---------------------------------------------------------------------------------


@pytest.fixture
def tokens() -> Iterator[GoogleTokens]:
    with GoogleTokens() as service:
        yield service


@pytest.mark.parametrize("right", [True, False])
def test_the_credentials_of_the_default_chain_are_used(
    tokens: GoogleTokens,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    right: bool,  # noqa: FBT001 - a parameter of a test
) -> None:
    account = tmp_path / "account.json"
    account.write_text(json.dumps(tokens.account(right=right)), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    with ScriptedService(encrypted()) as service:
        wrapper = quick(service.url, credentials=None)
        if right:
            assert wrapper.wrap(KEY, CONTEXT) == b"wrapped"
            assert wrapper.wrap(KEY, CONTEXT) == b"wrapped"
            (token,) = tokens.given  # one, for both calls
            assert {header(x, "Authorization") for x in service.asked} == {f"Bearer {token}"}
        else:
            errors = failures(wrapper)
            assert codes(*errors) == {KeyHint.CHECK_GOOGLE_CREDENTIALS}
            assert "invalid_grant" in errors[0].message
            assert not service.asked


def test_a_host_without_credentials_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/account.json")
    errors = failures(quick("http://127.0.0.1:1", credentials=None))
    assert type(errors[1]) is KeyMissing
    assert codes(*errors) == {KeyHint.CHECK_GOOGLE_CREDENTIALS}
    assert "/nonexistent/account.json" in errors[0].message


def test_a_service_of_tokens_that_does_not_answer_is_not_waited_for(
    tokens: GoogleTokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        account = tmp_path / "account.json"
        account.write_text(json.dumps({**tokens.account(), "token_uri": url}), encoding="utf-8")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        errors = failures(quick("http://127.0.0.1:1", credentials=None))
    assert codes(*errors) == {KeyHint.KEY_SERVICE_NETWORK}
    assert "no answer in time" in errors[0].message


class Failing:
    """Credentials that raise."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def before_request(self, *_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (auth.RefreshError(f"the program printed {TOKEN}"), KeyHint.CHECK_GOOGLE_CREDENTIALS),
        (
            auth.RefreshError("invalid_grant: Invalid JWT: check your iat and exp values"),
            StoreHint.HOST_CLOCK,
        ),
        (auth.TransportError("reset"), KeyHint.CHECK_GOOGLE_CREDENTIALS),
        (auth.TransportError(ConnectionResetError()), KeyHint.KEY_SERVICE_NETWORK),
        (TimeoutError(), KeyHint.KEY_SERVICE_NETWORK),
        (ValueError(TOKEN), KeyHint.CHECK_GOOGLE_CREDENTIALS),
    ],
)
def test_credentials_that_give_no_token_are_told(error: Exception, hint: HintCode) -> None:
    errors = failures(quick("http://127.0.0.1:1", credentials=Failing(error)))
    assert codes(*errors) == {hint}
    assert type(errors[1]) is DecryptionError


# --- settings and the SDK ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("", ""),
        ("the-key", ""),
        (f"{NAME}/cryptoKeyVersions/1", ""),
        (f"{NAME}\n", ""),
        (f"/{NAME}", ""),
        (NAME.replace("backups", "a/b"), ""),
        (NAME.replace("the-key", ".."), ""),
        (NAME, "cloudkms.googleapis.com"),
        (NAME, "http://cloudkms.googleapis.com"),
        (NAME, "https://me:hunter2@cloudkms.googleapis.com"),
        (NAME, "https://cloudkms.googleapis.com/v1"),
        (NAME, "https://cloudkms.googleapis.com?hunter2"),
        (NAME, "https://host:x"),
        (NAME, "https://[::1"),
    ],
)
def test_what_cannot_be_right_is_refused(key: str, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GcpKms(key, endpoint_url=url or ENDPOINT)
    assert caught.value.hint == KeyHint.CLOUDKMS_KEY_FORM()
    assert "hunter2" not in str(caught.value)


def test_names_of_every_form_are_taken() -> None:
    for name in (NAME, NAME.replace("the-project", "example.com:the-project")):
        wrapper = GcpKms(name, endpoint_url="https://cloudkms.europe-west3.rep.googleapis.com/")
        assert wrapper.recipient == Recipient("gcpkms", name)


def test_the_sdk_is_imported_when_it_is_used() -> None:
    module = "brownie_backup.encryptors.wrapping.gcpkms"
    program = f"import sys, {module} as m; m.GcpKms('{NAME}'); print('google.auth' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_a_missing_sdk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wrapping, "gcpkms_calls", raising=False)
    monkeypatch.delitem(sys.modules, f"{wrapping.__name__}.gcpkms_calls", raising=False)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    errors = failures(quick("http://127.0.0.1:1"))
    assert codes(*errors) == {SetupHint.INSTALL_PACKAGE}
    assert "brownie-backup[gcs]" in errors[0].message
