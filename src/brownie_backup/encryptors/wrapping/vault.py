r"""Data keys that the transit engine of HashiCorp Vault or OpenBao wraps, by one call a run.

The key never leaves the server. It must be of the type ``aes256-gcm96`` (the default) and neither
derived nor convergent. Vault before 1.13 ignores the context that a data key is bound to; every
OpenBao knows it. What is stored is the server's ciphertext, ``vault:v1:…``; this opens it::

    context='brownie-backup/wrapped-key/1\nrepository %s\nkey %s\n'
    vault write -field=plaintext transit/decrypt/KEY ciphertext="$(cat WRAPPED)" \
        associated_data="$(printf "$context" REPOSITORY KEY_ID | base64 -w0)"

The rights that the token's policy needs, for the mount ``transit`` and the key ``backups``:

* ``update`` on ``transit/encrypt/backups`` on a host that makes backups
  (``examples/keys/vault-encrypt-only.hcl``). Do not add ``create``: with it, the server makes a new
  key for a name that is misspelt;
* ``update`` on ``transit/decrypt/backups`` on a host that restores or verifies them;
* ``read`` on ``auth/token/lookup-self``, which Vault's policy ``default`` has: without it, a host
  that has no right to decrypt cannot be told from one whose token has expired.

Leave the key's ``deletion_allowed`` off, and its ``min_decryption_version`` at the version that the
oldest backup needs: a rotated key goes on to open what its older versions have encrypted.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlsplit

from brownie_backup.encryptors.wrapping.base64_text import decoded, encoded
from brownie_backup.encryptors.wrapping.failures import Failed, Failure, Kind
from brownie_backup.encryptors.wrapping.loopback import is_loopback
from brownie_backup.encryptors.wrapping.vault_calls import WAITS_SECONDS, Server
from brownie_backup.errors import ConfigurationError
from brownie_backup.format.wrapped_key import check_to_wrap, check_unwrapped, context_bytes
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.secret import Secret

_NAME = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
_CIPHERTEXT = re.compile(r"vault:v[1-9][0-9]{0,8}:([A-Za-z0-9+/]+={0,2})")
_PRINTABLE = re.compile(r"[!-~]+")
_MOST_WRAPPED = 1 << 16

_NOT_WRAPPED = Failure(
    "the bytes are not what the transit engine returns", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)
_NO_TRANSIT = Failure("the answer is not one of the transit engine", KeyHint.CHECK_VAULT_ADDRESS)


class Vault:
    """Wraps data keys by a key of a transit engine. Thread-safe: it keeps nothing between calls.

    Args:
        address: ``https://vault.example.com:8200``; ``http://`` only for this host.
        key: the name of the key.
        mount: where the transit engine is mounted.
        token: a token of the server.
        token_file: a file with a token, which is read for each call: an agent may renew it.
        namespace: the namespace, if the server has several.
        ca_file: certificates of the authorities to trust, instead of the system's.
        timeout_seconds: for a connection, and then for each part of an answer.
        waits_seconds: pauses before a call is repeated that got no answer, or not yet.

    Raises:
        ConfigurationError: with all problems.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        mount: str = "transit",
        token: Secret | None = None,
        token_file: str | None = None,
        namespace: str = "",
        ca_file: str | None = None,
        timeout_seconds: float = 10,
        waits_seconds: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        mount = mount.strip("/")
        problems = [
            *_address_problems(address),
            *_name_problems(mount, key, namespace),
            *_token_problems(token, token_file),
        ]
        if problems:
            raise ConfigurationError(problems, hint=KeyHint.VAULT_SETTINGS)
        self._mount, self._key = mount, key
        self._server = Server(
            address.rstrip("/"),
            token=token,
            token_file=token_file,
            namespace=namespace.strip("/"),
            ca_file=ca_file,
            timeout_seconds=timeout_seconds,
            waits_seconds=tuple(waits_seconds),
        )

    @property
    def recipient(self) -> Recipient:
        """The key: its mount and its name."""
        return Recipient("vault", f"{self._mount}/{self._key}")

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return `key` encrypted by the server.

        Raises:
            EncryptionError: the server refused, or was out of reach.
        """
        check_to_wrap(key, context)
        fields = {"plaintext": encoded(key), "associated_data": _bound(context)}
        result = self._call("encrypt", fields, "ciphertext", (fields["plaintext"], key.hex()))
        if isinstance(result, str):
            wrapped = result.encode()
            if _is_wrapped(wrapped):
                return wrapped
            result = _NO_TRANSIT
        raise result.encryption_error(f"{self._what} did not encrypt the data key")

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key, decrypted by the server.

        Raises:
            KeyMissing: the token has no right to decrypt.
            DecryptionError: the server refused, was sealed or was out of reach.
            DamagedError: the bytes were changed, or were wrapped for another context.
        """
        result: str | Failure = _NOT_WRAPPED
        if _is_wrapped(wrapped):
            fields = {"ciphertext": wrapped.decode(), "associated_data": _bound(context)}
            result = self._call("decrypt", fields, "plaintext")
        if isinstance(result, str):
            data = decoded(result)
            if data:
                return check_unwrapped(data, context)
            result = _NO_TRANSIT
        raise result.decryption_error(f"{self._what} did not decrypt the data key")

    @property
    def _what(self) -> str:
        return f"'{self._mount}/{self._key}' at {self._server.address}"

    def _call(
        self, verb: str, fields: Mapping[str, str], wanted: str, secrets: tuple[str, ...] = ()
    ) -> str | Failure:
        """Return a field of the server's answer, or why there is none."""
        path = f"{quote(self._mount)}/{verb}/{quote(self._key)}"
        try:
            answer = self._server.post(path, json.dumps(fields).encode(), secrets)
            data = answer.get("data")
            value = data.get(wanted) if isinstance(data, dict) else None
            return value if isinstance(value, str) and value else _NO_TRANSIT
        except Failed as failed:
            return failed.failure


