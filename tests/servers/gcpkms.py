"""A fake of Google Cloud KMS: `encrypt` and `decrypt` of its REST interface, and nothing else.

It is no Google software. No emulator has the checksums, which are what is to be tested. Paths,
fields, checks and texts are those of these public descriptions, as of November 2026:

* cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
  and …/decrypt: the fields, 64-bit numbers as strings, a failure for a wrong checksum;
* cloud.google.com/kms/docs/data-integrity-guidelines: what a client checks;
* cloud.google.com/apis/design/errors: the form of an error, and the status for each code;
* googleapis/nodejs-kms#145 and users' reports: the texts for another key, for changed bytes, and
  for a disabled version (``KEY_DISABLED``).

The text for a wrong checksum is not in them: that one is our own.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import define, field
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.servers.fake import Fake, header
from tests.unit.scripted import Answer, Asked

ENCRYPT = "cloudkms.cryptoKeyVersions.useToEncrypt"
DECRYPT = "cloudkms.cryptoKeyVersions.useToDecrypt"
_FIELDS = {
    "encrypt": ("plaintext", "additionalAuthenticatedData"),
    "decrypt": ("ciphertext", "additionalAuthenticatedData"),
}
_ID_BYTES = 8
_STATUSES = {
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "FAILED_PRECONDITION": HTTPStatus.BAD_REQUEST,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
}


@define
class Version:
    """A version of a key."""

    name: str
    state: str = "ENABLED"
    key_id: bytes = field(factory=lambda: secrets.token_bytes(_ID_BYTES), repr=False)
    key: AESGCM = field(factory=lambda: AESGCM(AESGCM.generate_key(256)), repr=False)


class _Refused(Exception):
    def __init__(self, status: str, message: str, **detail: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(message)
        self.answer = refusal(status, message, **detail)


def refusal(status: str, message: str, **detail: Any) -> Answer:  # noqa: ANN401 - JSON
    """Return an answer in the form of Google's errors."""
    error: dict[str, Any] = {"code": int(_STATUSES[status]), "message": message, "status": status}
    if detail:
        error["details"] = [detail]
    return Answer.of({"error": error}, int(_STATUSES[status]))


def crc32c(data: bytes) -> int:
    """Return the CRC32C (RFC 3720, appendix B.4) of some bytes, by its definition."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


class FakeCloudKms(Fake):
    """Holds keys with versions, the last of which is the primary one."""

    def __init__(self) -> None:
        super().__init__()
        self.token = secrets.token_hex(16)
        self.rights: dict[str, set[str]] = {self.token: {ENCRYPT, DECRYPT}}
        self.keys: dict[str, list[Version]] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def new_key(self) -> str:
        """Create a key with one version, and return its name."""
        ring = "projects/the-project/locations/europe-west1/keyRings/backups"
        name = f"{ring}/cryptoKeys/key-{secrets.token_hex(6)}"
        self.keys[name] = []
        self.rotate(name)
        return name

    def rotate(self, key: str) -> None:
        """Give a key a new primary version."""
        number = len(self.keys[key]) + 1
        self.keys[key].append(Version(f"{key}/cryptoKeyVersions/{number}"))

    def respond(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        try:
            return Answer.of(self._done(asked))
        except _Refused as refused:
            return refused.answer

    def _done(self, asked: Asked) -> Mapping[str, object]:
        name, colon, verb = asked.path.removeprefix("/v1/").rpartition(":")
        if asked.method != "POST" or not colon or verb not in _FIELDS or asked.query:
            raise _Refused("NOT_FOUND", "no such method")
        self._check_rights(asked, name, ENCRYPT if verb == "encrypt" else DECRYPT)
        data, context = _read(asked, _FIELDS[verb])
        if name not in self.keys:
            raise _Refused("NOT_FOUND", f"CryptoKey {name} not found.")
        if verb == "encrypt":
            return self._encrypted(self.keys[name], data, context)
        return self._decrypted(self.keys[name], data, context)

    def _check_rights(self, asked: Asked, name: str, right: str) -> None:
        scheme, _, token = header(asked, "Authorization").partition(" ")
        if scheme != "Bearer" or token not in self.rights:
            raise _Refused(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            )
        if right not in self.rights[token]:
            said = f"Permission '{right}' denied on resource '{name}' (or it may not exist)."
            raise _Refused("PERMISSION_DENIED", said, reason="IAM_PERMISSION_DENIED")

    def _encrypted(
        self, versions: list[Version], data: bytes, context: bytes
    ) -> Mapping[str, object]:
        version = _usable(versions[-1])
        nonce = secrets.token_bytes(12)
        sealed = version.key_id + nonce + version.key.encrypt(nonce, data, context)
        return {
            "name": version.name,
            "ciphertext": base64.b64encode(sealed).decode(),
            "ciphertextCrc32c": str(crc32c(sealed)),
            "verifiedPlaintextCrc32c": True,
            "verifiedAdditionalAuthenticatedDataCrc32c": True,
            "protectionLevel": "SOFTWARE",
        }

    def _decrypted(
        self, versions: list[Version], data: bytes, context: bytes
    ) -> Mapping[str, object]:
        version = next((x for x in versions if x.key_id == data[:_ID_BYTES]), None)
        if version is None:
            said = "Decryption failed: verify that 'name' refers to the correct CryptoKey."
            raise _Refused("INVALID_ARGUMENT", said)
        nonce, sealed = data[_ID_BYTES : _ID_BYTES + 12], data[_ID_BYTES + 12 :]
        try:
            plain = _usable(version).key.decrypt(nonce, sealed, context)
        except (InvalidTag, ValueError):
            said = "Decryption failed: the ciphertext is invalid."
            raise _Refused("INVALID_ARGUMENT", said) from None
        return {
            "plaintext": base64.b64encode(plain).decode(),
            "plaintextCrc32c": str(crc32c(plain)),
            "usedPrimary": version is versions[-1],
            "protectionLevel": "SOFTWARE",
        }


def _usable(version: Version) -> Version:
    if version.state == "ENABLED":
        return version
    raise _Refused(
        "FAILED_PRECONDITION",
        f"{version.name} is not enabled, current state is: {version.state}.",
        violations=[{"type": f"KEY_{version.state}", "subject": version.name}],
    )


def _read(asked: Asked, names: tuple[str, ...]) -> list[bytes]:
    """Return the values of these fields, after a look at all that was sent."""
    if header(asked, "Content-Type") != "application/json":
        raise _Refused("INVALID_ARGUMENT", "Invalid value at 'Content-Type'")
    fields = json.loads(asked.body)
    expected = {each for name in names for each in (name, f"{name}Crc32c")}
    for unknown in fields.keys() - expected:
        said = f'Invalid JSON payload received. Unknown name "{unknown}": Cannot find field.'
        raise _Refused("INVALID_ARGUMENT", said)
    values = []
    for name in names:
        try:
            value = base64.b64decode(fields[name], validate=True)
        except (KeyError, TypeError, binascii.Error):
            said = f"Invalid value at '{name}' (TYPE_BYTES), Base64 decoding failed"
            raise _Refused("INVALID_ARGUMENT", said) from None
        if fields.get(f"{name}Crc32c") != str(crc32c(value)):  # we always send one
            said = f"The checksum in field {name}_crc32c did not match the data in field {name}."
            raise _Refused("INVALID_ARGUMENT", said)
        values.append(value)
    return values
