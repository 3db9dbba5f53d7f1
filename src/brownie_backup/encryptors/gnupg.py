"""OpenPGP encryption by the ``gpg`` program: for public keys, or by a passphrase.

The result is plain OpenPGP, so ``gpg --decrypt`` alone gives the data back.
"""

import hashlib
import io
import re
import threading
from collections.abc import Sequence
from typing import Self

from brownie_backup.encryptors.keyring import (
    STRONGEST,
    Keyring,
    as_line,
    check_passphrase,
    open_gpg,
    usable_fingerprints,
)
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
    KeyMissing,
)
from brownie_backup.hints import KeyHint
from brownie_backup.secret import Secret

# The plaintext is compressed already; a second pass would cost six times the encryption.
_PLAIN = ["--compress-algo", "none", "--cipher-algo", "AES256", "--no-emit-version"]
_STRETCH = ["--s2k-mode", "3", "--s2k-digest-algo", "SHA512", "--s2k-count", str(STRONGEST)]
# The agent stretches the passphrase of a private key for each blob, one after the other, which
# would decide how long a restore takes. The stretching protects only the copy of the key beside
# this process, which has the passphrase as well, in a folder for our user alone.
_COPY_STRETCH = 1_000_000
# Without it, the agent would answer a wrong passphrase with the right one from a moment ago.
_NO_CACHE = ["--no-symkey-cache"]


