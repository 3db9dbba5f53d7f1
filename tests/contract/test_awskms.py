"""AWS KMS: what is sent, and what each refusal and failure becomes."""

import base64
import functools
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from tests.servers.awskms import REGION, KmsServer
from tests.servers.certificates import certificate
from tests.servers.openbao import OpenBao
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.encryptors import wrapping
from brownie_backup.encryptors.wrapping.awskms import AwsKms
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

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:{REGION}:111122223333:key/{ID}"
ALIAS = f"arn:aws:kms:{REGION}:111122223333:alias/backups"
KEY = bytes(range(32))
CONTEXT = KeyContext(
    "repository-1", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
BOUND = {"repository": "repository-1", "key": CONTEXT.key_id}


@pytest.fixture(autouse=True)
def settings(kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in kms_server.environment.items():
        monkeypatch.setenv(name, value)


@contextmanager
def stubbed(key: str = ARN) -> Iterator[tuple[AwsKms, Stubber]]:
    """Yield a wrapper whose service answers what a test says."""
    client = any_client()
    with Stubber(client) as stub:
        yield AwsKms(key, client=client), stub


@functools.cache
def any_client() -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    return boto3.session.Session().client("kms", region_name=REGION)


def failures(wrapper: AwsKms) -> tuple[BackupError, BackupError]:
    """Return what wrapping and unwrapping raise."""
    with pytest.raises(EncryptionError) as wrapping_failed:
        wrapper.wrap(KEY, CONTEXT)
    with pytest.raises(BackupError) as unwrapping_failed:
        wrapper.unwrap(b"wrapped", CONTEXT)
    for error in (wrapping_failed.value, unwrapping_failed.value):
        assert error.__context__ is None
        assert error.hint
    return wrapping_failed.value, unwrapping_failed.value


def codes(errors: tuple[BackupError, BackupError]) -> set[HintCode | None]:
    return {error.hint.code if error.hint else None for error in errors}


# --- the key -------------------------------------------------------------------------------------


def test_an_arn_says_the_region(kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = kms_server.new_key()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    wrapper = AwsKms(arn)
    assert wrapper.recipient == Recipient("awskms", arn)
    assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_an_id_and_an_alias_are_in_the_region_of_the_environment(
    kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = kms_server.new_key()
    kms_server.client().create_alias(AliasName="alias/of-an-id", TargetKeyId=arn)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    wrapped = AwsKms(arn).wrap(KEY, CONTEXT)
    alias_arn = arn.rpartition(":")[0] + ":alias/of-an-id"
    for ref in (arn.rpartition("/")[2], "alias/of-an-id", alias_arn):
        wrapper = AwsKms(ref)
        assert wrapper.recipient.ref == ref
        assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY
        assert wrapper.unwrap(wrapped, CONTEXT) == KEY


def test_an_alias_of_another_key_by_now_opens_nothing_older(kms_server: KmsServer) -> None:
    arn, other = kms_server.new_key(), kms_server.new_key()
    kms_server.client().create_alias(AliasName="alias/moved", TargetKeyId=arn)
    wrapper = AwsKms(arn.rpartition(":")[0] + ":alias/moved")
    wrapped = wrapper.wrap(KEY, CONTEXT)
    kms_server.client().update_alias(AliasName="alias/moved", TargetKeyId=other)
    with pytest.raises(DecryptionError):
        wrapper.unwrap(wrapped, CONTEXT)
    assert AwsKms(arn).unwrap(wrapped, CONTEXT) == KEY


@pytest.mark.parametrize(
    "key",
    [
        "",
        "backups",
        "alias/",
        f"key/{ID}",
        f"arn:aws:kms:{REGION}:111122223333:{ID}",
        f"arn:aws:kms:{REGION}:1111:key/{ID}",
        f"arn:aws:s3:{REGION}:111122223333:key/{ID}",
        f"{ARN}\n",
        f" {ARN}",
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AwsKms(key)
    assert caught.value.hint == KeyHint.KMS_KEY_FORM()


@pytest.mark.parametrize(
    "key",
    [
        ARN,
        ALIAS,
        ID,
        "alias/backups/of-all_1",
        "mrk-" + "0a" * 16,
        f"arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-{'0a' * 16}",
    ],
)
def test_every_form_of_a_key_is_taken(key: str) -> None:
    assert AwsKms(key).recipient == Recipient("awskms", key)


# --- what is sent and answered -------------------------------------------------------------------


def test_the_key_and_the_context_are_in_every_request() -> None:
    with stubbed() as (wrapper, stub):
        sent: dict[str, Any] = {"KeyId": ARN, "EncryptionContext": BOUND}
        stub.add_response(
            "encrypt", {"KeyId": ARN, "CiphertextBlob": b"wrapped"}, {**sent, "Plaintext": KEY}
        )
        stub.add_response(
            "decrypt", {"KeyId": ARN, "Plaintext": KEY}, {**sent, "CiphertextBlob": b"wrapped"}
        )
        assert wrapper.wrap(KEY, CONTEXT) == b"wrapped"
        assert wrapper.unwrap(b"wrapped", CONTEXT) == KEY
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("key", [ARN, ID])
@pytest.mark.parametrize(
    "used", ["", ARN.replace("1234abcd", "99999999"), f"{ARN}0", ID.replace("1", "2")]
)
def test_an_answer_by_another_key_is_refused(key: str, used: str) -> None:
    with stubbed(key) as (wrapper, stub):
        more = {"KeyId": used} if used else {}
        stub.add_response("encrypt", {**more, "CiphertextBlob": b"wrapped"})
        stub.add_response("decrypt", {**more, "Plaintext": KEY})
        errors = failures(wrapper)
    assert codes(errors) == {KeyHint.NAME_KMS_KEY}
    assert type(errors[1]) is DecryptionError
    assert "KMS used another key" in errors[1].message


def test_an_arn_is_of_one_account_and_region() -> None:
    with stubbed() as (wrapper, stub):
        other = ARN.replace("111122223333", "444455556666")
        stub.add_response("decrypt", {"KeyId": other, "Plaintext": KEY})
        with pytest.raises(DecryptionError, match="another key"):
            wrapper.unwrap(b"wrapped", CONTEXT)


def test_an_answer_without_data_is_refused() -> None:
    with stubbed() as (wrapper, stub):
        stub.add_response("encrypt", {"KeyId": ARN})
        stub.add_response("decrypt", {"KeyId": ARN})
        errors = failures(wrapper)
    assert codes(errors) == {KeyHint.CHECK_KMS_ENDPOINT}


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        ("AccessDeniedException", KeyMissing, KeyHint.GRANT_KMS_RIGHTS),
        ("DisabledException", DecryptionError, KeyHint.ENABLE_KMS_KEY),
        ("KMSInvalidStateException", DecryptionError, KeyHint.ENABLE_KMS_KEY),
        ("KeyUnavailableException", DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        ("NotFoundException", DecryptionError, KeyHint.NAME_KMS_KEY),
        ("InvalidKeyUsageException", DecryptionError, KeyHint.USE_SYMMETRIC_KMS_KEY),
        ("IncorrectKeyException", DecryptionError, KeyHint.NAME_KMS_KEY),
        ("InvalidCiphertextException", DamagedError, KeyHint.COMPARE_KEY_OBJECT),
        ("ThrottlingException", DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        ("LimitExceededException", DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        ("DependencyTimeoutException", DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        ("KMSInternalException", DecryptionError, KeyHint.KEY_SERVICE_BUSY),
        ("ExpiredTokenException", DecryptionError, StoreHint.NEW_TEMPORARY_CREDENTIALS),
        ("UnrecognizedClientException", DecryptionError, KeyHint.CHECK_AWS_CREDENTIALS),
        ("ValidationException", DecryptionError, KeyHint.NAME_KMS_KEY),
        ("SomethingNew", DecryptionError, KeyHint.NAME_KMS_KEY),
    ],
)
def test_each_refusal_is_told(code: str, error: type[BackupError], hint: HintCode) -> None:
    with stubbed() as (wrapper, stub):
        for operation in ("encrypt", "decrypt"):
            stub.add_client_error(operation, code, "in its own words.", http_status_code=400)
        errors = failures(wrapper)
    assert type(errors[1]) is error
    assert codes(errors) == {hint}
    for each in errors:
        assert ARN in each.message
        assert each.message.endswith(": in its own words")


def test_a_failure_of_the_service_is_told() -> None:
    with stubbed() as (wrapper, stub):
        for operation in ("encrypt", "decrypt"):
            stub.add_client_error(operation, "Strange", http_status_code=503)
        assert codes(failures(wrapper)) == {KeyHint.KEY_SERVICE_BUSY}


def test_a_wrong_clock_is_told() -> None:
    with stubbed() as (wrapper, stub):
        for operation in ("encrypt", "decrypt"):
            text = "Signature expired: 20261130T100000Z is now earlier than 20261130T101000Z"
            stub.add_client_error(operation, "InvalidSignatureException", text)
        assert codes(failures(wrapper)) == {StoreHint.HOST_CLOCK}


def test_no_secret_that_the_service_repeats_is_shown() -> None:
    plain = base64.b64encode(KEY).decode()
    with stubbed() as (wrapper, stub):
        text = f"plaintext {plain} {KEY.hex()} of AKIAIOSFODNN7EXAMPLE is wrong\n" + "x" * 2000
        stub.add_client_error("encrypt", "ValidationException", text)
        with pytest.raises(EncryptionError) as caught:
            wrapper.wrap(KEY, CONTEXT)
    shown = str(caught.value)
    for secret in (plain, KEY.hex(), "AKIA"):
        assert secret not in shown
    assert "\n" not in shown
    assert len(shown) < 800


def test_what_the_sdk_does_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "nonsense")
    assert codes(failures(AwsKms(ARN))) == {KeyHint.CHECK_KMS_ENDPOINT}


# --- on the way ----------------------------------------------------------------------------------


def quick(tries: int = 1) -> AwsKms:
    return AwsKms(ARN, timeout_seconds=0.2, tries=tries)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the address of KMS."""
    return lambda url: monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)


def test_a_service_that_does_not_answer_is_waited_for_a_short_time(
    at: Callable[[str], None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        errors = failures(quick())
    assert codes(errors) == {KeyHint.CHECK_KMS_NETWORK}
    assert type(errors[1]) is DecryptionError
    assert "no answer in time (127.0.0.1)" in errors[1].message


def test_a_service_that_is_not_there_is_told(at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    at(f"http://127.0.0.1:{port}")
    errors = failures(quick())
    assert codes(errors) == {KeyHint.CHECK_KMS_NETWORK}
    assert "cannot be reached (127.0.0.1)" in errors[1].message


def test_what_is_throttled_is_asked_again(at: Callable[[str], None]) -> None:
    busy = Answer.of({"__type": "ThrottlingException", "message": "Rate exceeded"}, 400)
    done = Answer.of({"KeyId": ARN, "CiphertextBlob": base64.b64encode(b"wrapped").decode()})
    with ScriptedService(busy, done) as service:
        at(service.url)
        assert AwsKms(ARN, tries=2).wrap(KEY, CONTEXT) == b"wrapped"
        assert len(service.asked) == 2
    with ScriptedService(busy) as service:
        at(service.url)
        assert codes(failures(quick())) == {KeyHint.KEY_SERVICE_BUSY}
        assert len(service.asked) == 2


def test_the_context_of_a_request_is_what_cloudtrail_shows(at: Callable[[str], None]) -> None:
    done = Answer.of({"KeyId": ARN, "CiphertextBlob": base64.b64encode(b"wrapped").decode()})
    with ScriptedService(done) as service:
        at(service.url)
        quick().wrap(KEY, CONTEXT)
        (asked,) = service.asked
    assert json.loads(asked.body)["EncryptionContext"] == BOUND


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'"text"', b"null", b'{"CiphertextBlob": 5, "Plaintext": []}']
)
def test_an_answer_of_something_else_is_told(at: Callable[[str], None], body: bytes) -> None:
    with ScriptedService(Answer(200, body)) as service:
        at(service.url)
        assert codes(failures(quick())) <= {KeyHint.CHECK_KMS_ENDPOINT, KeyHint.NAME_KMS_KEY}


def test_no_data_key_goes_to_another_host_without_tls(at: Callable[[str], None]) -> None:
    at("http://kms.example.com")
    errors = failures(quick())
    assert codes(errors) == {KeyHint.CHECK_KMS_ENDPOINT}
    assert "unencrypted" in errors[0].message


def test_no_data_key_goes_through_a_proxy_without_tls(
    at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Answer.of({"KeyId": ARN, "CiphertextBlob": base64.b64encode(b"wrapped").decode()})
    with ScriptedService(done) as service, ScriptedService(Answer(500)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        at(service.url)
        assert quick().wrap(KEY, CONTEXT) == b"wrapped"
        assert not proxy.asked


def test_a_certificate_that_is_not_trusted_is_told(
    at: Callable[[str], None], openbao: OpenBao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at(openbao.tls_url)
    assert codes(failures(quick())) == {KeyHint.CHECK_KMS_CERTIFICATE}
    other, _ = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(other))
    assert codes(failures(quick())) == {KeyHint.CHECK_KMS_CERTIFICATE}


def test_a_host_without_credentials_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    errors = failures(quick())
    assert type(errors[1]) is KeyMissing
    assert codes(errors) == {KeyHint.CHECK_AWS_CREDENTIALS}


def test_a_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    errors = failures(quick())
    assert codes(errors) == {StoreHint.AWS_PROFILE}
    assert "nowhere" in errors[1].message


def test_an_alias_without_a_region_is_told() -> None:
    errors = failures(AwsKms("alias/backups"))
    assert codes(errors) == {KeyHint.NAME_KMS_KEY}
    assert "no region is known" in errors[1].message


# --- the SDK -------------------------------------------------------------------------------------


def test_the_sdk_is_imported_when_it_is_used() -> None:
    module = "brownie_backup.encryptors.wrapping.awskms"
    program = f"import sys, {module} as m; m.AwsKms('{ARN}'); print('boto3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_a_missing_sdk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wrapping, "awskms_calls", raising=False)
    monkeypatch.delitem(sys.modules, f"{wrapping.__name__}.awskms_calls", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert codes(failures(AwsKms(ARN))) == {SetupHint.INSTALL_PACKAGE}
