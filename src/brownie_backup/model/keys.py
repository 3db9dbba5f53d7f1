"""Data keys: for which recipient one is wrapped, and what the wrapped key is bound to."""

from attrs import frozen


@frozen
class Recipient:
    """A key that can open backups: its kind, and a public text that names it."""

    kind: str
    ref: str


@frozen
class KeyContext:
    """What a wrapped data key is bound to: it opens in no other repository, and as no other key."""

    repository_id: str
    key_id: str
