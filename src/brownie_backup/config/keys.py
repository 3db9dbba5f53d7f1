"""From the settings to the recipients of data keys. Key services are asked when a key is used."""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import KeyHint
from brownie_backup.protocols import Encryptor, KeySource
from brownie_backup.secret import Secret

if TYPE_CHECKING:
    from brownie_backup.config.settings import Settings


@frozen
class KeysOfSettings:
    """The OpenPGP keys that the settings name, in a keyring that is opened when it is needed."""

    encryptor: Encryptor
    by_public_key: bool

    def identity(self, salt: bytes) -> str:
        """Identify the keys by their fingerprints."""
        return self.encryptor.identity(salt)

    def encrypt(self, data: bytes) -> bytes:
        """Return an OpenPGP message."""
        return self.encryptor.encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        """Return what a message contains."""
        return self.encryptor.decrypt(data)


def make_sources(settings: "Settings", keys: KeysOfSettings) -> tuple[KeySource, ...]:
    """Return the recipients that the settings name, in their order.

    No message repeats what was named: it may be a secret by mistake.

    Raises:
        ConfigurationError: one has not the form of a recipient, or lacks a setting.
    """
    return tuple(_make(settings, each, keys) for each in settings.key_recipients)


def usable_sources(settings: "Settings", keys: KeysOfSettings) -> tuple[KeySource, ...]:
    """Return the recipients that this host has the settings for, to decrypt with."""
    sources = []
    for each in settings.key_recipients:
        with contextlib.suppress(ConfigurationError):  # a backup says what is wrong
            sources.append(_make(settings, each, keys))
    return tuple(sources)


def _make(settings: "Settings", named: str, keys: KeysOfSettings) -> KeySource:
    kind, _, ref = named.partition(":")
    make = _MAKERS.get(kind)
    if make is None:
        number, known = settings.key_recipients.index(named) + 1, ", ".join(_MAKERS)
        problem = f"the kind of recipient {number} in BACKUP_KEY_RECIPIENTS is none of: {known}"
        raise ConfigurationError([problem], hint=KeyHint.RECIPIENT_FORM)
    return make(settings, ref, keys)


def sources_at_hand(keys: KeysOfSettings, passphrase: Secret | None) -> tuple[KeySource, ...]:
    """Return what can unwrap data keys, if no recipients are named."""
    from brownie_backup.encryptors.wrapping.given import GivenSource
    from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper
    from brownie_backup.encryptors.wrapping.passphrase import PassphraseSource

    by_key = GivenSource("openpgp", OpenPGPWrapper(keys))
    return (by_key, PassphraseSource(passphrase)) if passphrase else (by_key,)


def _openpgp(_: "Settings", ref: str, keys: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.given import GivenSource
    from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper

    _refuse_ref("openpgp", ref)
    return GivenSource("openpgp", OpenPGPWrapper(keys))


def _passphrase(settings: "Settings", ref: str, _: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.passphrase import PassphraseSource

    _refuse_ref("passphrase", ref)
    if not settings.passphrase:
        problem = "BACKUP_KEY_RECIPIENTS names a passphrase, and there is none"
        raise ConfigurationError([problem], hint=KeyHint.CHECK_PASSPHRASE)
    return PassphraseSource(settings.passphrase)


def _awskms(_: "Settings", ref: str, __: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.awskms import AwsKms
    from brownie_backup.encryptors.wrapping.given import GivenSource

    return GivenSource("awskms", AwsKms(ref))


def _gcpkms(_: "Settings", ref: str, __: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.gcpkms import GcpKms
    from brownie_backup.encryptors.wrapping.given import GivenSource

    return GivenSource("gcpkms", GcpKms(ref))


def _azurekv(_: "Settings", ref: str, __: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.azurekv import AzureKeyVault
    from brownie_backup.encryptors.wrapping.given import GivenSource

    return GivenSource("azurekv", AzureKeyVault(ref))


def _age(settings: "Settings", ref: str, _: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.age import Age
    from brownie_backup.encryptors.wrapping.given import GivenSource

    return GivenSource("age", Age([ref], identity_file=settings.age_identity_file))


def _vault(settings: "Settings", ref: str, _: KeysOfSettings) -> KeySource:
    from brownie_backup.encryptors.wrapping.given import GivenSource
    from brownie_backup.encryptors.wrapping.vault import Vault

    if not settings.vault_address:
        problem = "BACKUP_KEY_RECIPIENTS names a key in Vault, and BACKUP_VAULT_ADDRESS is not set"
        raise ConfigurationError([problem], hint=KeyHint.VAULT_SETTINGS)
    mount, _slash, key = ref.rpartition("/")
    vault = Vault(
        settings.vault_address,
        key,
        mount=mount or "transit",
        token=settings.vault_token,
        namespace=settings.vault_namespace or "",
        ca_file=settings.vault_ca_file,
    )
    return GivenSource("vault", vault)


def _refuse_ref(kind: str, ref: str) -> None:
    if ref:
        problem = f"{kind} in BACKUP_KEY_RECIPIENTS takes its key from other variables"
        raise ConfigurationError([problem], hint=KeyHint.RECIPIENT_FORM)


_MAKERS: Mapping[str, Callable[["Settings", str, KeysOfSettings], KeySource]] = {
    "openpgp": _openpgp,
    "passphrase": _passphrase,
    "awskms": _awskms,
    "gcpkms": _gcpkms,
    "azurekv": _azurekv,
    "vault": _vault,
    "age": _age,
}
