"""Whatever bytes an object has, reading it raises no error but ours, soon and in little memory.

By default some thousand changed objects are read, in a few seconds. With ``BROWNIE_TEST_CASES``, as
many others as it says; ``BROWNIE_TEST_SEED`` repeats them.
"""

import os
import random
import resource
import time
from collections.abc import Callable, Mapping
from functools import partial

from tests.unit.hostile import changed
from tests.unit.test_hostile_objects import Stored, stored
from tests.unit.toys import Toy

from brownie_backup.audit.record import id_in, record_from
from brownie_backup.dumpers.postgres.inventory import parse_inventory
from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.statements import split_statements
from brownie_backup.errors import BackupError
from brownie_backup.format.checksums import integrity
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.envelope import key_id, open_, seal
from brownie_backup.format.layout import (
    ATTEMPTS,
    AUDIT,
    HOLDS,
    IDENTITY,
    KEY_RINGS,
    KEYS,
    LEADERS,
    LEASES,
    MANIFESTS,
    OPERATIONS,
    VERIFICATIONS,
    name_in,
)
from brownie_backup.format.openpgp import check_message
from brownie_backup.model import Attempt, Encryption, Hold
from brownie_backup.model.keys import KeyContext, KeyObject, KeyRing
from brownie_backup.repository import Identity, LeaseRecord
from brownie_backup.repository.catalogue.manifests import outline_from, verification_from
from brownie_backup.repository.coordination.leadership import Term
from brownie_backup.repository.coordination.operations import OperationRecord
from brownie_backup.repository.keys.objects import wrap_key

__all__ = ["stored"]  # a fixture

CASES = int(os.environ.get("BROWNIE_TEST_CASES") or 20_000)
SEED = int(
    os.environ.get("BROWNIE_TEST_SEED")
    or (random.SystemRandom().randrange(1 << 32) if "BROWNIE_TEST_CASES" in os.environ else 0)
)
LONGEST_SECONDS = 5
MOST_BYTES = 300 << 20
LOOK_EVERY = 10_000

Read = Callable[[str, bytes], object]
KEY, NAME = bytes(range(32)), "ab" * 32
INVENTORY = b"""{"owners": ["ann"], "grantees": [], "needed": [], "tablespaces": ["fast"],
"extensions": [{"name": "hstore", "version": "1.8"}], "counts": {"relkind r": 2}, "relations": [
{"oid": 16400, "schema": "public", "name": "t", "columns": ["a", "b"], "format": "text"}],
"generated": [{"schema": "public", "table": "t", "name": "c", "values": 7, "hash": "-12"}],
"stored": [{"oid": 16400, "ranges": 1, "rows": 7, "digest": "00"}]}"""
SCRIPT = rb"""\restrict aaaabbbb
-- roles
CREATE ROLE "a;b"; ALTER ROLE "a;b" WITH PASSWORD 'md5\x''y';
DO $x$ BEGIN PERFORM 'a;b' /* ; /* nested */ */; END $x$;
COMMENT ON ROLE "a;b" IS E'a\\'';b';
\unrestrict aaaabbbb
"""
LISTING = b""";
; Archive created at 2026-01-15 02:00:00 UTC
;     dbname: shop
;
217; 1259 16400 TABLE public t ann
;\tdepends on: 5
3500; 0 16400 TABLE DATA public t ann
;\tdepends on: 217
3350; 2606 16405 CONSTRAINT public t t_pkey ann
;\tdepends on: 217 217
"""
# The packets of a checksum, of a passphrase, and of encrypted data.
MESSAGE = b"".join(
    (b"\xfd\x28brownie1", bytes(32), b"\x8c\x0d\x04\x09\x03\x0a", b"x" * 9, b"\xd2\x14", b"y" * 20)
)


def typed(kind: type) -> Read:
    return lambda key, data: from_json(data, kind, key)


def audit(key: str, data: bytes) -> object:
    name = id_in(key)
    return record_from(data, name) if name else None


def as_text(read: Callable[[str], object], _: str, data: bytes) -> object:
    return read(data.decode("utf-8", "surrogateescape"))


def gpg_message(_: str, data: bytes) -> None:
    integrity(data, NAME, "gpg")
    check_message(data, Encryption("gpg", "passphrase:ab"))


READERS: Mapping[str, Read] = {
    IDENTITY: typed(Identity),
    MANIFESTS: lambda key, data: outline_from(data, name_in(key), "memory:"),
    VERIFICATIONS: lambda key, data: verification_from(data, key),
    HOLDS: typed(Hold),
    ATTEMPTS: typed(Attempt),
    LEASES: typed(LeaseRecord),
    LEADERS: typed(Term),
    OPERATIONS: typed(OperationRecord),
    AUDIT: audit,
    KEY_RINGS: typed(KeyRing),
    KEYS: typed(KeyObject),
    "inventory": lambda _, data: parse_inventory(data),
    "roles": partial(as_text, lambda text: list(split_statements(text))),
    "contents": partial(as_text, parse_contents),
    "message": gpg_message,
    "format 2": lambda _, data: open_(data, KEY, NAME),
}


def test_whatever_an_object_holds_reading_it_ends_well(stored: Stored) -> None:
    by = random.Random(SEED)  # noqa: S311 - the same again, by its seed
    samples = [*samples_of(stored)]
    assert {read for _, _, read in samples} == set(READERS.values())
    for key, data, read in samples:
        read(key, data)
    before = peak_bytes()
    for number in range(CASES):
        key, data, read = samples[number % len(samples)]
        key, data = changed(key, data, by)
        told = f"BROWNIE_TEST_SEED={SEED}, case {number}: {key} {data[:200]!r}"
        began = time.perf_counter()
        try:
            read(key, data)
        except BackupError:
            pass
        except BaseException as error:
            raise AssertionError(told) from error
        assert time.perf_counter() - began < LONGEST_SECONDS, told
        if number % LOOK_EVERY == 0:
            assert peak_bytes() - before < MOST_BYTES, told


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def samples_of(stored: Stored) -> list[tuple[str, bytes, Read]]:
    """Return objects of all kinds, each with what reads it."""
    found = [
        (key, data, read)
        for key, data in stored.objects.items()
        for prefix, read in READERS.items()
        if key.startswith(prefix)
    ]
    ring = KeyRing(1, "ab" * 16, (Toy("one").recipient,))
    context = KeyContext("a-repository", key_id(KEY).hex())
    made: dict[str, bytes] = {
        KEY_RINGS: to_json(ring),
        KEYS: to_json(wrap_key(ring, KEY, context, [Toy("one")])),
        "inventory": INVENTORY,
        "roles": SCRIPT,
        "contents": LISTING,
        "message": MESSAGE,
        "format 2": seal(b"rows" * 100, KEY, NAME),
    }
    return found + [(prefix, data, READERS[prefix]) for prefix, data in made.items()]
