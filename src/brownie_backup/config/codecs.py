"""From the settings to codecs: those that write new blobs, and those that can read old ones."""

from typing import TYPE_CHECKING

from brownie_backup.config.keys import (
    KeysOfSettings,
    make_sources,
    sources_at_hand,
    usable_sources,
)
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import KeyHint
from brownie_backup.repository import Codecs, EncryptorOnDemand
from brownie_backup.repository.keys.envelope import Envelope

if TYPE_CHECKING:
    from brownie_backup.config.settings import Settings
    from brownie_backup.encryptors import GnuPG
    from brownie_backup.protocols import Compressor

NO_KEY_HINT = (
    "Choose one of three: BACKUP_GPG_RECIPIENTS=<key in your keyring>, "
    "BACKUP_GPG_PUBLIC_KEY_FILE=<armoured public key>, or BACKUP_PASSPHRASE_FILE=<file with a "
    "passphrase>. 'brownie-backup keygen' makes a key pair"
)


def known_compressors(first: str) -> "tuple[Compressor, ...]":
    """Return all compressors, the named one first."""
    from brownie_backup.compressors import Gzip, Uncompressed, Zstd

    known: tuple[Compressor, ...] = (Zstd(), Gzip(), Uncompressed())
    return tuple(sorted(known, key=lambda compressor: compressor.name != first))


def make_compressors(settings: "Settings") -> "tuple[Compressor, ...]":
    """Return all compressors, the one for new backups first."""
    return known_compressors(settings.compression)


def check_key(settings: "Settings") -> None:
    """Refuse to make backups without a key, unless encryption is off.

    Raises:
        ConfigurationError: there is none; or a recipient lacks a setting, or has another form.
    """
    if settings.encryption and not settings.has_key:
        raise ConfigurationError(["encryption is on, but no key is given"], hint=NO_KEY_HINT)
    if settings.key_recipients and not settings.encryption:
        problem = "BACKUP_ENCRYPTION is off, and BACKUP_KEY_RECIPIENTS names recipients"
        raise ConfigurationError([problem], hint=KeyHint.TURN_ON_ENCRYPTION)
    make_sources(settings, _keys(settings, EncryptorOnDemand("gpg", lambda: _make_gpg(settings))))


def keys_of(settings: "Settings") -> tuple[object, ...]:
    """Return the keys of the settings, to compare them with others."""
    public = (settings.gpg_recipients, settings.gpg_public_key, settings.key_recipients)
    vault = (settings.vault_address, settings.vault_token, settings.vault_namespace)
    secret = (settings.gpg_private_key, settings.passphrase)
    return (*public, *vault, settings.vault_ca_file, settings.age_identity_file, *secret)


def make_codecs(settings: "Settings") -> Codecs:
    """Return the codecs that the settings choose for new blobs, and those that read any blob.

    An old backup may use another encryption method than new ones: the configured keys are used for
    those too. gpg does not run until a blob needs it. Callers that write call `check_key` first.
    """
    from brownie_backup.encryptors import Cleartext

    compressor, *others = make_compressors(settings)
    gpg = EncryptorOnDemand("gpg", lambda: _make_gpg(settings))
    keys = _keys(settings, gpg)
    sources = usable_sources(settings, keys) or sources_at_hand(keys, settings.passphrase)
    if not settings.encryption:
        return Codecs(compressor, Cleartext(), tuple(others), (gpg,), key_sources=sources)
    envelope = Envelope(sources) if settings.key_recipients else None
    return Codecs(compressor, gpg, tuple(others), envelope=envelope, key_sources=sources)


def _keys(settings: "Settings", gpg: EncryptorOnDemand) -> KeysOfSettings:
    named = settings.gpg_recipients or settings.gpg_public_key or settings.gpg_private_key
    return KeysOfSettings(gpg, by_public_key=bool(named))


def _make_gpg(settings: "Settings") -> "GnuPG":
    from brownie_backup.encryptors import GnuPG

    return GnuPG(
        recipients=settings.gpg_recipients,
        public_key=settings.gpg_public_key,
        private_key=settings.gpg_private_key,
        passphrase=settings.passphrase,
    )
