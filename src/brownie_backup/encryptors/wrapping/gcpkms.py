r"""Data keys that Google Cloud KMS wraps, by one call a run, and by one for each key to restore.

The master key never leaves Cloud KMS. Its purpose must be ``ENCRYPT_DECRYPT``. Cloud KMS binds each
wrapped key to additional authenticated data: lines that name the repository and the data key. What
is stored is its ciphertext and nothing else, so this opens it::

    printf 'brownie-backup/wrapped-key/1\nrepository %s\nkey %s\n' REPOSITORY KEY_ID > CONTEXT
    gcloud kms decrypt --key KEY --ciphertext-file WRAPPED \
        --additional-authenticated-data-file CONTEXT --plaintext-file DATA_KEY

New data keys are wrapped by the key's primary version. An older version opens what it has wrapped
for as long as it is enabled, so disable or destroy none that a backup needs.

The permissions that are needed, on the key alone:

* ``cloudkms.cryptoKeyVersions.useToEncrypt`` on a host that makes backups
  (``examples/keys/google-encrypt-only.yaml``, or ``roles/cloudkms.cryptoKeyEncrypter``);
* ``cloudkms.cryptoKeyVersions.useToDecrypt`` on a host that restores or verifies them
  (``roles/cloudkms.cryptoKeyDecrypter``).

Credentials come from Google's usual sources.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from brownie_backup.encryptors.wrapping.base64_text import decoded, encoded
from brownie_backup.encryptors.wrapping.failures import Failure, Kind
from brownie_backup.encryptors.wrapping.loopback import is_loopback
from brownie_backup.errors import ConfigurationError
from brownie_backup.format.wrapped_key import check_to_wrap, check_unwrapped, context_bytes
from brownie_backup.hints import KeyHint, SetupHint, install_command
from brownie_backup.model.keys import KeyContext, Recipient

ENDPOINT = "https://cloudkms.googleapis.com"
WAITS_SECONDS = (0.5, 2.0)
_KEY = re.compile(
    r"projects/[a-z0-9.:-]{1,100}/locations/[a-z0-9-]{1,63}"
    r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}"
)
_MOST_WRAPPED = 1 << 16

_NOTHING = Failure("the answer has no data in it", KeyHint.KEY_SERVICE_ADDRESS)
_ANOTHER_KEY = Failure("another key was used", KeyHint.NAME_CLOUDKMS_KEY)
_CHANGED = Failure(
    "a checksum does not match: bytes were changed on the way", KeyHint.KEY_SERVICE_BUSY, again=True
)
_NOT_WRAPPED = Failure(
    "there is nothing to decrypt, or too much", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)


class GcpKms:
    """Wraps data keys by a key in Google Cloud KMS. Thread-safe.

    Args:
        key: the key's resource name, without a version:
            ``projects/P/locations/L/keyRings/R/cryptoKeys/K``.
        credentials: credentials of google-auth, of your own.
        endpoint_url: the service's address, or that of a region; ``http://`` only for this host.
        timeout_seconds: for a connection, and then for each part of an answer.
        waits_seconds: pauses before a call is repeated that got no answer, or not yet.

    Raises:
        ConfigurationError: with all problems.
    """

    def __init__(
        self,
        key: str,
        *,
        credentials: Any = None,  # noqa: ANN401 - google-auth is imported only when used
        endpoint_url: str = ENDPOINT,
        timeout_seconds: float = 10,
        waits_seconds: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        problems = [*_key_problems(key), *_endpoint_problems(endpoint_url)]
        if problems:
            raise ConfigurationError(problems, hint=KeyHint.CLOUDKMS_KEY_FORM)
        self._key = key
        self._credentials = credentials
        self._endpoint = endpoint_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._waits_seconds = tuple(waits_seconds)

    @property
    def recipient(self) -> Recipient:
        """The key's resource name."""
        return Recipient("gcpkms", self._key)

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return `key` encrypted by the key's primary version.

        Raises:
            EncryptionError: Cloud KMS refused, was out of reach, or the bytes were changed on the
                way.
        """

        def read(answer: Mapping[str, Any], checksum: Callable[[bytes], int]) -> bytes | Failure:
            if not str(answer.get("name")).startswith(f"{self._key}/cryptoKeyVersions/"):
                return _ANOTHER_KEY
            if answer.get("verifiedPlaintextCrc32c") is not True:
                return _CHANGED
            if answer.get("verifiedAdditionalAuthenticatedDataCrc32c") is not True:
                return _CHANGED
            return _checked(answer, "ciphertext", checksum)

        check_to_wrap(key, context)
        secrets = (encoded(key), key.hex())
        result = self._call("encrypt", {"plaintext": key}, context, read, secrets)
        if isinstance(result, Failure):
            raise result.encryption_error(
                f"Google Cloud KMS did not encrypt the data key by '{self._key}'"
            )
        return result

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key, decrypted by the version of the key that wrapped it.

        Raises:
            KeyMissing: there are no credentials here, or they have no right to decrypt.
            DecryptionError: Cloud KMS refused or was out of reach, or the version is disabled.
            DamagedError: the bytes were changed, or were wrapped for another context.
        """

        def read(answer: Mapping[str, Any], checksum: Callable[[bytes], int]) -> bytes | Failure:
            return _checked(answer, "plaintext", checksum)

        result: bytes | Failure = _NOT_WRAPPED
        if 0 < len(wrapped) <= _MOST_WRAPPED:
            result = self._call("decrypt", {"ciphertext": wrapped}, context, read)
        if isinstance(result, Failure):
            raise result.decryption_error(
                f"Google Cloud KMS did not decrypt the data key by '{self._key}'"
            )
        return check_unwrapped(result, context)

    def _call(
        self,
        verb: str,
        data: dict[str, bytes],
        context: KeyContext,
        read: Callable[[Mapping[str, Any], Callable[[bytes], int]], bytes | Failure],
        secrets: tuple[str, ...] = (),
    ) -> bytes | Failure:
        """Return what `read` found in the answer, or why there is nothing."""
        calls = _sdk()
        if isinstance(calls, Failure):
            return calls
        if self._credentials is None:  # two threads may both do it: they get the same
            self._credentials = calls.DefaultCredentials()
        service = calls.CloudKms(
            self._endpoint, self._credentials, self._timeout_seconds, self._waits_seconds
        )
        fields: dict[str, str] = {}
        for name, value in {**data, "additionalAuthenticatedData": context_bytes(context)}.items():
            # 64-bit numbers are strings in Google's JSON.
            fields |= {name: encoded(value), f"{name}Crc32c": str(calls.checksum(value))}
        result: bytes | Failure = service.post(
            f"{self._key}:{verb}", fields, lambda answer: read(answer, calls.checksum), secrets
        )
        return result


