"""The part of Azure Key Vault that needs its SDK: calls, and what each of its errors means."""

import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import field, frozen
from azure.core.exceptions import AzureError, DeserializationError, SerializationError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm

from brownie_backup.encryptors.wrapping.azurekv_errors import failure_of
from brownie_backup.encryptors.wrapping.failures import Failed, Failure
from brownie_backup.encryptors.wrapping.http_sessions import CONNECTION_ERRORS, new_session
from brownie_backup.hints import KeyHint

# Its warnings only repeat our errors, and would be printed where logging is not set up.
logging.getLogger("azure").addHandler(logging.NullHandler())

SDK_ERRORS = (
    AzureError,
    SerializationError,
    DeserializationError,
    *CONNECTION_ERRORS,
    # The answer came from something else.
    *(AttributeError, KeyError, NotImplementedError, RecursionError, TypeError, ValueError),
)
"""All exceptions that a call of the library can raise."""

_ALGORITHM = KeyWrapAlgorithm.rsa_oaep_256
_NOTHING = Failure("the answer has no data in it", KeyHint.KEY_SERVICE_ADDRESS)
_DISABLED = Failure("the key's newest version is disabled", KeyHint.ENABLE_KEYVAULT_KEY)

T = TypeVar("T")


@frozen
class KeyVault:
    """How the service is called."""

    credential: Any = field(repr=False)
    timeout_seconds: float
    waits_seconds: Sequence[float]

    def call(
        self, key: str, use: Callable[[CryptographyClient], T], secrets: tuple[str, ...] = ()
    ) -> T | Failure:
        """Return what `use` returns for a client of that key, or what failed after a few tries."""
        result = self._try(key, use, secrets)
        for wait in self.waits_seconds:
            if not isinstance(result, Failure) or not result.again:
                break
            time.sleep(wait)
            result = self._try(key, use, secrets)
        return result

    def _try(
        self, key: str, use: Callable[[CryptographyClient], T], secrets: tuple[str, ...]
    ) -> T | Failure:
        try:
            with new_session() as session, self._client(key, session) as client:
                return use(client)
        except Failed as failed:
            return failed.failure
        except SDK_ERRORS as error:
            return failure_of(error, secrets)

    def _client(self, key: str, session: Any) -> CryptographyClient:  # noqa: ANN401 - passed on
        transport = RequestsTransport(
            session=session,
            session_owner=False,
            connection_timeout=self.timeout_seconds,
            read_timeout=self.timeout_seconds,
        )
        # The library would wait for as long as the service says, and follow it elsewhere.
        return CryptographyClient(
            key,
            _default_credential() if self.credential is None else self.credential,
            transport=transport,
            retry_total=0,
            permit_redirects=False,
        )


def wrap(
    vault: KeyVault, key: str, data: bytes, secrets: tuple[str, ...]
) -> tuple[str, bytes] | Failure:
    """Return the id of the version that was used, and the wrapped data."""

    def use(client: CryptographyClient) -> tuple[str, bytes]:
        seen = _Answers()
        result = client.wrap_key(_ALGORITHM, data, raw_response_hook=seen.see)
        return seen.used, _present(result.encrypted_key)

    return vault.call(key, use, secrets)


def unwrap(vault: KeyVault, key: str, data: bytes) -> bytes | Failure:
    """Return the data that this version of a key has wrapped."""

    def use(client: CryptographyClient) -> bytes:
        return _present(client.unwrap_key(_ALGORITHM, data).key)

    return vault.call(key, use)


def _present(data: object) -> bytes:
    """Return the data of an answer: the library takes one without any, or of another type."""
    if not isinstance(data, bytes) or not data:
        raise Failed(_NOTHING)
    return data


class _Answers:
    """What the service's answers say of the key: the library leaves it out.

    Its result names the version only if it could get the public key; and it would wrap by a public
    key that is disabled.
    """

    def __init__(self) -> None:
        self.used = ""

    def see(self, response: Any) -> None:  # noqa: ANN401 - the library's own type is generic
        answer = response.http_response
        if answer.status_code != 200:  # noqa: PLR2004 - HTTP's
            return
        said = answer.json()
        if "key" in said:
            if not said["attributes"].get("enabled", True):
                raise Failed(_DISABLED)
            said = said["key"]
        self.used = str(said["kid"])


@functools.cache
def _default_credential() -> DefaultAzureCredential:
    """Return Azure's own chain, which remembers its tokens and is safe for threads."""
    return DefaultAzureCredential()
