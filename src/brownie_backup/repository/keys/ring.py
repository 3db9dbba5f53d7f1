"""The key ring: for which recipients a repository's data keys are wrapped.

Each change is an object of its own, with the next number, created if it is absent: so one of two
changes at once wins. Nothing in the store says which recipients are right. A host compares the
ring with its own settings, and refuses to make backups if they differ: a ring that somebody else
has put there can stop backups, and opens none.
"""

import contextlib
import secrets
from collections.abc import Iterable, Iterator

from attrs import evolve

from brownie_backup.errors import ConfigurationError, DamagedError, KeyExists, KeyNotFound
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import KEY_RINGS, key_ring_in, key_ring_key
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyRing, Recipient
from brownie_backup.protocols import KeySource, KeyWrapper, ObjectUse, Store, get_object

_TOO_MANY = 10**12
"""A number with more digits than others would be in another order."""


def read_ring(store: Store) -> KeyRing | None:
    """Return the current key ring of a store, or None if it has none.

    A change that cannot be read does not count, if there is one before it: the ring is compared
    with the settings anyway.

    Raises:
        DamagedError: no change can be read.
    """
    problem: DamagedError | None = None
    for number in sorted(_numbers(store), reverse=True):
        key = key_ring_key(number)
        try:
            return from_json(get_object(store, key), KeyRing, key)
        except KeyNotFound:
            continue
        except DamagedError as error:
            problem = problem or error
    if problem:
        raise problem
    return None


def _numbers(store: Store) -> Iterator[int]:
    numbers = (key_ring_in(found.key) for found in store.list(KEY_RINGS))
    return (number for number in numbers if number is not None and number < _TOO_MANY)


def add_ring(store: Store, ring: KeyRing) -> KeyRing:
    """Make a change of the key ring; return the change with that number, which may be another's."""
    key = key_ring_key(ring.number)
    with contextlib.suppress(KeyExists):
        store.put(key, to_json(ring), if_absent=True, use=ObjectUse.BACKUP)
    return from_json(get_object(store, key), KeyRing, key)


def wrappers_for(ring: KeyRing | None, sources: Iterable[KeySource]) -> tuple[KeyWrapper, ...]:
    """Return what wraps for the configured recipients, as they are in the ring if there is one."""
    known = {each.kind: each for each in ring.recipients} if ring else {}
    return tuple(source.wrapper(known.get(source.kind)) for source in sources)


def ensure_ring(
    store: Store, sources: Iterable[KeySource], ring: KeyRing | None = None
) -> tuple[KeyRing, tuple[KeyWrapper, ...]]:
    """Return the key ring, and what wraps for its recipients.

    The first backup makes the ring, of the configured recipients.

    Args:
        store: where a ring is made, if there is none.
        sources: the configured recipients.
        ring: the current one, if there is one.

    Raises:
        ConfigurationError: its recipients are not the configured ones.
    """
    sources = tuple(sources)
    wrappers = wrappers_for(ring, sources)
    if ring is None:
        ring = add_ring(store, KeyRing(1, secrets.token_hex(16), recipients_of(wrappers)))
        # Another host may have made it at the same moment, with another salt for the passphrase.
        wrappers = wrappers_for(ring, sources)
    ensure_same(ring, recipients_of(wrappers))
    return ring, wrappers


def adopt_ring(store: Store, ring: KeyRing) -> None:
    """Make the ring of another store that of this one, too.

    Raises:
        ConfigurationError: it has a ring with other recipients: other hosts may make backups to it.
    """
    there = read_ring(store)
    if there and there.id == ring.id and there.recipients == ring.recipients:
        return
    if there:
        ensure_same(there, ring.recipients)
    add_ring(store, evolve(ring, number=max(_numbers(store), default=0) + 1))


def copy_ring(target: Store, sources: Iterable[Store]) -> None:
    """Give a store that has no key ring that of another store, before it gets backups.

    Otherwise the first backup in it alone would begin another ring, and store everything again.
    """
    if read_ring(target) is None:
        ring = next((found for source in sources if (found := read_ring(source))), None)
        if ring:
            adopt_ring(target, ring)


def recipients_of(wrappers: Iterable[KeyWrapper]) -> tuple[Recipient, ...]:
    """Return the recipients, in one order, each once."""
    found = {wrapper.recipient for wrapper in wrappers}
    return tuple(sorted(found, key=lambda each: (each.kind, each.ref)))


def ensure_same(ring: KeyRing, recipients: Iterable[Recipient]) -> None:
    """Raise `ConfigurationError`, which names the difference, unless the ring has exactly these."""
    configured, there = frozenset(recipients), frozenset(ring.recipients)
    if _only_a_passphrase(configured - there) and _only_a_passphrase(there - configured):
        problem = "the passphrase is not the one that the backups in this store are made with"
        raise ConfigurationError([problem], hint=KeyHint.CHECK_PASSPHRASE)
    problems = [
        *(f"the key ring lacks {_named(each)}" for each in _ordered(configured - there)),
        *(f"the settings lack {_named(each)}" for each in _ordered(there - configured)),
    ]
    if problems:
        raise ConfigurationError(problems, hint=KeyHint.ROTATE_RECIPIENTS)


def fits(ring: KeyRing, sources: Iterable[KeySource]) -> bool:
    """Whether a ring has exactly the configured recipients."""
    try:
        ensure_same(ring, recipients_of(wrappers_for(ring, sources)))
    except (ConfigurationError, DamagedError):
        return False
    return True


def _only_a_passphrase(recipients: Iterable[Recipient]) -> bool:
    return {each.kind for each in recipients} == {"passphrase"}


def _ordered(recipients: Iterable[Recipient]) -> list[Recipient]:
    return sorted(recipients, key=lambda each: (each.kind, each.ref))


def _named(recipient: Recipient) -> str:
    return f"the recipient {recipient.kind}:{recipient.ref}"