def _bound(context: KeyContext) -> str:
    """Return the associated data: the lines that a wrapped key is bound to."""
    return encoded(context_bytes(context))


def _is_wrapped(wrapped: bytes) -> bool:
    """Whether the bytes have the server's form: it would take some others for the same."""
    form = _CIPHERTEXT.fullmatch(wrapped.decode("latin-1"))
    return len(wrapped) <= _MOST_WRAPPED and form is not None and bool(decoded(form[1]))


def _address_problems(address: str) -> Iterator[str]:
    """Yield why an address is invalid; never the address, which may hold a secret."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        yield "the address of Vault is not a URL"
        return
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        yield "the address of Vault does not begin with https:// and a host"
    elif parts.scheme == "http" and not is_loopback(parts.hostname):
        yield "the address of Vault begins with http://, which is for this host alone"
    if parts.username is not None or parts.password is not None:
        yield "the address of Vault has a user in it"
    if parts.query or parts.fragment or not _PRINTABLE.fullmatch(address):
        yield "the address of Vault has more than an address in it"


def _name_problems(mount: str, key: str, namespace: str) -> Iterator[str]:
    if not all(_NAME.fullmatch(part) for part in mount.split("/")):
        yield "the mount of the transit engine is not the path of a mount"
    if not _NAME.fullmatch(key):
        yield "the transit key is not the name of a key"
    if namespace and not _PRINTABLE.fullmatch(namespace):
        yield "the namespace has a space in it, or a character that no namespace has"


def _token_problems(token: Secret | None, token_file: str | None) -> Iterator[str]:
    if bool(token) == bool(token_file):
        yield "Vault needs a token or the file of one, and not both"
    if token and not _PRINTABLE.fullmatch(token.reveal()):
        yield "the token for Vault has a space in it, or a character that no token has"
