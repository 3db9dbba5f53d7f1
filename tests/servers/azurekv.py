"""A fake of an Azure key vault: `get`, `wrapkey` and `unwrapkey` of its keys, and nothing else.

It is no Microsoft software. The SDK wants TLS and a host that belongs to the service, so the fake
has a certificate for such a host, and `reached` leads there. Paths, fields, versions and texts are
those of these public descriptions, as of November 2026:

* learn.microsoft.com/rest/api/keyvault/keys/wrap-key/wrap-key, …/unwrap-key/unwrap-key and
  …/get-key/get-key: the paths, `api-version`, base64url, `kid`, the permissions;
* learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses: the challenge
  that answers a request without a token;
* learn.microsoft.com/azure/key-vault/general/rest-error-codes: the statuses, `innererror`;
* Azure/azure-sdk-for-net#36269: the answer to a ciphertext of another version.
"""

import base64
import datetime as dt
import functools
import json
import re
import secrets
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.servers.fake import Fake, header
from tests.unit.scripted import Answer, Asked

_API_VERSIONS = {"7.4", "7.5", "7.6", "2025-07-01"}
_PATH = re.compile(r"/keys/([A-Za-z0-9-]+)(?:/([0-9a-f]*))?(?:/(wrapkey|unwrapkey))?")
_PERMISSIONS = {None: "get", "wrapkey": "wrapKey", "unwrapkey": "unwrapKey"}
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@functools.cache
def _private_key(number: int, bits: int) -> rsa.RSAPrivateKey:
    """Return a key that was made once: that takes a while."""
    del number
    return rsa.generate_private_key(65537, bits)


@define
class Version:
    """A version of a key."""

    name: str
    key: rsa.RSAPrivateKey = field(repr=False)
    enabled: bool = True


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        super().__init__(message)
        self.answer = refusal(status, code, message, inner)


def refusal(status: int, code: str, message: str, inner: str = "") -> Answer:
    """Return an answer in the form of Key Vault's errors."""
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return Answer.of({"error": error}, status)


class FakeKeyVault(Fake):
    """Holds RSA keys with versions, the last of which is the newest. Its name is its own."""

    def __init__(self, folder: Path) -> None:
        self.host = f"vault-{secrets.token_hex(6)}.vault.azure.net"
        self.certificate = folder / "vault.pem"
        super().__init__(self._tls_context(folder))
        self.token = secrets.token_hex(16)
        self.rights: dict[str, set[str]] = {self.token: {"get", "wrapKey", "unwrapKey"}}
        self.keys: dict[str, list[Version]] = {}
        self.bits = 2048

    def reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process find the fake by its host, and trust its certificate."""
        real = socket.getaddrinfo

        def found(host: Any, port: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
            if host == self.host:
                host, port = "127.0.0.1", self.server_port
            return real(host, port, *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", found)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(self.certificate))
        for name in _PROXIES:
            monkeypatch.delenv(name, raising=False)

    def new_key(self) -> str:
        """Create a key with one version, and return its id without a version."""
        name = f"key-{secrets.token_hex(6)}"
        self.keys[name] = []
        self.rotate(name)
        return f"https://{self.host}/keys/{name}"

    def rotate(self, name: str) -> None:
        """Give a key a newer version."""
        made = sum(len(versions) for versions in self.keys.values())
        key = _private_key(made % 3, self.bits)
        self.keys[name].append(Version(secrets.token_hex(16), key))

    def respond(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        scheme, _, token = header(asked, "Authorization").partition(" ")
        if scheme != "Bearer" or token not in self.rights:
            said = "AKV10000: Request is missing a Bearer or PoP token."
            answer = refusal(401, "Unauthorized", said)
            tenant = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001"
            challenge = f'Bearer authorization="{tenant}", resource="https://vault.azure.net"'
            return Answer(401, answer.body, {**answer.headers, "WWW-Authenticate": challenge})
        try:
            return Answer.of(self._done(asked, self.rights[token]))
        except _Refused as refused:
            return refused.answer

    def _done(self, asked: Asked, rights: set[str]) -> Mapping[str, object]:
        path = _PATH.fullmatch(asked.path)
        method = "POST" if path and path[3] else "GET"
        if path is None or asked.method != method or header(asked, "Host") != self.host:
            raise _Refused(404, "NotFound", "no such path")
        if asked.query.get("api-version") not in _API_VERSIONS:
            raise _Refused(400, "BadParameter", "the api-version is missing or not known")
        permission = _PERMISSIONS[path[3]]
        if permission not in rights:
            said = "Caller is not authorized to perform action on resource.\r\nCaller: appid=5"
            raise _Refused(403, "Forbidden", said, "ForbiddenByRbac")
        version = self._version(path[1], path[2] or "")
        kid = f"https://{self.host}/keys/{path[1]}/{version.name}"
        if not path[3]:
            return _bundle(kid, version)
        if not version.enabled:
            said = f"Operation {permission} is not allowed on a disabled key."
            raise _Refused(403, "Forbidden", said, "KeyDisabled")
        return {"kid": kid, "value": _text(_operated(version, path[3], _value(asked)))}

    def _version(self, name: str, version: str) -> Version:
        versions = self.keys.get(name, [])
        found = [each for each in versions if each.name == version] if version else versions
        if not found:
            said = f"A key with (name/id) {name}/{version} was not found in this key vault."
            raise _Refused(404, "KeyNotFound", said)
        return found[-1]

    def _tls_context(self, folder: Path) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
        hosts = x509.SubjectAlternativeName([x509.DNSName(self.host)])
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
            .add_extension(hosts, critical=False)
            .sign(key, hashes.SHA256())
        )
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private = folder / "vault-key.pem"
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, private)
        return context


def _bundle(kid: str, version: Version) -> Mapping[str, object]:
    numbers = version.key.public_key().public_numbers()
    jwk = {
        "kid": kid,
        "kty": "RSA",
        "key_ops": ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
        "n": _text(numbers.n.to_bytes(version.key.key_size // 8)),
        "e": _text(numbers.e.to_bytes(3)),
    }
    return {"key": jwk, "attributes": {"enabled": version.enabled, "created": 1, "updated": 1}}


def _value(asked: Asked) -> bytes:
    fields = json.loads(asked.body)
    if header(asked, "Content-Type") != "application/json" or fields["alg"] != "RSA-OAEP-256":
        raise _Refused(400, "BadParameter", "Property 'alg' is invalid.")
    text = fields["value"]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise _Refused(400, "BadParameter", "Content of 'value' is not base64url.")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _operated(version: Version, operation: str, value: bytes) -> bytes:
    if operation == "wrapkey":
        return version.key.public_key().encrypt(value, _OAEP)
    try:
        return version.key.decrypt(value, _OAEP)
    except ValueError:
        said = "Error occurred while decoding OAEP padding."
        raise _Refused(400, "BadParameter", said) from None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
