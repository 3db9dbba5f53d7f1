r"""Data keys that Azure Key Vault or a managed HSM wraps: RSA, by ``RSA-OAEP-256``.

The private key never leaves the service. RSA-OAEP binds to no context, so what is wrapped is the
data key and the SHA-256 of its context, which is compared after each unwrapping. The public key is
enough to wrap, so anyone can. What tells a right data key from a forged one is its id.

What is stored is one line: the key's id with the version that was used, a space, and the RSA
ciphertext in Base64. So this opens it, with the data action ``…/keys/decrypt/action``. It prints
64 bytes in Base64, of which the first 32 are the data key::

    read -r ID VALUE < WRAPPED
    az keyvault key decrypt --id "$ID" --algorithm RSA-OAEP-256 --data-type base64 \
        --value "$VALUE" --query result --output tsv

New data keys are wrapped by the newest version of the key. An older version opens what it has
wrapped for as long as it is enabled, so disable or delete none that a backup needs.

The data actions that are needed, on the key alone:

* ``Microsoft.KeyVault/vaults/keys/wrap/action`` on a host that makes backups
  (``examples/keys/azure-encrypt-only.json``). Or ``…/keys/read``, as to wrap needs the public key
  alone: with it, the SDK wraps on this host, and no data key is sent to the vault;
* ``Microsoft.KeyVault/vaults/keys/unwrap/action`` on a host that restores or verifies them.

In a vault with access policies these are the key permissions ``wrapKey``, ``get`` and
``unwrapKey``. Credentials come from Azure's usual sources.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from brownie_backup.encryptors.wrapping.base64_text import decoded, encoded
from brownie_backup.encryptors.wrapping.failures import Failure, Kind
from brownie_backup.errors import ConfigurationError
from brownie_backup.format.wrapped_key import check_to_wrap, check_unwrapped, context_bytes
from brownie_backup.hints import KeyHint, SetupHint, install_command
from brownie_backup.model.keys import KeyContext, Recipient

WAITS_SECONDS = (0.5, 2.0)
_KEY = re.compile(r"https://[a-z0-9-]{1,127}(?:\.[a-z0-9-]{1,63}){2,8}/keys/[a-z0-9-]{1,127}")
_WRAPPED = re.compile(r"(\S{1,700})/([0-9a-f]{32}) ([A-Za-z0-9+/]{300,700}={0,2})")
_RSA_BYTES = {256, 384, 512}
_HASH_BYTES = hashlib.sha256().digest_size

_NOT_WRAPPED = Failure(
    "the bytes are not those of a wrapped key", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)
_ANOTHER_CONTEXT = Failure(
    "it was wrapped for another repository or data key", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)
_ANOTHER_KEY = Failure("another key has wrapped it", KeyHint.NAME_KEYVAULT_KEY)
_NOT_OURS = Failure("another key was used", KeyHint.NAME_KEYVAULT_KEY)
_NOT_RSA = Failure("the answer is not that of an RSA key", KeyHint.USE_RSA_KEY)


class AzureKeyVault:
    """Wraps data keys by an RSA key in Azure Key Vault. Thread-safe: each call has its own client.

    Args:
        key: the key's id without a version: ``https://NAME.vault.azure.net/keys/KEY``.
        credential: a credential of azure-identity, of your own.
        timeout_seconds: for a connection, and then for each part of an answer.
        waits_seconds: pauses before a call is repeated that got no answer, or not yet.

    Raises:
        ConfigurationError: `key` is not such an id.
    """

    def __init__(
        self,
        key: str,
        *,
        credential: Any = None,  # noqa: ANN401 - azure-identity is imported only when used
        timeout_seconds: float = 10,
        waits_seconds: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        # Neither hosts nor the names of keys differ in case alone.
        self._key = key.rstrip("/").lower()
        if not _KEY.fullmatch(self._key):
            problem = "the key of Azure Key Vault is not the id of a key without a version"
            raise ConfigurationError([problem], hint=KeyHint.KEYVAULT_KEY_FORM)
        self._credential = credential
        self._timeout_seconds = timeout_seconds
        self._waits_seconds = tuple(waits_seconds)

    @property
    def recipient(self) -> Recipient:
        """The key's id, without a version."""
        return Recipient("azurekv", self._key)

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return the id of the key's newest version, and `key` wrapped by it.

        Raises:
            EncryptionError: Key Vault refused, was out of reach, or used another key.
        """
        check_to_wrap(key, context)
        bound = key + _digest(context)
        result = self._call(
            lambda calls, vault: calls.wrap(vault, self._key, bound, (*_texts(key), *_texts(bound)))
        )
        if not isinstance(result, Failure):
            used, data = result
            version = used.lower().removeprefix(f"{self._key}/")
            if not re.fullmatch(r"[0-9a-f]{32}", version):
                result = _NOT_OURS
            elif len(data) not in _RSA_BYTES:
                result = _NOT_RSA
            else:
                return f"{self._key}/{version} {encoded(data)}".encode()
        raise result.encryption_error(f"Azure Key Vault did not wrap the data key by '{self._key}'")

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key, unwrapped by the version of the key that wrapped it.

        Raises:
            KeyMissing: there are no credentials here, or they have no right to unwrap.
            DecryptionError: Key Vault refused or was out of reach, or the version is disabled.
            DamagedError: the bytes were changed, or were wrapped for another context.
        """
        result = self._unwrapped(wrapped)
        if not isinstance(result, Failure):
            key, digest = result[:-_HASH_BYTES], result[-_HASH_BYTES:]
            if hmac.compare_digest(digest, _digest(context)):
                return check_unwrapped(key, context)
            result = _ANOTHER_CONTEXT
        raise result.decryption_error(
            f"Azure Key Vault did not unwrap the data key by '{self._key}'"
        )

    def _unwrapped(self, wrapped: bytes) -> bytes | Failure:
        form = _WRAPPED.fullmatch(wrapped.decode("latin-1"))
        data = decoded(form[3]) if form else b""
        if form is None or len(data) not in _RSA_BYTES:
            return _NOT_WRAPPED
        # A vault that the stored bytes name is never asked.
        if form[1] != self._key:
            return _ANOTHER_KEY
        used = f"{self._key}/{form[2]}"
        result: bytes | Failure = self._call(lambda calls, vault: calls.unwrap(vault, used, data))
        return result

    def _call(self, use: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401 - what `use` returns
        """Return what the service returned, or why not; no exception of the SDK gets out."""
        calls = _sdk()
        if isinstance(calls, Failure):
            return calls
        vault = calls.KeyVault(self._credential, self._timeout_seconds, self._waits_seconds)
        return use(calls, vault)


def _digest(context: KeyContext) -> bytes:
    return hashlib.sha256(context_bytes(context)).digest()


def _texts(data: bytes) -> tuple[str, ...]:
    """Return the forms in which a service might repeat some bytes."""
    text = encoded(data).rstrip("=")
    return (text, text.replace("+", "-").replace("/", "_"), data.hex())


def _sdk() -> ModuleType | Failure:
    """Return the module that knows the SDK: it is imported when it is used."""
    try:
        from brownie_backup.encryptors.wrapping import azurekv_calls  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"azure", "requests"}:
            raise
    else:
        return azurekv_calls
    package = "brownie-backup[azure]"
    hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
    return Failure(f"that needs the extra {package}, which is not installed", hint)
