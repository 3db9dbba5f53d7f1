"""Data keys and their recipients: who may open a backup."""

from attrs import field, frozen
from attrs.validators import matches_re


@frozen
class Recipient:
    """A holder of a key, or a service, that can unwrap data keys. All of it is public."""

    kind: str
    """How it wraps: ``openpgp``, ``passphrase``, ``awskms``, ``vault``."""
    ref: str
    """Which one of that kind: a fingerprint, an ARN, the salt of the key ring in hexadecimal."""


@frozen
class Stanza:
    """A data key, wrapped for one recipient."""

    kind: str
    ref: str
    wrapped: str
    """The wrapped key in Base64."""


@frozen
class KeyRing:
    """The recipients of a repository's data keys, from one change to the next."""

    number: int
    """Each change gets the next number: the highest counts."""
    id: str = field(validator=matches_re(r"[0-9a-f]{32}"))
    """32 random hexadecimal digits. It enters the names of blobs, and the recipients do not: so a
    change of recipients stores no blob again."""
    recipients: tuple[Recipient, ...]


@frozen
class KeyObject:
    """A data key as it is stored: wrapped for each recipient of its ring."""

    ring: str
    stanzas: tuple[Stanza, ...]
    checksum: str = ""
    """SHA-256 of the ring and the stanzas, so that damage is found without a key."""


@frozen
class KeyContext:
    """What a wrapped key is bound to: it cannot be unwrapped for anything else."""

    repository_id: str
    key_id: str
    """The public id of the data key, 64 hexadecimal digits."""
