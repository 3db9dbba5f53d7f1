"""A toy that wraps data keys, and its source."""
# ruff: noqa: D102 - the methods are those of the protocol

import hmac
import time

from attrs import field, frozen

from brownie_backup.encryptors.wrapping.given import GivenSource
from brownie_backup.errors import DecryptionError, EncryptionError, KeyMissing
from brownie_backup.format.envelope import key_id
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyContext, Recipient


@frozen(eq=False)
class Toy:
    """Wraps by a mask; counts its calls. Without the secret it can wrap, as with a public key."""

    ref: str
    secret: bytes = field(default=b"secret", repr=False)
    kind: str = "toy"
    unwraps: bool = True
    wraps: bool = True
    calls: list[str] = field(factory=list)
    at_once: list[int] = field(factory=list)

    @property
    def recipient(self) -> Recipient:
        return Recipient(self.kind, self.ref)

    def wrap(self, key: bytes, context: KeyContext) -> bytes:
        if not self.wraps:
            raise EncryptionError("it was refused", hint=KeyHint.NOTHING_STORED)
        return self._mask(key, context)

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        self.calls.append(context.key_id)
        self.at_once.append(self.at_once[-1] + 1 if self.at_once else 1)
        time.sleep(0.01)
        self.at_once.append(self.at_once[-1] - 1)
        if not self.unwraps:
            raise KeyMissing("there is no key", hint=KeyHint.GIVE_PRIVATE_KEY)
        key = self._mask(wrapped, context)
        if key_id(key).hex() != context.key_id:
            raise DecryptionError("it is the wrong key", hint=KeyHint.GIVE_PRIVATE_KEY)
        return key

    def _mask(self, key: bytes, context: KeyContext) -> bytes:
        text = f"{self.ref} {context.repository_id} {context.key_id}"
        mask = hmac.digest(self.secret, text.encode(), "sha256")
        return bytes(a ^ b for a, b in zip(key, mask, strict=True))


def given(*wrappers: Toy) -> tuple[GivenSource, ...]:
    """Return the sources of some toys."""
    return tuple(GivenSource(wrapper.kind, wrapper) for wrapper in wrappers)
