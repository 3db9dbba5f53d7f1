"""Wrapping data keys by a passphrase.

The passphrase is stretched with the salt of the key ring, once in a process. The result is a key
that wraps data keys, in the form that a blob has, with the context in place of the blob's name.
"""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict

from attrs import frozen

from brownie_backup.encryptors.keyring import check_passphrase
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    DecryptionError,
    EncryptionError,
)
from brownie_backup.format.envelope import KEY_BYTES, key_id, open_, read_header, seal
from brownie_backup.format.wrapped_key import (
    check_to_wrap,
    check_unwrapped,
    context_text,
    damaged_key,
)
from brownie_backup.hints import BackupHint, KeyHint
from brownie_backup.model.keys import KeyContext, Recipient
from brownie_backup.process.key import process_key
from brownie_backup.secret import Secret

N, R, P = 2**17, 8, 1
"""The parameters of scrypt (RFC 7914): 128 MiB, and some tenths of a second."""
KIND = "passphrase"
_MOST_MEMORY = 192 << 20
_LEAST_SALT_BYTES = 16
_REMEMBERED = 8
_NO_MEMORY = "the passphrase cannot be stretched: that needs 128 MiB of memory"


class PassphraseWrapper:
    """Wraps by a passphrase.

    Args:
        passphrase: one line of text.
        salt: that of the key ring, at least 16 bytes.

    Raises:
        ConfigurationError: there is no passphrase, or it is not one line of UTF-8.
        DamagedError: the salt is too short.
    """

    def __init__(self, passphrase: Secret, salt: bytes) -> None:
        if not passphrase:
            problem = "the passphrase is empty"
            raise ConfigurationError([problem], hint=KeyHint.CHECK_PASSPHRASE)
        check_passphrase(passphrase)
        if len(salt) < _LEAST_SALT_BYTES:
            msg = f"the salt of the key ring has {len(salt)} bytes instead of {KEY_BYTES}"
            raise DamagedError(msg)
        self._passphrase = passphrase
        self._salt = salt

    @property
    def recipient(self) -> Recipient:
        """The salt of the key ring, and the id of the stretched passphrase.

        The id tells another passphrase, such as a mistyped one, from this one. Whoever has it may
        guess passphrases as slowly as by a wrapped key.

        Raises:
            EncryptionError: there is too little memory to stretch it.
        """
        return Recipient(KIND, f"{self._salt.hex()}-{key_id(self._wrapping_key()).hex()}")

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return the key, encrypted by the stretched passphrase."""
        check_to_wrap(key, context)
        return seal(key, self._wrapping_key(), context_text(context))

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the key. A wrong passphrase is told from damage by the id in the header."""
        try:
            header = read_header(wrapped)
        except DamagedError:
            raise damaged_key() from None
        try:
            wrapping_key = _STRETCHED.get(self._passphrase, self._salt)
        except (MemoryError, ValueError):
            raise DecryptionError(_NO_MEMORY) from None
        if not hmac.compare_digest(header.key_id, key_id(wrapping_key)):
            msg = "the passphrase is not the one that the key was wrapped with"
            raise DecryptionError(msg, hint=KeyHint.CHECK_PASSPHRASE)
        try:
            key = open_(wrapped, wrapping_key, context_text(context))
        except DamagedError:
            raise damaged_key() from None
        return check_unwrapped(key, context)

    def _wrapping_key(self) -> bytes:
        try:
            return _STRETCHED.get(self._passphrase, self._salt)
        except (MemoryError, ValueError):
            raise EncryptionError(_NO_MEMORY, hint=KeyHint.NOTHING_STORED) from None


@frozen
class PassphraseSource:
    """A passphrase as it was configured; the key ring has its salt."""

    passphrase: Secret
    kind: str = KIND

    def is_for(self, recipient: Recipient) -> bool:
        """Return False: to find out, the passphrase has to be stretched."""
        del recipient
        return False

    def wrapper(self, known: Recipient | None = None) -> PassphraseWrapper:
        """Return what wraps by the passphrase, with the salt in the key ring or a new one."""
        if known is None:
            return PassphraseWrapper(self.passphrase, secrets.token_bytes(KEY_BYTES))
        try:
            salt = bytes.fromhex(known.ref.partition("-")[0])
        except ValueError:
            msg = "the key ring has no salt for the passphrase"
            raise DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY) from None
        return PassphraseWrapper(self.passphrase, salt)


class _Stretched:
    """The stretched passphrases of this process, found again without keeping the passphrases."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, passphrase: Secret, salt: bytes) -> bytes:
        """Return the key that wraps. One thread stretches at a time, so the memory is used once."""
        text = passphrase.reveal().encode()
        known_by = hmac.digest(process_key(), hashlib.sha256(salt).digest() + text, "sha256")
        with self._lock:
            if known_by not in self._known:
                self._known[known_by] = hashlib.scrypt(
                    text, salt=salt, n=N, r=R, p=P, maxmem=_MOST_MEMORY, dklen=KEY_BYTES
                )
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return self._known[known_by]


_STRETCHED = _Stretched()
