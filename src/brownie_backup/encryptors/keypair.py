"""Making a key pair for backups."""

import gnupg
from attrs import frozen

from brownie_backup.encryptors.keyring import Keyring, as_line, check_passphrase, open_gpg
from brownie_backup.errors import ConfigurationError, EncryptionError
from brownie_backup.hints import KeyHint
from brownie_backup.secret import Secret


@frozen
class KeyPair:
    """Armoured keys. The private one opens every backup that is encrypted for the public one."""

    fingerprint: str
    public: str
    private: Secret


def make_key_pair(name: str, passphrase: Secret | None = None) -> KeyPair:
    """Make an Ed25519/Curve25519 pair that never expires: a backup may be needed in ten years.

    Raises:
        ConfigurationError: gpg would change the passphrase.
        EncryptionError: gpg could not make it.
    """
    check_passphrase(passphrase)
    if passphrase and passphrase.reveal() != passphrase.reveal().strip():
        problem = "the passphrase of a key cannot begin or end with a space"
        raise ConfigurationError([problem], hint=KeyHint.PASSPHRASE_WITHOUT_SPACES)
    keyring = Keyring()
    try:
        gpg = open_gpg(keyring.path())
        protection = {"passphrase": as_line(passphrase)} if passphrase else {"no_protection": True}
        request = gpg.gen_key_input(
            key_type="EDDSA",
            key_curve="ed25519",
            subkey_type="ECDH",
            subkey_curve="cv25519",
            name_real=name,
            name_email="backup@localhost",
            expire_date=0,
            **protection,
        )
        made = gpg.gen_key(request)
        if not made.fingerprint:
            msg = f"gpg made no key: {made.status or 'no reason given'}"
            raise EncryptionError(msg, hint=KeyHint.PLAIN_KEY_NAME)
        return _export(gpg, str(made.fingerprint), passphrase)
    finally:
        keyring.close()


def _export(gpg: gnupg.GPG, fingerprint: str, passphrase: Secret | None) -> KeyPair:
    private = gpg.export_keys(
        fingerprint,
        secret=True,
        passphrase=as_line(passphrase) if passphrase else None,
        expect_passphrase=bool(passphrase),
    )
    if not private:
        msg = "gpg did not export the private key that it made"
        raise EncryptionError(msg, hint=KeyHint.CHECK_PASSPHRASE)
    return KeyPair(fingerprint, gpg.export_keys(fingerprint), Secret(private))
