"""Findings about data keys: who can open new backups, and what this host itself can open."""

import secrets
from collections.abc import Iterator, Sequence

from brownie_backup.errors import BackupError, DecryptionError
from brownie_backup.format.envelope import KEY_BYTES, key_id
from brownie_backup.hints import KeyHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.keys import KeyContext
from brownie_backup.protocols import KeyWrapper
from brownie_backup.repository import Repository
from brownie_backup.repository.keys.envelope import Envelope
from brownie_backup.repository.keys.ring import (
    ensure_same,
    read_ring,
    recipients_of,
    wrappers_for,
)


def key_findings(repository: Repository, envelope: Envelope) -> Iterator[Finding]:
    """Wrap a data key that is used for nothing, and unwrap it, with each recipient."""
    try:
        ring = read_ring(repository.store)
        wrappers = wrappers_for(ring, envelope.sources)
        recipients = recipients_of(wrappers)
        if ring:
            ensure_same(ring, recipients)
        identity = repository.known_identity()
    except BackupError as error:
        yield Finding(Level.ERROR, "recipients", error.message, error.hint)
        return
    data_key = secrets.token_bytes(KEY_BYTES)
    context = KeyContext(identity.id if identity else "doctor", key_id(data_key).hex())
    wrapped: list[tuple[KeyWrapper, bytes]] = []
    for wrapper in wrappers:
        try:
            wrapped.append((wrapper, wrapper.wrap(data_key, context)))
        except BackupError as error:
            yield Finding(Level.ERROR, "encryption", error.message, error.hint)
        else:
            yield Finding(Level.OK, "encryption", f"encrypts for {_named(wrapper)}")
    if len(recipients) == 1:
        msg = "only one recipient can open backups: if its key is lost, they are"
        yield Finding(Level.WARNING, "recipients", msg, KeyHint.ADD_RECIPIENT)
    yield from _decryption(wrapped, context)


def _decryption(
    wrapped: Sequence[tuple[KeyWrapper, bytes]], context: KeyContext
) -> Iterator[Finding]:
    """Yield what this host can open; that it can open nothing is a warning."""
    problems: list[BackupError] = []
    opened = []
    for wrapper, key in wrapped:
        try:
            wrapper.unwrap(key, context)
        except DecryptionError as error:
            problems.append(error)
        except BackupError as error:
            yield Finding(Level.ERROR, "decryption", error.message, error.hint)
        else:
            opened.append(_named(wrapper))
    if opened:
        yield Finding(Level.OK, "decryption", f"decrypts as {', '.join(opened)}")
    elif problems:
        why = problems[0]
        msg = f"this host cannot decrypt: {why.message}; that is fine if it only makes backups"
        yield Finding(Level.WARNING, "decryption", msg, why.hint)


def _named(wrapper: KeyWrapper) -> str:
    return f"{wrapper.recipient.kind}:{wrapper.recipient.ref}"
