r"""Data keys that AWS KMS wraps. This module asks for one call a run, and for one a key to restore.

The master key never leaves KMS. It must be symmetric, for ``ENCRYPT_DECRYPT`` (KMS's default). KMS
binds each wrapped key to an encryption context, ``{"repository": …, "key": …}``, which it also
writes into CloudTrail. What is stored is KMS's ciphertext and nothing else, so this opens it::

    aws kms decrypt --key-id KEY --ciphertext-blob fileb://WRAPPED \
        --encryption-context repository=REPOSITORY,key=KEY_ID --query Plaintext --output text

The rights that are needed, on the key alone:

* ``kms:Encrypt`` on a host that makes backups (``examples/keys/aws-encrypt-only.json``);
* ``kms:Decrypt`` on a host that restores or verifies them.

Both can be limited to one repository by the condition ``kms:EncryptionContext:repository``. A key
that another account owns must allow the same in its own policy. Credentials, region and endpoint
come from AWS's usual sources; the region of an ARN comes first.
"""

import re
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from brownie_backup.encryptors.wrapping.failures import Failed, Failure, Kind
from brownie_backup.errors import ConfigurationError
from brownie_backup.format.wrapped_key import check_to_wrap, check_unwrapped
from brownie_backup.hints import KeyHint, SetupHint, install_command
from brownie_backup.model.keys import KeyContext, Recipient

_ID = r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_ALIAS = r"alias/[A-Za-z0-9/_-]+"
_KEY = re.compile(
    rf"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{{12}}:)?"
    rf"(?:(?P<alias>{_ALIAS})|(?P<prefix>key/)?(?P<id>{_ID}))"
)
_ANOTHER_KEY = Failure("KMS used another key", KeyHint.NAME_KMS_KEY)
_NOTHING = Failure("the answer has no data in it", KeyHint.CHECK_KMS_ENDPOINT)


class AwsKms:
    """Wraps data keys by a key in AWS KMS. Thread-safe: its calls go one after the other.

    Args:
        key: the key's ARN; or its id, or an alias, in the region that AWS's configuration names.
            Prefer the ARN: an alias may mean another key one day, and then it opens no older one.
        timeout_seconds: for a connection, and then for each part of an answer.
        tries: how often a call is made that was throttled, or got no answer.
        client: a client of boto3 for KMS, of your own.

    Raises:
        ConfigurationError: `key` has not the form of any of the three.
    """

    def __init__(
        self,
        key: str,
        *,
        timeout_seconds: float = 10,
        tries: int = 3,
        client: Any = None,  # noqa: ANN401 - boto3 makes its classes at run time
    ) -> None:
        form = _KEY.fullmatch(key)
        if not form or bool(form["prefix"]) != bool(form["region"] and form["id"]):
            problem = "the AWS KMS key is not an ARN, an id or an alias of a key"
            raise ConfigurationError([problem], hint=KeyHint.KMS_KEY_FORM)
        self._key = key
        self._region: str | None = form["region"]
        self._id: str | None = form["id"]
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._client = client
        self._lock = threading.Lock()

    @property
    def recipient(self) -> Recipient:
        """The key, as it was given."""
        return Recipient("awskms", self._key)

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return `key` encrypted by KMS.

        Raises:
            EncryptionError: KMS refused, was out of reach, or used another key.
        """
        check_to_wrap(key, context)

        def encrypt(client: Any) -> bytes:  # noqa: ANN401 - see above
            return self._checked(
                client.encrypt(KeyId=self._key, Plaintext=key, EncryptionContext=_bound(context)),
                "CiphertextBlob",
            )

        result = self._call(encrypt, key)
        if isinstance(result, Failure):
            raise result.encryption_error(f"AWS KMS did not encrypt the data key by '{self._key}'")
        return result

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key, decrypted by this key and no other.

        Raises:
            KeyMissing: there are no credentials here, or they have no right to decrypt.
            DecryptionError: KMS refused, was out of reach, or used another key.
            DamagedError: the bytes were changed, or were wrapped for another context.
        """

        def decrypt(client: Any) -> bytes:  # noqa: ANN401 - see above
            return self._checked(
                client.decrypt(
                    # With the key's name, KMS refuses what another key has encrypted.
                    KeyId=self._key,
                    CiphertextBlob=wrapped,
                    EncryptionContext=_bound(context),
                ),
                "Plaintext",
            )

        result = self._call(decrypt) if wrapped else _EMPTY
        if isinstance(result, Failure):
            raise result.decryption_error(f"AWS KMS did not decrypt the data key by '{self._key}'")
        return check_unwrapped(result, context)

    def _call(self, use: Callable[[Any], bytes], key: bytes = b"") -> bytes | Failure:
        """Return what KMS returned, or why not; no exception of the SDK gets out."""
        calls = _sdk()
        if isinstance(calls, Failure):
            return calls
        with self._lock:
            try:
                if self._client is None:
                    self._client = calls.open_client(
                        self._region, self._timeout_seconds, self._tries
                    )
                return use(self._client)
            except Failed as failed:
                return failed.failure
            except calls.SDK_ERRORS as error:
                failure: Failure = calls.failure_of(error, key)
                return failure

    def _checked(self, answer: Any, field: str) -> bytes:  # noqa: ANN401 - see above
        """Return the data of an answer, after a look at the key that was used."""
        used = answer.get("KeyId", "") if isinstance(answer, dict) else ""
        # An alias is known to KMS alone, which compares the key by itself.
        if self._id and used.rpartition("/")[2] != self._id:
            raise Failed(_ANOTHER_KEY)
        if self._region and self._id and used != self._key:
            raise Failed(_ANOTHER_KEY)
        data = answer.get(field)
        if not isinstance(data, bytes) or not data:
            raise Failed(_NOTHING)
        return data


_EMPTY = Failure("there is nothing to decrypt", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED)


def _bound(context: KeyContext) -> dict[str, str]:
    return {"repository": context.repository_id, "key": context.key_id}


def _sdk() -> ModuleType | Failure:
    """Return the module that knows the SDK: it is imported when it is used."""
    try:
        from brownie_backup.encryptors.wrapping import awskms_calls  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name not in {"boto3", "botocore"}:
            raise
    else:
        return awskms_calls
    package = "brownie-backup[s3]"
    hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
    return Failure(f"that needs the extra {package}, which is not installed", hint)
