r"""Data keys that are wrapped for X25519 recipients of age, for keys that are kept offline.

What is stored is an age file. Its content is text: the context, and the data key in hexadecimal. So
this shows the data key::

    age --decrypt --identity IDENTITIES WRAPPED

A host that makes backups needs the recipients alone, which are public. A host that restores or
verifies needs a file with the identity of one of them. That file is read for each call.

The recipients are public, so anyone can write such a file. What tells a right data key from a
forged one is its id.
"""

import hmac
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from brownie_backup.encryptors.wrapping.failures import Failure, Kind
from brownie_backup.errors import ConfigurationError
from brownie_backup.format.wrapped_key import check_to_wrap, check_unwrapped, context_bytes
from brownie_backup.hints import KeyHint, SetupHint, StoreHint, install_command
from brownie_backup.model.keys import KeyContext, Recipient

_RECIPIENT = re.compile(r"age1[ac-hj-np-z02-9]{58}")
_IDENTITY = re.compile(r"AGE-SECRET-KEY-1[AC-HJ-NP-Z02-9]{58}")
_LAST_LINE = re.compile(rb"data-key ((?:[0-9a-f]{2})+)\n")
_MOST_WRAPPED = 1 << 16
_MOST_IDENTITIES = 1 << 20

_DAMAGED = Failure(
    "the bytes were changed, or were wrapped for other recipients",
    KeyHint.COMPARE_KEY_OBJECT,
    Kind.DAMAGED,
)
_ANOTHER_CONTEXT = Failure(
    "it was wrapped for another repository or data key", KeyHint.COMPARE_KEY_OBJECT, Kind.DAMAGED
)
_NO_FILE = Failure(
    "this host has no file of age identities", KeyHint.GIVE_AGE_IDENTITY, Kind.NOT_OURS
)
_NO_IDENTITY = Failure("there is no X25519 identity in", KeyHint.GIVE_AGE_IDENTITY)
_NOT_FOR_US = Failure(
    "none of the recipients is that of an identity in", KeyHint.GIVE_AGE_IDENTITY, Kind.NOT_OURS
)
_NO_RECIPIENT = Failure("a recipient is misspelt", KeyHint.GIVE_AGE_RECIPIENTS)


class Age:
    """Wraps data keys for recipients of age; the identity of any one opens. Thread-safe.

    Args:
        recipients: X25519 recipients, ``age1…``.
        identity_file: a file with identities, ``AGE-SECRET-KEY-1…``, as age-keygen writes it.

    Raises:
        ConfigurationError: with all problems.
    """

    def __init__(self, recipients: Sequence[str], *, identity_file: str | None = None) -> None:
        # The text is not repeated: a secret identity may have been given by mistake.
        problems = [
            f"recipient {number} is no X25519 recipient of age"
            for number, text in enumerate(recipients, 1)
            if not _RECIPIENT.fullmatch(text)
        ]
        if not recipients:
            problems = ["age needs a recipient"]
        if problems:
            raise ConfigurationError(problems, hint=KeyHint.GIVE_AGE_RECIPIENTS)
        self._recipients = tuple(sorted(set(recipients)))
        self._identity_file = identity_file

    @property
    def recipient(self) -> Recipient:
        """The recipients, sorted, joined by commas."""
        return Recipient("age", ",".join(self._recipients))

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        """Return an age file.

        Raises:
            EncryptionError: a recipient is misspelt, or pyrage is not installed.
        """
        check_to_wrap(key, context)
        result = self._wrapped(context_bytes(context) + f"data-key {key.hex()}\n".encode())
        if isinstance(result, Failure):
            raise result.encryption_error("age did not wrap the data key")
        return result

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """Return the data key in an age file.

        Raises:
            KeyMissing: this host has no identity for it.
            DecryptionError: the file of identities cannot be read.
            DamagedError: the bytes were changed, or were wrapped for another context.
        """
        result = self._unwrapped(wrapped)
        if not isinstance(result, Failure):
            expected = context_bytes(context)
            last = _LAST_LINE.fullmatch(result, len(expected))
            if hmac.compare_digest(result[: len(expected)], expected) and last:
                return check_unwrapped(bytes.fromhex(last[1].decode()), context)
            result = _ANOTHER_CONTEXT
        raise result.decryption_error("age did not unwrap the data key")

    def _wrapped(self, text: bytes) -> bytes | Failure:
        pyrage = _library()
        if isinstance(pyrage, Failure):
            return pyrage
        try:
            recipients = [pyrage.x25519.Recipient.from_str(each) for each in self._recipients]
            wrapped: bytes = pyrage.encrypt(text, recipients)
        except (pyrage.RecipientError, pyrage.EncryptError):
            return _NO_RECIPIENT
        return wrapped

    def _unwrapped(self, wrapped: bytes) -> bytes | Failure:
        pyrage = _library()
        if isinstance(pyrage, Failure):
            return pyrage
        identities = self._identities(pyrage)
        if isinstance(identities, Failure):
            return identities
        if len(wrapped) > _MOST_WRAPPED:
            return _DAMAGED
        try:
            text: bytes = pyrage.decrypt(wrapped, identities)
        except (pyrage.DecryptError, OSError, ValueError):
            # The library's words do not tell a changed file from one for others.
            ours = {str(each.to_public()) for each in identities}
            if ours.isdisjoint(self._recipients):
                return _in(_NOT_FOR_US, self._identity_file)
            return _DAMAGED
        return text

    def _identities(self, pyrage: Any) -> list[Any] | Failure:  # noqa: ANN401 - it has no types
        """Return the identities in the file as it is now."""
        if self._identity_file is None:
            return _NO_FILE
        try:
            with Path(self._identity_file).open("rb") as file:
                lines = file.read(_MOST_IDENTITIES).decode().splitlines()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            return Failure(f"'{self._identity_file}' cannot be read: {reason}", StoreHint.READ_FILE)
        texts = [line.strip() for line in lines if _IDENTITY.fullmatch(line.strip())]
        try:
            identities = [pyrage.x25519.Identity.from_str(each) for each in texts]
        except pyrage.IdentityError:  # misspelt
            identities = []
        return identities or _in(_NO_IDENTITY, self._identity_file)


def _in(failure: Failure, file: str | None) -> Failure:
    return evolve(failure, why=f"{failure.why} '{file}'")


def _library() -> Any:  # noqa: ANN401 - a module without types, or a failure
    """Return the library: it is imported when it is used."""
    try:
        import pyrage  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        package = "brownie-backup[age]"
        hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
        return Failure(f"that needs the extra {package}, which is not installed", hint)
    return pyrage
