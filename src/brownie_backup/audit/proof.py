"""Check an audit trail. Pure: objects in, problems out.

A changed record does not match the hash in its key. If a record was removed or moved, the next
record of the same writer refers to a missing record, and so do those of other writers that saw it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from attrs import frozen

from brownie_backup.audit.record import AuditRecord, RecordId, id_in, record_from
from brownie_backup.errors import DamagedError
from brownie_backup.format.layout import AUDIT


@frozen
class AuditProblem:
    """A part of the trail that is not as it was written."""

    key: str
    message: str
    missing: bool = False
    """Whether there is no object with that key."""

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


@frozen
class AuditProof:
    """The result of checking a store's trail."""

    store_url: str
    records: int
    """The number of objects read."""
    problems: tuple[AuditProblem, ...]
    unrecorded: bool = False
    """Whether there is no record at all, and the store has backups all the same: all records were
    removed, or a program that records nothing made the backups."""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def problems_of(
    objects: Mapping[str, bytes], *, since: date | None = None
) -> Iterator[AuditProblem]:
    """Yield the problems of a trail: changed, removed, moved and foreign objects.

    Args:
        objects: everything under `AUDIT`, by its key; with `since`, objects put on that day or
            later.
        since: records of earlier days were not read.
    """
    records: dict[RecordId, AuditRecord] = {}
    for key, data in sorted(objects.items()):
        name = id_in(key)
        if name is None:
            yield AuditProblem(key, "it is not a record: it was not written by brownie-backup")
            continue
        try:
            records[name] = record_from(data, name)
        except DamagedError as error:
            yield AuditProblem(key, error.message)
    yield from _missing(records, objects.keys(), since)
    yield from _misplaced(records)


def _missing(
    records: Mapping[RecordId, AuditRecord], keys: Iterable[str], since: date | None
) -> Iterator[AuditProblem]:
    """Yield the missing records that others name, each once."""
    known = set(keys)
    for name, record in sorted(records.items(), key=_in_order):
        for other in filter(None, (record.previous, *record.seen)):
            key = f"{AUDIT}{other}.json"
            lost = id_in(key)
            if lost is None:
                yield AuditProblem(name.key, f"it names {other[:200]!a}, which is not a record")
            elif key not in known and (since is None or lost.day >= since):
                known.add(key)
                yield AuditProblem(key, f"it was removed: {name.key} names it", missing=True)


def _misplaced(records: Mapping[RecordId, AuditRecord]) -> Iterator[AuditProblem]:
    """Yield the gaps in a writer's sequence of records."""
    numbers: dict[tuple[str, int], RecordId] = {}
    for name, record in sorted(records.items(), key=_in_order):
        twin = numbers.setdefault((name.writer, name.sequence), name)
        if twin != name:
            yield AuditProblem(name.key, f"{twin.key} has the same number")
        before = id_in(f"{AUDIT}{record.previous}.json")
        place = (before.writer, before.sequence + 1) if before else (name.writer, 1)
        if place != (name.writer, name.sequence):
            yield AuditProblem(name.key, "it does not follow the record that it names")


def _in_order(item: tuple[RecordId, AuditRecord]) -> tuple[Any, ...]:
    name, record = item
    return record.recorded_at, name.writer, name.sequence