def _checked(
    answer: Mapping[str, Any], field: str, checksum: Callable[[bytes], int]
) -> bytes | Failure:
    """Return a field's bytes if they are those that the service sent."""
    data = decoded(answer.get(field))
    if not data:
        return _NOTHING
    return data if str(answer.get(f"{field}Crc32c")) == str(checksum(data)) else _CHANGED


def _key_problems(key: str) -> Iterator[str]:
    if not _KEY.fullmatch(key):
        yield "the key of Google Cloud KMS is not the resource name of a key"


def _endpoint_problems(endpoint_url: str) -> Iterator[str]:
    """Yield why an address is invalid; never the address, which may hold a secret."""
    try:
        parts = urlsplit(endpoint_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield "the address of Google Cloud KMS is not a URL"
        return
    if parts.scheme not in {"https", "http"} or not host:
        yield "the address of Google Cloud KMS does not begin with https:// and a host"
    elif parts.scheme == "http" and not is_loopback(host):
        yield "the address of Google Cloud KMS begins with http://, which is for this host alone"
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        yield "the address of Google Cloud KMS has more than a host in it"


def _sdk() -> ModuleType | Failure:
    """Return the module that knows the SDK: it is imported when it is used."""
    try:
        from brownie_backup.encryptors.wrapping import gcpkms_calls  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"google", "google_crc32c", "requests"}:
            raise
    else:
        return gcpkms_calls
    package = "brownie-backup[gcs]"
    hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
    return Failure(f"that needs the extra {package}, which is not installed", hint)
