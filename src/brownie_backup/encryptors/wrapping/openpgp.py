"""Wrapping data keys for OpenPGP public keys, by the ``gpg`` program.

The wrapped key is one OpenPGP message. Its content is text: the context, and the data key in
hexadecimal. So ``gpg --decrypt`` alone gives the data key.
"""

import re
from typing import Protocol

from brownie_backup.errors import ConfigurationError, DamagedError, EncryptionError
from brownie_backup.format.openpgp import check_message
from brownie_backup.format.wrapped_key import (
    check_to_wrap,
    check_unwrapped,
    context_bytes,
    damaged_key,
)
from brownie_backup.hints import KeyHint
from brownie_backup.model import Encryption
from brownie_backup.model.keys import KeyContext, Recipient

_BY_PUBLIC_KEY = Encryption("gpg", "public-key:")
_NO_KEY = "there is no OpenPGP key to wrap data keys for"
_LAST_LINE = re.compile(rb"data-key ([0-9a-f]{64})\n")


class OpenPGP(Protocol):
    """What `GnuPG` can do, as far as it is needed here."""

    @property
    def by_public_key(self) -> bool:
        """Whether it encrypts for keys, not by a passphrase."""
        ...

    def identity(self, salt: bytes) -> str:
        """Identify the keys by their fingerprints."""
        ...

    def encrypt(self, data: bytes) -> bytes:
        """Return an OpenPGP message."""
        ...

    def decrypt(self, data: bytes) -> bytes:
        """Return what a message contains."""
        ...


class OpenPGPWrapper:
    """Wraps for the public keys of a `GnuPG`; any one of their private keys unwraps.

    A `GnuPG` without a public key can only unwrap, with the private keys of its keyring.
    It belongs to the caller, who closes it.
    """

    def __init__(self, gnupg: OpenPGP) -> None:
        self._gnupg = gnupg

    @property
    def recipient(self) -> Recipient:
        """The fingerprints, sorted, joined by commas.

        Raises:
            ConfigurationError: there is no public key, or none that can encrypt now.
        """
        if not self._gnupg.by_public_key:
            raise ConfigurationError([_NO_KEY], hint=KeyHint.GIVE_ENCRYPTION_KEY)
        return Recipient("openpgp", self._gnupg.identity(b"").partition(":")[2])

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return a binary OpenPGP message."""
        check_to_wrap(key, context)
        if not self._gnupg.by_public_key:  # it would encrypt by the passphrase
            raise EncryptionError(_NO_KEY, hint=KeyHint.GIVE_ENCRYPTION_KEY)
        return self._gnupg.encrypt(context_bytes(context) + f"data-key {key.hex()}\n".encode())

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the key in the message. Anyone can write such a message, so its id decides."""
        try:
            check_message(wrapped, _BY_PUBLIC_KEY)
            text = self._gnupg.decrypt(wrapped)
        except DamagedError:
            raise damaged_key() from None
        expected = context_bytes(context)
        last = _LAST_LINE.fullmatch(text, len(expected))
        if not text.startswith(expected) or last is None:
            raise damaged_key()
        return check_unwrapped(bytes.fromhex(last[1].decode()), context)