class GnuPG:
    """Encrypts for public keys when any is given, else by the passphrase.

    Args:
        recipients: key ids, fingerprints or addresses of keys in the caller's keyring.
        public_key: an armoured public key, used in addition.
        private_key: an armoured private key, to decrypt with (and to encrypt for, if no other
            recipient is given). Without it, private keys in the caller's keyring are used: those
            of `recipients` and of `public_key`, or any if there is no passphrase either.
        passphrase: of the private key; or, if there is no key to encrypt for, the only secret of
            the backups.
        home: the caller's keyring, when it isn't gpg's default.

    Keys that are given as text live in a private keyring in a temporary folder until `close`.
    """

    def __init__(
        self,
        *,
        recipients: Sequence[str] = (),
        public_key: str | None = None,
        private_key: Secret | None = None,
        passphrase: Secret | None = None,
        home: str | None = None,
    ) -> None:
        check_passphrase(passphrase)
        self._recipients = tuple(recipients)
        self._public_key = public_key
        self._private_key = private_key
        self._passphrase = passphrase
        self._home = home
        self._keyring = Keyring(stretch=_COPY_STRETCH)
        self._lock = threading.Lock()
        self._fingerprints: tuple[str, ...] | None = None
        self._named: frozenset[str] | None = None
        self._known: dict[bytes, bytes] = {}

    @property
    def method(self) -> str:
        """Its name in the manifest."""
        return "gpg"

    @property
    def by_public_key(self) -> bool:
        """Whether this encrypts for keys, not by the passphrase."""
        return bool(self._recipients or self._public_key or self._private_key)

    def identity(self, salt: bytes) -> str:
        """Identify the keys by their fingerprints, or the passphrase by a slow, salted hash."""
        if self.by_public_key:
            return "public-key:" + ",".join(self._keys())
        return f"passphrase:{self._stretched(salt)[:16].hex()}"

    def mac_key(self, salt: bytes) -> bytes | None:
        """Return a key derived from the passphrase; None if the key to encrypt with is public."""
        return None if self.by_public_key else self._stretched(salt)[32:]

    def _stretched(self, salt: bytes) -> bytes:
        """Return 64 bytes of the passphrase: a published half, and a half that stays secret."""
        with self._lock:
            if salt not in self._known:
                # As slow to guess as gpg's own derivation from the passphrase in every blob.
                self._known[salt] = hashlib.scrypt(
                    self._need_passphrase().reveal().encode(),
                    salt=salt,
                    n=2**14,
                    r=8,
                    p=2,
                    dklen=64,
                )
            return self._known[salt]

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` as a binary OpenPGP message, AES-256, integrity protected."""
        recipients, passphrase, extra = None, None, _PLAIN
        if self.by_public_key:
            recipients = list(self._keys())
        else:
            passphrase = as_line(self._need_passphrase())
            extra = [*_PLAIN, *_STRETCH, *_NO_CACHE]
        try:
            result = open_gpg(self._keyring.path()).encrypt_file(
                io.BytesIO(data),
                recipients,
                symmetric=False if self.by_public_key else "AES256",
                passphrase=passphrase,
                always_trust=True,
                armor=False,
                extra_args=extra,
            )
        except OSError as error:  # gpg ended before it had read everything
            raise _encryption_error(str(error.strerror)) from None
        if not result.ok or result.returncode != 0 or len(result.data) <= len(data):
            raise _encryption_error(str(result.status or ""))
        return bytes(result.data)

    def decrypt(self, data: bytes) -> bytes:
        """Return the plaintext; only after gpg has said that it is whole and unchanged."""
        if self._private_key:
            self._import_private_key()
            return self._decrypt(data, self._keyring.path())
        if self._passphrase and not self.by_public_key:
            return self._decrypt(data, self._keyring.path())
        named = self._named_keys() if self.by_public_key else None
        return self._decrypt(data, self._home, named)

    def _decrypt(self, data: bytes, home: str | None, named: frozenset[str] | None = None) -> bytes:
        # An uncompressed message is longer than its content, so this stops a crafted bomb.
        limit = ["--max-output", str(max(len(data), 1))]
        try:
            result = open_gpg(home).decrypt_file(
                io.BytesIO(data),
                always_trust=True,
                passphrase=as_line(self._passphrase) if self._passphrase else None,
                extra_args=[*limit, *_NO_CACHE],
            )
        except OSError:  # gpg ended before it had read everything
            msg = "the bytes are not an OpenPGP message that gpg reads to its end"
            raise DamagedError(msg) from None
        status = getattr(result, "stderr", None) or ""
        if result.ok and result.returncode == 0 and "DECRYPTION_OKAY" in status:
            if named is not None:
                _refuse_others(status, named)
            return bytes(result.data)
        error = _decryption_error(status, str(result.status or ""))
        raise error if isinstance(error, DamagedError) else self._about_keys(error, status)

    def _about_keys(self, error: DecryptionError, status: str) -> DecryptionError:
        """Tell that no key was given from one that does not open the bytes."""
        if self._private_key and isinstance(error, KeyMissing):
            msg = "the private key that was given does not open these backups"
            return DecryptionError(msg, hint=KeyHint.GIVE_PRIVATE_KEY)
        if "NEED_PASSPHRASE_SYM" in status and not self._passphrase:
            msg = "there is no passphrase here for these backups"
            return KeyMissing(msg, hint=KeyHint.CHECK_PASSPHRASE)
        if "pkdecrypt_failed" in status and not self._passphrase and not self._private_key:
            msg = "the private key in the keyring is locked, and no passphrase is here"
            return KeyMissing(msg, hint=KeyHint.GIVE_PRIVATE_KEY)
        return error

    def close(self) -> None:
        """Remove the private keyring and end its agent."""
        with self._lock:
            self._keyring.close()
            self._fingerprints = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _need_passphrase(self) -> Secret:
        if not self._passphrase:
            msg = "encryption is on, but there is no key and no passphrase to encrypt with"
            raise EncryptionError(msg, hint=KeyHint.GIVE_ENCRYPTION_KEY)
        return self._passphrase

    def _keys(self) -> tuple[str, ...]:
        """Return the fingerprints to encrypt for, with the keys in the private keyring."""
        with self._lock:
            if self._fingerprints is None:
                self._fingerprints = self._gather_keys()
            return self._fingerprints

    def _gather_keys(self) -> tuple[str, ...]:
        texts = [self._public_key] if self._public_key else []
        if self._recipients:
            caller = open_gpg(self._home)
            for recipient in self._recipients:
                (fingerprint,) = usable_fingerprints(caller, recipient)
                texts.append(caller.export_keys(fingerprint))
        if not texts and self._private_key:
            texts.append(self._private_key.reveal())
        own = open_gpg(self._keyring.path())
        imported = [f for text in texts for f in own.import_keys(text).fingerprints if f]
        if not imported:
            msg = "the key to encrypt for contains no OpenPGP key"
            raise ConfigurationError([msg], hint=KeyHint.GIVE_ARMOURED_KEY)
        usable = {usable_fingerprints(own, fingerprint) for fingerprint in imported}
        return tuple(sorted(fingerprint for (fingerprint,) in usable))

    def _named_keys(self) -> frozenset[str]:
        """Return the fingerprints of the keys that were named, expired ones too.

        The caller's keyring may have more keys. Anyone could forge a backup for one of those.
        """
        with self._lock:
            if self._named is None:
                text = self._public_key
                given = (
                    open_gpg(self._keyring.path()).import_keys(text).fingerprints if text else ()
                )
                caller = open_gpg(self._home)
                found = (key for name in self._recipients for key in caller.list_keys(keys=name))
                self._named = frozenset({*given, *(key["fingerprint"] for key in found)})
            return self._named

    def _import_private_key(self) -> None:
        if not self._private_key:
            return
        with self._lock:
            if not self._keyring.has_private_key:
                result = open_gpg(self._keyring.path()).import_keys(self._private_key.reveal())
                if not result.sec_read:
                    msg = "the private key that was given contains no OpenPGP private key"
                    raise DecryptionError(msg, hint=KeyHint.GIVE_ARMOURED_PRIVATE_KEY)
                self._keyring.has_private_key = True


def _refuse_others(status: str, named: frozenset[str]) -> None:
    """Raise `KeyMissing` if gpg used a key that was not named, or does not say which it used."""
    if "[GNUPG:] ENC_TO " not in status:
        return
    used = re.search(r"^\[GNUPG:\] DECRYPTION_KEY \S+ (\S+)", status, re.MULTILINE)
    if used is None or used[1] not in named:
        key = f" ({used[1]})" if used else ""
        msg = f"these backups are encrypted for a key in your keyring{key} that no setting names"
        raise KeyMissing(msg, hint=KeyHint.NAME_KEY)


def _encryption_error(why: str) -> EncryptionError:
    msg = f"gpg did not encrypt: {why or 'no reason given'}"
    return EncryptionError(msg, hint=KeyHint.NOTHING_STORED)


def _decryption_error(status: str, summary: str) -> DecryptionError | DamagedError:
    """Tell a missing or wrong key from damage, by gpg's status lines (GnuPG's doc/DETAILS)."""
    if "BADMDC" in status or "GOODMDC" in status or "mangled" in status:
        msg = "the bytes were changed since they were encrypted"
        return DamagedError(msg)
    if "BAD_PASSPHRASE" in status or "Bad passphrase" in status:
        msg = "the passphrase is wrong"
        return DecryptionError(msg, hint=KeyHint.CHECK_PASSPHRASE)
    if "NO_SECKEY" in status:
        msg = "there is no private key here for these backups"
        return KeyMissing(msg, hint=KeyHint.GIVE_PRIVATE_KEY)
    if "NEED_PASSPHRASE_SYM" in status or "Bad session key" in status:
        # Without a plaintext to compare with, gpg can't tell a wrong passphrase from a changed
        # first packet; the passphrase is by far the likelier.
        msg = "the passphrase is wrong or missing"
        return DecryptionError(msg, hint=KeyHint.CHECK_PASSPHRASE)
    if "DECRYPTION_INFO" in status or "NODATA" in status or "UNEXPECTED" in status:
        msg = "the bytes are not a whole OpenPGP message"
        return DamagedError(msg)
    msg = f"gpg could not decrypt: {summary or 'no reason given'}"
    return DecryptionError(msg, hint=KeyHint.GIVE_PRIVATE_KEY)
